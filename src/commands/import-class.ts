/**
 * `rollcall import class FILE --config FILE`: checks a class file and imports it, printing every fault, or what the import
 * changed. A whole class with its approval becomes active; an incomplete one, or one that nobody has approved, becomes or changes a
 * draft, and what is missing is listed. Nothing is written when there is a single fault. No name and no document number is printed.
 *
 * Only one process may write the data directory (D3): while the daemon runs, the file is still checked, and the import is refused
 * with `store-locked` and its remedy.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Classes, PolicySource } from '../classes/classes.js';
import { readClassParts } from '../classes/class-file.js';
import type { ImportOutcome } from '../classes/class-import.js';
import { openDraft, saveDraft, type DraftOutcome } from '../classes/drafts.js';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import type { ClassDay } from '../classes/timetable.js';
import type { FileFault } from '../core/faults.js';
import type { Instant } from '../core/time.js';
import type { Calendar } from '../rules/calendar.js';
import type { Store } from '../store/store.js';
import { faultLines } from './check-config.js';
import { openDesk, personOf, refuse, withStore, type ClassOptions } from './class-desk.js';
import { draftLines, holidayLines, holidaysAmong, outcomeLines, type HolidayLesson } from './class-words.js';
import { EXIT, type Console } from './console.js';

export interface ImportClassOptions extends ClassOptions {
  /** Who imports; `cli` when not told. */
  readonly by?: string;
  /** Only tell what would change. */
  readonly dryRun?: boolean;
}

const FILE_SIZE_BYTES_MAX = 1024 * 1024;

/** Exit code 0 when the class or draft is as the file says, 2 when file or settings have faults. Throws GatewayError for the rest. */
export async function runImportClass(
  file: string,
  configFile: string,
  options: ImportClassOptions,
  io: Console,
): Promise<number> {
  const desk = openDesk(configFile, options, io);
  if (desk === null) return EXIT.usage;
  const by = personOf('--by', options.by ?? 'cli');
  const text = readText(file);
  const { policies, terminals, today } = desk;
  const context = { today, policy: usablePolicy(policies), policyNames: policies.names, terminals };
  const early = readClassParts(file, text, context, null);
  // A class that is already active keeps an older policy, so this early look may not refuse what only the store can decide.
  const isSure = early.faults.every((fault) => fault.code !== 'not-one-of' && !fault.path.startsWith('timetable'));
  if (early.faults.length > 0 && isSure) return refuse(file, early.faults, io);
  return withStore(desk, (store, classes) => {
    const { calendar, clock } = desk;
    const work = { file, text, by: { source: basename(file), importedBy: by, dryRun: options.dryRun === true } };
    return importWith(store, classes, { ...work, calendar, at: clock.now() }, io);
  });
}

/** For the early look: a layer that may not be used is as good as unknown, and whether it is needed the store decides. */
function usablePolicy({ get }: PolicySource): PolicySource['get'] {
  return (name) => {
    try {
      return get(name);
    } catch (error) {
      if (error instanceof GatewayError) return null;
      throw error;
    }
  };
}

interface Work {
  readonly file: string;
  readonly text: string;
  readonly by: { readonly source: string; readonly importedBy: string; readonly dryRun: boolean };
  readonly calendar: Calendar;
  readonly at: Instant;
}

function importWith(store: Store, classes: Classes, { file, text, by, calendar, at }: Work, io: Console): number {
  const toldOf = (notes: readonly FileFault[], days: readonly ClassDay[]): Told => ({
    notes,
    holidays: holidaysAmong(days, calendar),
  });
  const alone = readClassParts(file, text, classes.context(), null);
  if (alone.content === null) return refuse(file, alone.faults, io);
  const classNo = alone.content.cityClassNo;
  if (classes.get(classNo) !== null) {
    const { definition, faults, notes } = classes.check(file, text);
    if (definition === null) return refuse(file, faults, io);
    return tellImport(classes.import(definition, by), toldOf(notes, definition.days), by.dryRun, io);
  }
  const draft = openDraft(store, classNo);
  const merged = readClassParts(file, text, classes.context(), draft?.content ?? null);
  const { content, definition, sketch, faults, notes } = merged;
  if (content === null || sketch === null) return refuse(file, faults, io);
  const told = toldOf(notes, sketch.days);
  if (!alone.isWhole || definition === null)
    return tellDraft(saveDraft(store, content, classes.context(), { ...by, at }), told, by.dryRun, io);
  const known = draft === null ? {} : { draft: { version: draft.version, hash: draft.hash } };
  return tellImport(classes.import(definition, { ...by, ...known }), told, by.dryRun, io);
}

/** What is only worth knowing. */
export interface Told {
  readonly notes: readonly FileFault[];
  readonly holidays: readonly HolidayLesson[];
}

/** Prints what became of an active class. */
export function tellImport(outcome: ImportOutcome, told: Told, dryRun: boolean, io: Console): number {
  tellNotes(told, io);
  for (const note of outcome.notes) {
    const where = `${note.traineeNo} ${note.code} (${note.otherClassNo})`;
    io.err(`注意 note ${where}: ${note.zh} / ${note.en}`);
  }
  if (io.json) io.out(JSON.stringify({ ok: true, ...(dryRun ? { dryRun } : {}), ...outcome, holidays: told.holidays }));
  else for (const line of outcomeLines(outcome, dryRun)) io.out(line);
  return EXIT.good;
}

/** Prints what became of a draft. */
export function tellDraft(outcome: DraftOutcome, told: Told, dryRun: boolean, io: Console): number {
  tellNotes(told, io);
  if (io.json) io.out(JSON.stringify({ ok: true, ...(dryRun ? { dryRun } : {}), ...outcome, holidays: told.holidays }));
  else for (const line of draftLines(outcome, dryRun)) io.out(line);
  if (outcome.state === 'ready')
    io.err(
      `资料已齐，可以启用：rollcall class activate ${outcome.classNo} --approval 文号 --by 编号 / complete; it can be activated`,
    );
  return EXIT.good;
}

function tellNotes({ notes, holidays }: Told, io: Console): void {
  for (const note of notes) for (const line of faultLines(note, null)) io.err(line);
  for (const line of holidayLines(holidays)) io.err(line);
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > FILE_SIZE_BYTES_MAX) throw new RangeError('larger than 1 MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const reason = systemCode(error) ?? (error instanceof RangeError ? error.message : 'not UTF-8');
    throw fail('class-file-unreadable', { file, reason });
  }
}
