/**
 * What the rules are asked about a day, gathered from the database alone: no clock, no settings, no memory of this process, so the
 * same question can be asked again years later (P5). One code path for one day and for a whole class: `all` reads punches,
 * evidence and outages once and parts them into days in memory, and gives to the byte what `one` would.
 *
 * Works on the store and on a reader beside a running daemon. Who needs many answers of one moment asks inside `inSnapshot`.
 * Refuses nothing; a person who is on no roster of the class has no question.
 */
import { addDays, dateAt, instantToDate, type Instant, type LocalDate } from '../core/time.js';
import { dayPunchOf, type DayPunch, type DayQuestion, type RivalClass } from '../rules/day-credit.js';
import type { Numbered, PunchFact } from '../rules/facts.js';
import type { Policy } from '../rules/policy.js';
import { createNearness, punchAt, punchesAround } from '../store/punches.js';
import type { Store } from '../store/store.js';
import { enrolledFrom, enrolledTo, isAssigned, terminalsOn, type ClassIndex, type Membership } from './class-index.js';
import type { ClassRecord } from './class-tables.js';
import { loadEvidence, loadReviews, NO_REVIEWS, type DayEvidence, type Reviews } from './evidence.js';
import { loadOutages } from './outages.js';

export interface AskedDay {
  readonly question: DayQuestion;
  readonly policy: Policy;
}

export interface QuestionRange {
  /** Both days included; null or absent: open. */
  readonly from?: LocalDate | null;
  readonly to?: LocalDate | null;
  /** Only this person. */
  readonly traineeNo?: string | null;
}

export interface DayQuestions {
  /** Null: the person is not on the roster of the class. */
  one(classNo: string, traineeNo: string, date: LocalDate): AskedDay | null;
  /**
   * Every class day of everybody on the roster, and every other date that punches or evidence of a person may belong to; by person
   * in the order of the roster, then by date. Reads everything before the first one is handed out.
   */
  all(classNo: string, range?: QuestionRange): Iterable<AskedDay>;
}

type Source = Pick<Store, 'db'>;
type Punch = Numbered<PunchFact>;

/** What of a class day is the same for everybody. */
interface ClassDate {
  readonly begins: Instant;
  readonly ends: Instant;
  readonly sessions: DayQuestion['sessions'];
  /** The other dates with a session. */
  readonly otherDates: readonly LocalDate[];
  readonly terminals: readonly string[];
  readonly isNear: (punch: PunchFact) => boolean;
}

/** What was read for one person of one class. */
interface Readings {
  readonly punches: readonly Punch[];
  /** Journal number to the time that a reviewer found right, on whatever date. */
  readonly reviews: Reviews;
  readonly evidenceOf: (date: LocalDate) => DayEvidence;
  readonly outagesOn: (date: LocalDate) => DayQuestion['outages'];
}

