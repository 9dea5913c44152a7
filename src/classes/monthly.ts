/**
 * Monthly figures (R79): what offices ask for as of the 25th, by class and in sum, to be compared with their paper tables. A period is
 * from the day after last month's to this month's. Plain data from the database alone; no names, no clock.
 *
 * The three head counts are kept apart (R11): approved by the documents, enrolled on the day, and present, which here means
 * people of whom a punch filled a slot in the period. Person-hours are the sums of the day results as they stand, before the
 * caps over a whole class, which cannot be parted by months.
 */
import { fail } from '../core/errors.js';
import { parseLocalDate, type LocalDate } from '../core/time.js';
import type { DayCredit } from '../rules/day-credit.js';
import { lessonDeliveries } from '../rules/delivery.js';
import type { Store } from '../store/store.js';
import { enrolledFrom, enrolledTo } from './class-index.js';
import { loadClasses, type ClassRecord } from './class-tables.js';
import { recordedResults, type ResultsStatus } from './class-totals.js';
import { sealOf } from './evidence.js';

/** The day of the month that the figures are as of, when nobody says another. */
const AS_OF_DAY = 25;

export interface MonthlyClass {
  /** City class number (R3), and the regional one where it is known. */
  readonly classNo: string;
  readonly regionalClassNo: string | null;
  readonly name: string;
  readonly institution: string;
  readonly occupation: ClassRecord['occupation'];
  readonly from: LocalDate;
  readonly to: LocalDate;
  /** As of the day running or past its last day; sealed, whenever that was. */
  readonly state: 'active' | 'ended' | 'sealed';
  /** Reference of the approval; null: activated without one (R5). */
  readonly approval: string | null;
  /** 批准人数; null: not told. */
  readonly approvedHeadcount: number | null;
  /** 在册人数 on the day, or on the last day of a class that ended before it. */
  readonly enrolled: number;
  /** 到课人数: people of whom a punch filled a slot in the period. */
  readonly present: number;
  /** 计划课时 of the class. */
  readonly plannedHours: number;
  /** 期内计划课时: of the timetable in the period. */
  readonly plannedInPeriod: number;
  /** 期内到课课时: lessons of the period in which at least one trainee was present. */
  readonly attendedHours: number;
  /** 期内授课课时: attended ones with a frame of the room; null: no frames are kept yet. */
  readonly deliveredHours: number | null;
  /** 人课时: hours of all people in the period, punches, make-ups and online together. */
  readonly personHours: number;
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  /** Of the results of the class as a whole. */
  readonly results: ResultsStatus;
}

export type MonthlyTotals = Pick<
  MonthlyClass,
  'enrolled' | 'present' | 'plannedHours' | 'plannedInPeriod' | 'attendedHours' | 'deliveredHours' | 'personHours'
> & {
  readonly classes: number;
  /** Sum over the classes that tell it; null: none does. */
  readonly approvedHeadcount: number | null;
};

export interface MonthlyFigures {
  /** `YYYY-MM`. */
  readonly month: string;
  /** Both days included; `to` is the day the figures are as of. */
  readonly from: LocalDate;
  readonly to: LocalDate;
  /** Classes whose period meets that of the figures, by class number. */
  readonly classes: readonly MonthlyClass[];
  readonly totals: MonthlyTotals;
}

/**
 * Figures of a month (`YYYY-MM`). Call it inside `inSnapshot`, so that all classes are of one moment. Throws `bad-argument` for a month
 * that is none, and for a day that not every month has.
 */
export function monthlyFigures(source: Pick<Store, 'db'>, month: string, asOfDay: number = AS_OF_DAY): MonthlyFigures {
  const { from, to } = periodOf(month, asOfDay);
  const classes = loadClasses(source)
    .filter((record) => record.from <= to && from <= record.to)
    .map((record) => figuresOf(source, record, from, to));
  return { month, from, to, classes, totals: sumOf(classes) };
}

