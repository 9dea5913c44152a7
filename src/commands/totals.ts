/**
 * `rollcall totals --config FILE`: what people and classes add up to (R37 to R40). Every number stands with its numerator, denominator and
 * threshold, and whether it is reached; whether somebody has passed is for the county to say, so it is never said here.
 * Reads the data directory beside the running daemon; names are masked, or left out where the key is not within reach.
 */
import { totalsOf, recordedResults, type ResultsStatus } from '../classes/class-totals.js';
import { namesOf } from '../classes/enrolment.js';
import { maskName } from '../classes/identity.js';
import { stateOf, type ClassState } from '../classes/lifecycle.js';
import type { ClassRecord } from '../classes/class-tables.js';
import { loadCalendar } from '../calendars.js';
import { instantToDate, systemClock, type Clock, type LocalDate } from '../core/time.js';
import type { ClassPersonTotal, ClassTotals } from '../rules/class-totals.js';
import type { Calendar } from '../rules/calendar.js';
import type { Policy } from '../rules/policy.js';
import { centi } from '../rules/totals.js';
import { pendingDays } from '../store/credits.js';
import type { Reader } from '../store/reader.js';
import { enrolledFrom, enrolledTo } from '../classes/class-index.js';
import { lastClosedDate, readClasses, settingsOf, type ClassReading, type ReadingOptions } from './class-reading.js';
import { EXIT, type Console } from './console.js';
import { classLines, personLine } from './totals-text.js';

export interface TotalsArguments {
  readonly config: string;
  readonly class?: string;
}

/** One ratio and its threshold. `reached` is arithmetic, no decision. */
export interface Threshold {
  readonly hours: number;
  readonly required: number;
  /** One decimal, rounded down. */
  readonly percent: number;
  /** In percent. */
  readonly line: number;
  readonly reached: boolean;
}

export interface PersonFigures extends ClassPersonTotal {
  readonly kind: 'person';
  readonly classNo: string;
  /** Masked; null where the key is not within reach. */
  readonly name: string | null;
  /** Null: the policy of the class sets none. */
  readonly thresholds: {
    readonly attendance: Threshold | null;
    readonly exam: Threshold | null;
    readonly theory: Threshold | null;
    readonly practice: Threshold | null;
  };
}

export interface ClassFigures extends Omit<ClassTotals, 'people'> {
  readonly kind: 'class';
  readonly regionalClassNo: string | null;
  readonly name: string;
  readonly state: ClassState | null;
  readonly approvedHeadcount: number | null;
  /** On today's date, or on the last day of a class that is over. */
  readonly enrolled: number;
  readonly trainees: number;
  /** Inspections are not kept yet. */
  readonly inspectionsDone: null;
  /** Last day for feedback, so many working days after the last class day; null: the class has no day. */
  readonly feedbackDue: LocalDate | null;
  /** Years without a calendar of holidays that were needed for it: Monday to Friday was taken. */
  readonly feedbackFallbackYears: readonly number[];
  readonly results: ResultsStatus;
  /** Days that wait to be computed. */
  readonly pending: number;
  readonly throughN: number;
}

export function runTotals(args: TotalsArguments, options: ReadingOptions, io: Console): number {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const clock = options.clock ?? systemClock();
  const { calendar } = loadCalendar({ overlay: settings.policy.calendarsDir });
  const found = readClasses(settings, args.class, options, (reading) => {
    if (reading.reader.vault === null && reading.records.length > 0)
      io.err('姓名已加密，此处没有密钥，只显示学员号。 Names are sealed and the key is not here; numbers only.');
    return reading.records.map((record) => figuresOf(reading, record, clock, calendar));
  });
  for (const { figures, people, policy } of found ?? []) {
    if (io.json) {
      io.out(JSON.stringify(figures));
      for (const person of people) io.out(JSON.stringify(person));
      continue;
    }
    for (const line of classLines(figures)) io.out(line);
    for (const person of people) io.out(`  ${personLine(person, policy)}`);
  }
  if ((found ?? []).length === 0) io.err('没有班级。 There is no class.');
  else
    io.err('达到与否只是算术，是否合格由旗县区认定。 Reached or not is arithmetic; the county decides what follows.');
  return EXIT.good;
}

interface Found {
  readonly figures: ClassFigures;
  readonly people: readonly PersonFigures[];
  readonly policy: Policy;
}

function figuresOf({ reader, index }: ClassReading, record: ClassRecord, clock: Clock, calendar: Calendar): Found {
  const { classNo, policy } = record;
  const totals = totalsOf(reader, index, classNo, { through: lastClosedDate(record, clock) });
  if (totals === null) throw new RangeError(`no class ${classNo}`);
  const { people, ...sums } = totals;
  const { status, throughN } = recordedResults(reader, classNo);
  const today = instantToDate(clock.now(), policy.timezone);
  const asOf = today > record.to ? record.to : today;
  const names = namesIn(reader, record);
  const lastDay = record.days.at(-1)?.date;
  const feedback = lastDay === undefined ? null : calendar.addWorkingDays(lastDay, policy.feedbackWorkingDays);
  const figures: ClassFigures = {
    kind: 'class',
    ...sums,
    regionalClassNo: record.regionalClassNo,
    name: record.name,
    state: stateOf(reader, classNo, today),
    approvedHeadcount: record.approvedHeadcount,
    enrolled: record.members.filter((one) => enrolledFrom(record, one) <= asOf && asOf <= enrolledTo(record, one))
      .length,
    trainees: record.members.length,
    inspectionsDone: null,
    feedbackDue: feedback?.date ?? null,
    feedbackFallbackYears: feedback?.fallbackYears ?? [],
    results: status,
    pending: [...pendingDays(reader.db)].filter((id) => id.startsWith(`${classNo}/`)).length,
    throughN,
  };
  return { figures, people: people.map((one) => personOf(one, classNo, policy, names)), policy };
}

function namesIn({ db, vault }: Reader, record: ClassRecord): ReadonlyMap<string, string> {
  return vault === null ? new Map() : namesOf({ db, vault }, record.classNo, record.rosterVersion);
}

function personOf(
  total: ClassPersonTotal,
  classNo: string,
  policy: Policy,
  names: ReadonlyMap<string, string>,
): PersonFigures {
  const { attendancePercent, examPercent, theoryPercent, practicePercent } = policy.thresholds;
  const name = names.get(total.traineeNo);
  return {
    kind: 'person',
    classNo,
    name: name === undefined ? null : maskName(name),
    ...total,
    thresholds: {
      attendance: threshold(total.totalHours, total.requiredHours, attendancePercent),
      exam: threshold(total.totalHours, total.requiredHours, examPercent),
      theory: total.theory && threshold(total.theory.hours, total.theory.required, theoryPercent),
      practice: total.practice && threshold(total.practice.hours, total.practice.required, practicePercent),
    },
  };
}

/** Null where there is no line, and where nothing is required. */
function threshold(hours: number, required: number, line: number | null): Threshold | null {
  if (line === null || required === 0) return null;
  const [have, whole] = [centi(hours), centi(required)];
  const percent = Math.floor((have * 1000) / whole) / 10;
  return { hours, required, percent, line, reached: have * 100 >= whole * line };
}
