/**
 * `rollcall import online FILE --class NO --origin NAME --config FILE`: hours that an online platform recorded, from its table (CSV or
 * XLSX), into the class (R48). Every fault of the file is told by row; nothing is imported while there is one.
 *
 * Writing needs the store for itself, so the daemon must be stopped; `--dry-run` looks beside it, and finds people by their documents
 * only where the key is within reach. No name and no document number is printed.
 */
import { basename } from 'node:path';
import { createClassIndex } from '../classes/class-index.js';
import { documentIndex, loadClasses, type ClassRecord } from '../classes/class-tables.js';
import { importOnline, onlineFaults, planOnline, type OnlineOutcome } from '../classes/online-hours.js';
import { sheetFaultLine, type SheetFault } from '../classes/sheet-faults.js';
import { parseOnlineSheet, type OnlineSheet, type OnlineSheetOptions } from '../classes/sheet-online.js';
import { fail } from '../core/errors.js';
import { systemClock } from '../core/time.js';
import { readSheet } from '../sheets/read-sheet.js';
import { openStore } from '../store/database.js';
import { openReader } from '../store/reader.js';
import type { Db, Vault } from '../store/store.js';
import { settingsOf } from './class-reading.js';
import { EXIT, type Console } from './console.js';
import type { RequestOptions } from './request.js';

export interface ImportOnlineArguments {
  readonly file: string;
  readonly config: string;
  readonly class: string;
  /** Online platform that made the file. */
  readonly origin: string;
  /** `field=COLUMN` or `field=HEADER`. */
  readonly map: readonly string[];
  readonly sheet?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly by: string;
}

/** Exit code 0 when the records are in the class, 2 when file or settings have faults. Throws GatewayError for the rest. */
export async function runImportOnline(
  args: ImportOnlineArguments,
  options: RequestOptions,
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const clock = options.clock ?? systemClock(() => false);
  const mapping = mappingOf(args.map);
  // The reader's thread has a deadline of real time, whatever the business clock is.
  const sheet = await readSheet(args.file, { sheet: args.sheet, signal, clock: systemClock() });
  const where = { dir: settings.dataDir, clock, software: options.version };
  using store = args.dryRun === true ? null : openStore(where);
  using reader =
    store === null
      ? openReader(settings.dataDir, { now: clock.now(), credentialsDir: options.env.CREDENTIALS_DIRECTORY })
      : null;
  const source = store ?? reader;
  const record = source === null ? undefined : createClassIndex(loadClasses(source)).classes.get(args.class);
  if (!source || !record) throw fail('request-class', { classNo: args.class });
  const parsed = parseOnlineSheet(sheet, {
    trainees: new Set(record.members.map((one) => one.traineeNo)),
    mapping,
    personByDocument: byDocument(source, record),
  });
  tellSheet(parsed, io);
  const errors = parsed.faults.filter((fault) => fault.severity === 'error').length;
  const rows = errors > 0 ? [] : onlineFaults(record, parsed.records, clock.now());
  for (const { row, zh, en } of rows) {
    if (io.json) io.out(JSON.stringify({ severity: 'error', row, zh, en }));
    io.err(`第 ${row} 行：${zh} / row ${row}: ${en}`);
  }
  if (errors + rows.length > 0) return refused(args.file, errors + rows.length, io);
  const file = {
    ...{ classNo: args.class, sha256: sheet.sha256, source: basename(args.file), origin: args.origin },
    ...{ rows: parsed.records, importedBy: args.by },
  };
  const outcome = store === null ? planOnline(source, file, clock.now()) : importOnline(store, file, { clock });
  if (io.json) io.out(JSON.stringify({ ok: true, ...outcome }));
  else for (const line of outcomeLines(outcome)) io.out(line);
  return EXIT.good;
}

/** Finds people of this class by the keyed digest of their document: no document number is opened. */
function byDocument(
  { db, vault }: { readonly db: Db; readonly vault: Vault | null },
  record: ClassRecord,
): OnlineSheetOptions['personByDocument'] {
  if (vault === null) return undefined;
  const find = db.prepare<[string, string, number], { trainee_no: string }>(
    'SELECT trainee_no FROM class_trainee WHERE document_index = ? AND class_no = ? AND version = ?',
  );
  return (type, number) =>
    find.get(documentIndex({ vault }, type, number), record.classNo, record.rosterVersion)?.trainee_no ?? null;
}

function mappingOf(map: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    map.map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw fail('bad-argument', {
          argument: `--map ${text}`,
          reason: 'write field=column',
          reasonZh: '请写成 字段=列',
        });
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    }),
  );
}

function tellSheet({ faults, notes }: OnlineSheet, io: Console): void {
  for (const fault of [...notes, ...faults]) tellFault(fault, io);
}

function tellFault(fault: SheetFault, io: Console): void {
  if (io.json) io.out(JSON.stringify(fault));
  const word = fault.severity === 'error' ? '错误 error' : '注意 note';
  io.err(`${word} ${sheetFaultLine(fault, 'zh')}${fault.severity === 'error' ? fault.remedyZh : ''}`);
  io.err(`  ${sheetFaultLine(fault, 'en')}${fault.severity === 'error' ? ` ${fault.remedyEn}` : ''}`);
}

function refused(file: string, errors: number, io: Console): number {
  if (io.json) io.out(JSON.stringify({ ok: false, file, errors }));
  io.err(`${file}: 未导入，错误 ${errors} 处 / nothing imported, errors: ${errors}`);
  return EXIT.usage;
}

const RESULT = {
  imported: '已导入；课时在网关启动后重新计算 / imported; credit is computed when the gateway runs again',
  same: '该文件已导入过，无变化 / imported before, nothing changed',
  checked: '可以导入，未写入 / can be imported, nothing was written',
} as const;

function outcomeLines(outcome: OnlineOutcome): readonly string[] {
  const { classNo, result, records, trainees, minutes, replaced, repeated, overwritten } = outcome;
  return [
    `${classNo}: ${RESULT[result]}`,
    `  记录 records ${records} · 学员 trainees ${trainees} · 分钟 minutes ${minutes}`,
    ...(replaced === 0 ? [] : [`  ~ 更改以前的记录 earlier records changed: ${replaced}`]),
    ...(repeated === 0 ? [] : [`  = 与以前相同 as before: ${repeated}`]),
    ...(overwritten === 0
      ? []
      : [`  ! 文件内重复，只计后一行 repeated within the file, the later row counts: ${overwritten}`]),
  ];
}
