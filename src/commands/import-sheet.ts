/**
 * `rollcall import roster FILE` and `rollcall import timetable FILE`: a table that a person made (XLSX, or CSV in UTF-8 or
 * GB18030) into a draft, or into an active class as a new version (R2, R102). The difference is shown before anything is
 * written; with `--dry-run` nothing is. Every fault names row and column and quotes no cell.
 */
import { basename } from 'node:path';
import type { Change, Teacher } from '../classes/class-file.js';
import type { ImportBy } from '../classes/class-import.js';
import { openTeachers } from '../classes/class-tables.js';
import type { Classes } from '../classes/classes.js';
import {
  importRoster,
  importTimetable,
  targetOf,
  type CorrectionBy,
  type PartOutcome,
  type Target,
} from '../classes/part-import.js';
import type { ColumnMapping } from '../classes/sheet-columns.js';
import { sheetFaultLine, type SheetFault } from '../classes/sheet-faults.js';
import { parseRosterSheet } from '../classes/sheet-roster.js';
import { parseTimetableSheet } from '../classes/sheet-timetable.js';
import type { ClassDay } from '../classes/timetable.js';
import { fail } from '../core/errors.js';
import { systemClock, type LocalDate } from '../core/time.js';
import { readSheet } from '../sheets/read-sheet.js';
import type { Sheet } from '../sheets/sheet.js';
import type { Store } from '../store/store.js';
import {
  openDesk,
  personOf,
  refuse,
  together,
  withStore,
  wordsOf,
  type ClassDesk,
  type ClassOptions,
} from './class-desk.js';
import { holidaysAmong } from './class-words.js';
import { EXIT, type Console } from './console.js';
import { tellDraft, tellImport } from './import-class.js';

export interface SheetFlags {
  readonly class: string;
  readonly config: string;
  readonly map: readonly string[];
  readonly sheet?: string;
  readonly dryRun: boolean;
  readonly by?: string;
}

export interface RosterFlags extends SheetFlags {
  readonly correctionReason?: string;
  readonly requestedBy?: string;
  readonly approvedBy?: string;
}

export interface TimetableFlags extends SheetFlags {
  readonly reason?: string;
  readonly approvedBy?: string;
}

/** No bound is known yet: the draft says later when its class begins and ends. */
const EVER = { from: '0001-01-01' as LocalDate, to: '9999-12-31' as LocalDate };

export async function runImportRoster(
  file: string,
  flags: RosterFlags,
  options: ClassOptions,
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const desk = openDesk(flags.config, options, io);
  if (desk === null) return EXIT.usage;
  const correction = correctionOf(flags);
  return withSheet(file, flags, desk, io, signal, ({ store, classes, target, sheet, mapping, by }) => {
    const { record, draft } = target;
    const from = record?.from ?? draft?.content.period?.from;
    const to = record?.to ?? draft?.content.period?.to;
    const teachers = teachersOf(store, target);
    const { entries, faults, notes } = parseRosterSheet(sheet, { today: desk.today, mapping, from, to, teachers });
    return {
      faults,
      notes,
      apply: () => importRoster(store, classes, target, entries, { ...by, correction }),
    };
  });
}

export async function runImportTimetable(
  file: string,
  flags: TimetableFlags,
  options: ClassOptions,
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const desk = openDesk(flags.config, options, io);
  if (desk === null) return EXIT.usage;
  const change = changeOf(flags);
  return withSheet(file, flags, desk, io, signal, ({ store, classes, target, sheet, mapping, by }) => {
    const { record, draft } = target;
    const context = classes.context();
    const asked = draft?.content.policy ?? null;
    const policy = record?.policy ?? context.policy(asked, flags.class);
    if (policy === null) throw fail('class-no-policy', { classNo: flags.class, policy: asked ?? '-' });
    const { days, faults, notes } = parseTimetableSheet(sheet, {
      policy,
      mapping,
      period: record ?? draft.content.period ?? EVER,
      teachers: teachersOf(store, target),
      plannedHours: record === null ? draft.content.plannedHours : record.plannedHours,
    });
    return { faults, notes, days, apply: () => importTimetable(store, classes, target, days, { ...by, change }) };
  });
}