export function createQuestions(source: Source, index: ClassIndex): DayQuestions {
  const ownOf = (classNo: string, traineeNo: string): Membership | undefined =>
    index.membershipsOf(traineeNo).find(({ record }) => record.classNo === classNo);

  const ask = (own: Membership, date: LocalDate, readings: Readings): AskedDay => {
    const { record, member } = own;
    const { punches, reviews, evidenceOf, outagesOn } = readings;
    const { isNear } = classDate(record, date);
    const isReviewed = (punch: Punch): boolean => {
      const at = reviews.get(punch.n);
      return at !== undefined && instantToDate(at, record.policy.timezone) === date;
    };
    const mine = punches.filter(
      (punch) =>
        (isNear(punch) || isReviewed(punch)) &&
        index.traineeFor(punch.terminalId, punch.deviceUserId, date) === member.traineeNo,
    );
    const memberships = index.membershipsOf(member.traineeNo);
    return {
      question: questionOf(own, memberships, date, {
        punches: mine,
        reviews,
        evidence: evidenceOf(date),
        outages: outagesOn(date),
      }),
      policy: record.policy,
    };
  };

  const readPunches = (own: Membership, from: LocalDate, to: LocalDate, reviews: Reviews): readonly Punch[] => {
    const { timezone } = own.record.policy;
    const ids = index.membershipsOf(own.member.traineeNo).map(({ member }) => member.deviceUserId);
    const [begin, end] = [dateAt(from, '00:00', timezone), dateAt(addDays(to, 1), '00:00', timezone)];
    const near = punchesAround(source.db, ids, begin, end);
    if (reviews.size === 0) return near;
    // A punch whose time a reviewer found may have told anything, and may have been received at any time.
    const known = new Set(near.map(({ n }) => n));
    const far = [...reviews.keys()].filter((n) => !known.has(n)).map((n) => punchAt(source.db, n));
    return [...near, ...far.filter((punch) => punch !== null)].sort((a, b) => a.n - b.n);
  };

  /** Of a class the outages of each date, read once: the same for everybody, so a day for itself and a whole class ask alike. */
  const outagesOf = (record: ClassRecord): Readings['outagesOn'] => {
    const known = new Map<LocalDate, DayQuestion['outages']>();
    return (date) => {
      const { terminals, begins, ends } = classDate(record, date);
      const outages =
        known.get(date) ?? loadOutages(source, terminals, begins, ends).map((one) => ({ from: one.from, to: one.to }));
      known.set(date, outages);
      return outages;
    };
  };

  return {
    one(classNo, traineeNo, date) {
      const own = ownOf(classNo, traineeNo);
      if (!own) return null;
      const evidence = loadEvidence(source, classNo, { traineeNo, date });
      const reviews = loadReviews(source, classNo, traineeNo).get(traineeNo) ?? NO_REVIEWS;
      const punches = readPunches(own, date, date, reviews);
      return ask(own, date, {
        punches,
        reviews,
        evidenceOf: (day) => evidence.of(traineeNo, day),
        outagesOn: outagesOf(own.record),
      });
    },
    *all(classNo, range = {}) {
      const record = index.classes.get(classNo);
      if (!record) return;
      const { from = null, to = null, traineeNo = null } = range;
      const within = (date: LocalDate): boolean => (from === null || from <= date) && (to === null || date <= to);
      const people = record.members
        .filter((member) => traineeNo === null || member.traineeNo === traineeNo)
        .flatMap((member) => ownOf(classNo, member.traineeNo) ?? []);
      const evidence = loadEvidence(source, classNo);
      const outagesOn = outagesOf(record);
      const reviews = loadReviews(source, classNo, traineeNo);
      const [first, last] = spanOf(record, [...evidence.days.map((day) => day.date)].filter(within), from, to);
      const work = people.map((own) => {
        const found = reviews.get(own.member.traineeNo) ?? NO_REVIEWS;
        return { own, reviews: found, punches: first > last ? [] : readPunches(own, first, last, found) };
      });
      for (const { own, ...read } of work) {
        const name = own.member.traineeNo;
        const dates = new Set(record.days.map((day) => day.date));
        for (const day of evidence.days) if (day.traineeNo === name) dates.add(day.date);
        for (const at of read.reviews.values()) dates.add(instantToDate(at, record.policy.timezone));
        for (const punch of read.punches)
          for (const day of index.daysTouchedBy(punch))
            if (day.classNo === classNo && day.traineeNo === name) dates.add(day.date);
        const readings: Readings = { ...read, evidenceOf: (date) => evidence.of(name, date), outagesOn };
        for (const date of [...dates].filter(within).sort()) yield ask(own, date, readings);
      }
    },
  };
}

