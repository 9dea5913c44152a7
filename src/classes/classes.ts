/**
 * Classes: imported, versioned, looked up. The one door to rosters, timetables and enrolment for the rest of the program.
 *
 * Lookups answer from memory and hold no names; what names a person is decrypted when it is asked for. A class keeps the
 * policy it was activated with, by content, whatever happens to the preset of that name (R42).
 */
import {
  addDays,
  dateAt,
  instant,
  instantToDate,
  type Clock,
  type Instant,
  type LocalDate,
  type Zone,
} from '../core/time.js';
import { fail } from '../core/errors.js';
import { planSessions, minuteText } from '../rules/grid.js';
import type { Policy } from '../rules/policy.js';
import type { Store } from '../store/store.js';
import {
  readClassFile,
  requireDefinition,
  type ClassDefinition,
  type ClassFileContext,
  type ClassFileResult,
} from './class-file.js';
import { importClass, type ImportBy, type ImportOutcome } from './class-import.js';
import {
  createClassIndex,
  enrolledFrom,
  enrolledTo,
  terminalsOn,
  type DatedPunch,
  type DayKey,
} from './class-index.js';
import { loadClasses, openRoster, type ClassRecord } from './class-tables.js';
import { createQuestions, sessionsOn, type AskedDay } from './day-questions.js';
import { maskDocumentNumber, maskName, type DocumentType } from './identity.js';
import type { ClassDay } from './timetable.js';

/** Where policies come from when a class is activated. */
export interface PolicySource {
  /** The policy of that name, or the site's (null); null when there is none. */
  readonly get: (name: string | null) => Policy | null;
  readonly names: readonly string[];
}

export interface ClassesParts {
  readonly clock: Clock;
  /** Zone of the site: decides "today" and the date of a lookup. */
  readonly zone: Zone;
  readonly policies: PolicySource;
  /** Ids of the terminals of the settings; null: do not check. */
  readonly terminals?: readonly string[] | null;
}

/** A trainee as people read it. Personal data: who shows it answers for it (R70, R92). */
export interface NamedTrainee {
  readonly traineeNo: string;
  readonly name: string;
  readonly maskedName: string;
  readonly documentType: DocumentType;
  readonly documentNumber: string;
  readonly maskedDocumentNumber: string;
}

/** When a date of a class is over. */
export interface DayClosing {
  /** Last moment of the last window; null when the date has no offline session. */
  readonly windowsClosedAt: Instant | null;
  /** `dayClose` of the date. */
  readonly closesAt: Instant;
  /** `dayClose` of the date after: no result stays provisional longer. */
  readonly closesAtLatest: Instant;
  /** Ids of the terminals assigned on the date. */
  readonly terminals: readonly string[];
}

export interface Classes {
  /** What a class file or a draft is judged with today. */
  context(): ClassFileContext;
  /** Checks a class file; faults and notes, nothing written. */
  check(file: string, text: string): ClassFileResult;
  /** Imports a checked definition. Throws `class-…` errors of kind settings; see `importClass`. */
  import(definition: ClassDefinition, by: Omit<ImportBy, 'at'>): ImportOutcome;
  /** `check` and `import` in one; throws `class-file-invalid` with the first fault. */
  importText(file: string, text: string, by: Omit<ImportBy, 'at'>): ImportOutcome;
  /** Drops what is held in memory, after another process has imported. */
  reload(): void;

  all(): readonly ClassRecord[];
  get(classNo: string): ClassRecord | null;
  classesOf(traineeNo: string): readonly string[];
  classDays(classNo: string): readonly ClassDay[];
  /** Trainee numbers enrolled on a date, in the order of the roster. */
  enrolledOn(classNo: string, date: LocalDate): readonly string[];
  /** Whose id this is on that terminal on that date; null: nobody's, or not one person's. */
  traineeFor(terminalId: string, deviceUserId: string, date: LocalDate): string | null;
  /** The same by instant, in the site's zone. */
  match(terminalId: string, deviceUserId: string, at: Instant): string | null;
  /** Days whose credit this punch may change; none for people we do not know. */
  daysTouchedBy(punch: DatedPunch): readonly DayKey[];
  /** All that the rules ask about one day; null when the person is not on the roster of the class. */
  dayQuestion(classNo: string, traineeNo: string, date: LocalDate): AskedDay | null;
  closing(classNo: string, date: LocalDate): DayClosing | null;
  rosterNames(classNo: string): readonly NamedTrainee[];
}