function periodOf(month: string, asOfDay: number): { readonly from: LocalDate; readonly to: LocalDate } {
  const refuse = (argument: string, reason: string, reasonZh: string): Error =>
    fail('bad-argument', { argument, reason, reasonZh });
  if (!Number.isInteger(asOfDay) || asOfDay < 1 || asOfDay > 28)
    throw refuse(`day ${asOfDay}`, 'a day from 1 to 28, please', '请给出 1 至 28 之间的日期');
  const two = (value: number): string => String(value).padStart(2, '0');
  const to = parseLocalDate(`${month}-${two(asOfDay)}`);
  if (to === null || !/^\d{4}-\d{2}$/.test(month))
    throw refuse(`month ${month.slice(0, 20)}`, 'write YYYY-MM', '请写成 YYYY-MM');
  const [year = 0, number = 1] = month.split('-').map(Number);
  const [lastYear, lastMonth] = number === 1 ? [year - 1, 12] : [year, number - 1];
  // The 29th of a February that has none is the 1st of March: the period of a day 28 begins there.
  const next = parseLocalDate(`${String(lastYear).padStart(4, '0')}-${two(lastMonth)}-${two(asOfDay + 1)}`);
  return { from: next ?? (`${month}-01` as LocalDate), to };
}

function figuresOf(source: Pick<Store, 'db'>, record: ClassRecord, from: LocalDate, to: LocalDate): MonthlyClass {
  const { policy } = record;
  const { credits, status } = recordedResults(source, record.classNo);
  const inPeriod = credits.filter(({ date }) => from <= date && date <= to);
  const days = record.days.filter(({ date }) => from <= date && date <= to);
  const lessons = lessonDeliveries(days, inPeriod, null, policy);
  const asOf = to > record.to ? record.to : to;
  const isSealed = sealOf(source, record.classNo) !== null;
  return {
    classNo: record.classNo,
    regionalClassNo: record.regionalClassNo,
    name: record.name,
    institution: record.institution,
    occupation: record.occupation,
    from: record.from,
    to: record.to,
    state: isSealed ? 'sealed' : to > record.to ? 'ended' : 'active',
    approval: record.approval,
    approvedHeadcount: record.approvedHeadcount,
    enrolled: record.members.filter((one) => enrolledFrom(record, one) <= asOf && asOf <= enrolledTo(record, one))
      .length,
    present: new Set(inPeriod.filter(hasPunch).map((credit) => credit.traineeNo)).size,
    plannedHours: record.plannedHours,
    plannedInPeriod: lessons.length,
    attendedHours: lessons.filter(({ attended }) => attended).length,
    deliveredHours: null,
    personHours: sum(inPeriod.map((credit) => credit.dayResult?.totalHours ?? 0)),
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    results: status,
  };
}

const hasPunch = ({ dayResult }: DayCredit): boolean =>
  Object.values(dayResult?.slots ?? {}).some((fill) => fill?.by === 'punch');

/** In hundredths, so that sums of decimals stay what they are on paper. */
const sum = (hours: readonly number[]): number => hours.reduce((total, one) => total + Math.round(one * 100), 0) / 100;

function sumOf(classes: readonly MonthlyClass[]): MonthlyTotals {
  const told = classes.flatMap(({ approvedHeadcount }) => approvedHeadcount ?? []);
  const delivered = classes.flatMap(({ deliveredHours }) => deliveredHours ?? []);
  return {
    classes: classes.length,
    approvedHeadcount: told.length === 0 ? null : sum(told),
    enrolled: sum(classes.map((one) => one.enrolled)),
    present: sum(classes.map((one) => one.present)),
    plannedHours: sum(classes.map((one) => one.plannedHours)),
    plannedInPeriod: sum(classes.map((one) => one.plannedInPeriod)),
    attendedHours: sum(classes.map((one) => one.attendedHours)),
    deliveredHours: delivered.length === 0 ? null : sum(delivered),
    personHours: sum(classes.map((one) => one.personHours)),
  };
}