interface Work {
  readonly store: Store;
  readonly classes: Classes;
  readonly target: Target;
  readonly sheet: Sheet;
  readonly mapping: ColumnMapping;
  readonly by: ImportBy;
}

interface Parsed {
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
  /** Of a timetable. */
  readonly days?: readonly ClassDay[];
  readonly apply: () => PartOutcome;
}

/** Reads the table before the store is opened, so that a wrong file costs no wait. */
async function withSheet(
  file: string,
  flags: SheetFlags,
  desk: ClassDesk,
  io: Console,
  signal: AbortSignal,
  parse: (work: Work) => Parsed,
): Promise<number> {
  const mapping = mappingOf(flags.map);
  const importedBy = personOf('--by', flags.by ?? 'cli');
  const sheet = await readSheet(file, { sheet: flags.sheet, signal, clock: systemClock() });
  return withStore(desk, (store, classes) => {
    const target = targetOf(store, classes, flags.class);
    const by = { source: basename(file), importedBy, at: desk.clock.now(), dryRun: flags.dryRun };
    const { faults, notes, days = [], apply } = parse({ store, classes, target, sheet, mapping, by });
    for (const note of notes) tellFault(note, '注意 note', io);
    if (faults.length > 0) return refuseSheet(file, faults, io);
    const done = apply();
    if (done.kind === 'refused') return refuse(file, done.faults, io);
    const told = { notes: done.notes, holidays: holidaysAmong(days, desk.calendar) };
    return done.kind === 'class'
      ? tellImport(done.outcome, told, flags.dryRun, io)
      : tellDraft(done.outcome, told, flags.dryRun, io);
  });
}

function tellFault(fault: SheetFault, word: string, io: Console): void {
  io.err(`${word} ${fault.code} ${sheetFaultLine(fault, 'zh')} / ${sheetFaultLine(fault, 'en')}`);
  if (fault.severity === 'error') io.err(`  ${fault.remedyZh} / ${fault.remedyEn}`);
}

function refuseSheet(file: string, faults: readonly SheetFault[], io: Console): number {
  for (const fault of faults) {
    if (io.json) io.out(JSON.stringify(fault));
    tellFault(fault, '错误 error', io);
  }
  if (io.json) io.out(JSON.stringify({ ok: false, file, errors: faults.length }));
  io.err(`${file}: 未导入，错误 ${faults.length} 处 / nothing imported, errors: ${faults.length}`);
  return EXIT.usage;
}

/** Teachers of the class or draft, as far as there are any. */
function teachersOf(
  store: Store,
  { record, draft }: Target,
): readonly Pick<Teacher, 'teacherNo' | 'name' | 'deviceUserId'>[] {
  if (record !== null) return openTeachers(store, record.classNo, record.rosterVersion);
  return (draft.content.teachers ?? []).map(({ teacherNo, name, deviceUserId = teacherNo }) => ({
    ...{ teacherNo, name, deviceUserId },
  }));
}

/** `姓名=B` or `name=学员姓名`. */
function mappingOf(maps: readonly string[]): ColumnMapping {
  return Object.fromEntries(
    maps.map((text) => {
      const at = text.indexOf('=');
      if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
      throw fail('bad-argument', {
        argument: `--map ${text}`,
        reason: 'write field=column, such as name=B',
        reasonZh: '请写成 字段=列，例如 姓名=B',
      });
    }),
  );
}

function correctionOf({ correctionReason, requestedBy, approvedBy }: RosterFlags): CorrectionBy | null {
  const given = { '--correction-reason': correctionReason, '--requested-by': requestedBy, '--approved-by': approvedBy };
  if (!together(given)) return null;
  return {
    reason: wordsOf('--correction-reason', correctionReason ?? ''),
    requestedBy: personOf('--requested-by', requestedBy ?? ''),
    approvedBy: personOf('--approved-by', approvedBy ?? ''),
  };
}

function changeOf({ reason, by, approvedBy }: TimetableFlags): Change | null {
  if (reason === undefined) return null;
  together({ '--reason': reason, '--by': by });
  return {
    reason: wordsOf('--reason', reason),
    by: personOf('--by', by ?? ''),
    approvedBy: approvedBy === undefined ? null : personOf('--approved-by', approvedBy),
  };
}