export function openClasses(store: Store, parts: ClassesParts): Classes {
  const { clock, zone, policies } = parts;
  let index = createClassIndex(loadClasses(store));
  let questions = createQuestions(store, index);
  const look = (): void => {
    index = createClassIndex(loadClasses(store));
    questions = createQuestions(store, index);
  };

  const policyFor = (name: string | null, classNo: string): Policy | null => {
    const pinned = index.classes.get(classNo)?.policy;
    // The name of the pinned policy means the pinned content; another name is refused at the import.
    if (pinned !== undefined && (name === null || name === pinned.id)) return pinned;
    return policies.get(name);
  };
  const self: Classes = {
    context: () => ({
      today: instantToDate(clock.now(), zone),
      policy: policyFor,
      policyNames: policies.names,
      terminals: parts.terminals ?? null,
    }),
    check: (file, text) => readClassFile(file, text, self.context()),
    import(definition, by) {
      const policy = policyFor(definition.policy, definition.classNo);
      if (policy === null)
        throw fail('class-no-policy', { classNo: definition.classNo, policy: definition.policy ?? '-' });
      const outcome = importClass(store, index, definition, policy, { ...by, at: clock.now() });
      if (outcome.result !== 'same') look();
      return outcome;
    },
    importText: (file, text, by) => self.import(requireDefinition(self.check(file, text), file), by),
    reload: look,

    all: () => [...index.classes.values()],
    get: (classNo) => index.classes.get(classNo) ?? null,
    classesOf: (traineeNo) => index.membershipsOf(traineeNo).map(({ record }) => record.classNo),
    classDays: (classNo) => index.classes.get(classNo)?.days ?? [],
    enrolledOn(classNo, date) {
      const record = index.classes.get(classNo);
      const enrolled = record?.members.filter(
        (one) => enrolledFrom(record, one) <= date && date <= enrolledTo(record, one),
      );
      return enrolled?.map((one) => one.traineeNo) ?? [];
    },
    traineeFor: (terminalId, deviceUserId, date) => index.traineeFor(terminalId, deviceUserId, date),
    match: (terminalId, deviceUserId, at) => index.traineeFor(terminalId, deviceUserId, instantToDate(at, zone)),
    daysTouchedBy: (punch) => index.daysTouchedBy(punch),
    dayQuestion: (classNo, traineeNo, date) => questions.one(classNo, traineeNo, date),
    closing(classNo, date) {
      const record = index.classes.get(classNo);
      return record ? closingOf(record, date) : null;
    },
    rosterNames: (classNo) => {
      const record = index.classes.get(classNo);
      if (!record) return [];
      return openRoster(store, classNo, record.rosterVersion).map(
        ({ traineeNo, name, documentType, documentNumber }) => ({
          traineeNo,
          name,
          maskedName: maskName(name),
          documentType,
          documentNumber,
          maskedDocumentNumber: maskDocumentNumber(documentNumber),
        }),
      );
    },
  };

  return self;
}

function closingOf(record: ClassRecord, date: LocalDate): DayClosing {
  const { policy } = record;
  const closes = planSessions(sessionsOn(record, date), policy).sessions.map((session) => session.windows.OUT.close);
  const at = (day: LocalDate, time: string): Instant => dateAt(day, time, policy.timezone);
  return {
    // Both ends belong to the window: it is closed when its last minute is over.
    windowsClosedAt: closes.length === 0 ? null : instant(at(date, minuteText(Math.max(...closes))) + 60_000),
    closesAt: at(date, policy.dayClose),
    closesAtLatest: at(addDays(date, 1), policy.dayClose),
    terminals: terminalsOn(record, date),
  };
}
