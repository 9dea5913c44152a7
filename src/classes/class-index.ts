/**
 * Classes in memory: who is who on which terminal on which date, and which days of credit a punch can change. Holds no
 * names and no document numbers; rebuilt from the tables after every import.
 *
 * A device user id means a person only through a roster. First the classes assigned to the terminal on that date are asked;
 * if none knows the id, those whose period holds the date, then all. Where two people answer, nobody is credited.
 */
import { instantToDate, parseLocalDate, wallDate, type LocalDate } from '../core/time.js';
import type { PunchFact } from '../rules/facts.js';
import type { ClassRecord, Member } from './class-tables.js';

export interface DayKey {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
}

/** What of a punch says which days it may belong to. */
export type DatedPunch = Pick<PunchFact, 'terminalId' | 'deviceUserId' | 'wallTime' | 'effective' | 'rx'>;

export interface Membership {
  readonly record: ClassRecord;
  readonly member: Member;
}

export interface ClassIndex {
  readonly classes: ReadonlyMap<string, ClassRecord>;
  membershipsOf(traineeNo: string): readonly Membership[];
  traineeFor(terminalId: string, deviceUserId: string, date: LocalDate): string | null;
  daysTouchedBy(punch: DatedPunch): readonly DayKey[];
}

export const enrolledFrom = (record: ClassRecord, member: Member): LocalDate => member.enrolledFrom ?? record.from;
export const enrolledTo = (record: ClassRecord, member: Member): LocalDate => member.enrolledTo ?? record.to;

export const isAssigned = (record: ClassRecord, terminalId: string, date: LocalDate): boolean =>
  record.terminals.some((one) => one.terminal === terminalId && one.from <= date && date <= one.to);

/** Terminals assigned to the class on a date, each once. */
export const terminalsOn = (record: ClassRecord, date: LocalDate): readonly string[] => [
  ...new Set(record.terminals.filter((one) => one.from <= date && date <= one.to).map((one) => one.terminal)),
];

const DATES_KEPT = 4096;

const onlyOne = (names: ReadonlySet<string>): string | null => (names.size === 1 ? ([...names][0] ?? null) : null);

export function createClassIndex(records: readonly ClassRecord[]): ClassIndex {
  const classes = new Map(records.map((record) => [record.classNo, record]));
  const byTrainee = new Map<string, Membership[]>();
  const byDeviceUser = new Map<string, Membership[]>();
  const add = (map: Map<string, Membership[]>, key: string, one: Membership): void => {
    const list = map.get(key);
    if (list) list.push(one);
    else map.set(key, [one]);
  };
  for (const record of records) {
    for (const member of record.members) {
      add(byTrainee, member.traineeNo, { record, member });
      add(byDeviceUser, member.deviceUserId, { record, member });
    }
  }

  const traineeFor = (terminalId: string, deviceUserId: string, date: LocalDate): string | null => {
    const known = byDeviceUser.get(deviceUserId) ?? [];
    const people = (choose: (one: Membership) => boolean): Set<string> =>
      new Set(known.filter(choose).map((one) => one.member.traineeNo));
    const here = known.filter(({ record }) => isAssigned(record, terminalId, date));
    if (here.length > 0) {
      const enrolled = people(
        (one) =>
          here.includes(one) &&
          enrolledFrom(one.record, one.member) <= date &&
          date <= enrolledTo(one.record, one.member),
      );
      return onlyOne(enrolled.size > 0 ? enrolled : people((one) => here.includes(one)));
    }
    const isTeacher = records.some(
      (one) => isAssigned(one, terminalId, date) && one.teacherDeviceIds.includes(deviceUserId),
    );
    if (isTeacher) return null;
    const present = people(({ record }) => record.from <= date && date <= record.to);
    return onlyOne(present.size > 0 ? present : people(() => true));
  };

  /** Told dates looked at before: a class has few, and looking one up costs more than all the rest here. */
  const told = new Map<string, LocalDate | null>();
  const toldDate = (text: string): LocalDate | null => {
    let date = told.get(text);
    if (date === undefined) {
      // Hostile terminals may invent dates without end; the cache must not.
      if (told.size >= DATES_KEPT) told.clear();
      told.set(text, (date = parseLocalDate(text)));
    }
    return date;
  };

  return {
    classes,
    membershipsOf: (traineeNo) => byTrainee.get(traineeNo) ?? [],
    traineeFor,
    daysTouchedBy(punch) {
      const days = new Map<string, DayKey>();
      if (!byDeviceUser.has(punch.deviceUserId)) return [];
      const shown = toldDate(wallDate(punch.wallTime));
      for (const zone of new Set(records.map((record) => record.policy.timezone))) {
        const received = instantToDate(punch.rx, zone);
        const effective = punch.effective === null ? null : instantToDate(punch.effective, zone);
        for (const date of new Set([shown, effective, received])) {
          const traineeNo = date === null ? null : traineeFor(punch.terminalId, punch.deviceUserId, date);
          if (date === null || traineeNo === null) continue;
          for (const { record } of byTrainee.get(traineeNo) ?? []) {
            const concerns = (record.from <= date && date <= record.to) || isAssigned(record, punch.terminalId, date);
            if (!concerns || record.policy.timezone !== zone) continue;
            days.set(`${record.classNo}/${traineeNo}/${date}`, { classNo: record.classNo, traineeNo, date });
          }
        }
      }
      return [...days.values()];
    },
  };
}