/** First and last date that a punch can concern the class on: its period, its terminals, and dates with evidence. */
function spanOf(
  record: ClassRecord,
  evidence: readonly LocalDate[],
  from: LocalDate | null,
  to: LocalDate | null,
): readonly [LocalDate, LocalDate] {
  const days = record.days.map((day) => day.date);
  const begins = [record.from, ...days, ...evidence, ...record.terminals.map((one) => one.from)].sort();
  const ends = [record.to, ...days, ...evidence, ...record.terminals.map((one) => one.to)].sort();
  const [first = record.from, last = record.to] = [begins[0], ends.at(-1)];
  return [from !== null && from > first ? from : first, to !== null && to < last ? to : last];
}

const classDates = new WeakMap<ClassRecord, Map<LocalDate, ClassDate>>();

/** Records never change, an import makes new ones; so what a date of a class is, is worked out once for all its people. */
function classDate(record: ClassRecord, date: LocalDate): ClassDate {
  const known = classDates.get(record) ?? new Map<LocalDate, ClassDate>();
  classDates.set(record, known);
  let made = known.get(date);
  if (!made) {
    const { timezone } = record.policy;
    const [begins, ends] = [dateAt(date, '00:00', timezone), dateAt(addDays(date, 1), '00:00', timezone)];
    made = {
      begins,
      ends,
      sessions: sessionsOn(record, date),
      otherDates: record.days.filter((day) => day.date !== date).map((day) => day.date),
      terminals: terminalsOn(record, date),
      isNear: createNearness(begins, ends),
    };
    known.set(date, made);
  }
  return made;
}

function questionOf(
  own: Membership,
  memberships: readonly Membership[],
  date: LocalDate,
  read: Pick<Readings, 'punches' | 'reviews'> & {
    readonly evidence: DayEvidence;
    readonly outages: DayQuestion['outages'];
  },
): DayQuestion {
  const { record, member } = own;
  const { timezone } = record.policy;
  const { sessions, otherDates, terminals } = classDate(record, date);
  const { punches, reviews, evidence, outages } = read;
  return {
    classNo: record.classNo,
    traineeNo: member.traineeNo,
    date,
    sessions,
    classDates: otherDates,
    terminals,
    enrolment: [{ from: enrolledFrom(record, member), to: enrolledTo(record, member) }],
    grantedMethods: member.alternativeMethods,
    gatewayClockTrusted: punches.every((punch) => punch.clockTrusted || instantToDate(punch.rx, timezone) !== date),
    punches: punches.map((punch) => asDayPunch(punch, reviews.get(punch.n))),
    leaves: evidence.leaves,
    makeups: evidence.makeups,
    online: evidence.online,
    outages,
    rivals: memberships
      .filter((other) => other !== own && terminals.some((terminal) => isAssigned(other.record, terminal, date)))
      .map((other) => rivalOf(other, date)),
    timetableVersion: `${record.timetableVersion}:${record.timetableHash}`,
    rosterVersion: `${record.rosterVersion}:${record.rosterHash}`,
  };
}

/** Classes assign terminals by their id in the settings, so that a replaced device keeps its place; the punch goes by the same name. */
function asDayPunch(punch: Punch, reviewed: Instant | undefined): DayPunch {
  const plain: DayPunch = { ...dayPunchOf(punch), terminal: punch.terminalId };
  return reviewed === undefined ? plain : { ...plain, reviewed };
}

/** Only what the rules know of a session, so that a changed content or room changes no result. */
export function sessionsOn(record: ClassRecord, date: LocalDate): DayQuestion['sessions'] {
  return (record.days.find((day) => day.date === date)?.sessions ?? []).map(({ id, start, end, lessons, online }) => ({
    id,
    start,
    end,
    lessons,
    online,
  }));
}

function rivalOf({ record, member }: Membership, date: LocalDate): RivalClass {
  const { sessions, terminals } = classDate(record, date);
  return {
    classNo: record.classNo,
    enrolment: [{ from: enrolledFrom(record, member), to: enrolledTo(record, member) }],
    terminals,
    grantedMethods: member.alternativeMethods,
    sessions,
    policy: record.policy,
  };
}
