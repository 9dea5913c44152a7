/**
 * `rollcall request makeup|leave|review|approve|reject|withdraw|list`: leave, make-ups and reviews of untimed punches, asked for by one
 * person and decided by another. Writing needs the store for itself, so the daemon must be stopped; `list` looks beside it.
 *
 * Persons are shown by trainee number only. Of evidence the digest is kept and the file is not: the paper stays with the institution.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { loadClasses } from '../classes/class-tables.js';
import { loadRequests, openText, type EvidenceReference, type RequestRow } from '../classes/evidence.js';
import {
  LEAVE_REASONS,
  MAKEUP_REASONS,
  openRequests,
  REVIEW_REASONS,
  type Requests,
  type Verdict,
} from '../classes/requests.js';
import { fail, systemCode } from '../core/errors.js';
import { isoUtc, parseWallTime, systemClock, wallToInstant, type LocalDate, type Zone } from '../core/time.js';
import type { SlotId } from '../rules/day-credit.js';
import type { SessionId } from '../rules/grid.js';
import type { Settings } from '../settings.js';
import { openStore } from '../store/database.js';
import { openReader } from '../store/reader.js';
import type { Store } from '../store/store.js';
import { settingsOf, typedDate, type ReadingOptions } from './class-reading.js';
import { EXIT, type Console } from './console.js';
import { guess } from './options.js';
import { reasonText, requestLine } from './request-words.js';

export interface RequestOptions extends ReadingOptions {
  readonly version: string;
}

/** What a person typed, common to all three. */
export interface AskArguments {
  readonly config: string;
  readonly class: string;
  readonly trainee?: string | undefined;
  readonly date: string;
  readonly reason: string;
  readonly text?: string | undefined;
  /** Files whose digests are kept. */
  readonly evidence: readonly string[];
  readonly frame: readonly string[];
  readonly by: string;
}

export interface MakeupArguments extends AskArguments {
  readonly slot: string;
  readonly allMissing?: boolean | undefined;
  readonly except: readonly string[];
}

export interface LeaveArguments extends AskArguments {
  readonly session?: string | undefined;
}

export interface ReviewArguments extends AskArguments {
  readonly punch: number;
  /** `HH:mm` or `HH:mm:ss` on the date, in the zone of the class's policy. */
  readonly time: string;
}

const SLOTS: readonly SlotId[] = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'];
const SESSIONS: readonly SessionId[] = ['AM', 'PM'];
const EVIDENCE_SIZE_BYTES_MAX = 64 * 1024 * 1024;

export function runRequestMakeup(args: MakeupArguments, options: RequestOptions, io: Console): number {
  const { allMissing = false } = args;
  if (allMissing === (args.trainee !== undefined))
    throw fail('bad-argument', {
      argument: '--trainee',
      reason: 'name one trainee, or use --all-missing',
      reasonZh: '请指定一名学员，或使用 --all-missing',
    });
  const ask = {
    ...common(args),
    slot: oneOf('--slot', args.slot, SLOTS),
    reason: oneOf('--reason', args.reason, MAKEUP_REASONS),
  };
  return askWith(args.config, options, io, (requests) =>
    allMissing
      ? requests.makeupForMissing({ ...ask, except: args.except })
      : [requests.makeup({ ...ask, traineeNo: args.trainee ?? '' })],
  );
}

export function runRequestLeave(args: LeaveArguments, options: RequestOptions, io: Console): number {
  const ask = {
    ...common(args),
    traineeNo: traineeOf(args),
    session: args.session === undefined ? null : oneOf('--session', args.session, SESSIONS),
    reason: oneOf('--reason', args.reason, LEAVE_REASONS),
  };
  return askWith(args.config, options, io, (requests) => requests.leave(ask));
}

export function runRequestReview(args: ReviewArguments, options: RequestOptions, io: Console): number {
  const base = common(args);
  const reason = oneOf('--reason', args.reason, REVIEW_REASONS);
  return askWith(args.config, options, io, (requests, zone) => {
    const effective = instantOf(base.date, args.time, zone(args.class));
    return [requests.review({ ...base, traineeNo: traineeOf(args), punch: args.punch, effective, reason })];
  });
}

export interface DecideArguments {
  readonly config: string;
  readonly ids: readonly string[];
  readonly verdict: Verdict;
  readonly by: string;
  readonly text?: string | undefined;
}

/** All of them or none. */
export function runRequestDecide(args: DecideArguments, options: RequestOptions, io: Console): number {
  return withRequests(args.config, options, io, (requests) => {
    const rows = requests.decide(args.ids, args.verdict, args.by, args.text);
    show(rows, io);
    const count = rows.length;
    if (args.verdict === 'approved')
      io.err(
        `已批准 ${count} 个申请；网关启动后重新计算。 Approved: ${count}; credit is computed when the gateway runs again.`,
      );
    else io.err(`已处理 ${count} 个申请。 Decided: ${count}.`);
  });
}

export interface ListArguments {
  readonly config: string;
  readonly class?: string | undefined;
  readonly open?: boolean | undefined;
  /** Shows what people wrote, which may name persons. */
  readonly texts?: boolean | undefined;
}

export function runRequestList(args: ListArguments, options: RequestOptions, io: Console): number {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const now = (options.clock ?? systemClock()).now();
  using reader = openReader(settings.dataDir, { now, credentialsDir: options.env.CREDENTIALS_DIRECTORY });
  const all = reader === null ? [] : loadRequests(reader, args.class ?? null);
  const rows = args.open === true ? all.filter((row) => row.state === 'open') : all;
  const vault = reader?.vault ?? null;
  const texts = args.texts === true && reader !== null && vault !== null ? { db: reader.db, vault } : null;
  if (args.texts === true && vault === null && rows.length > 0)
    io.err('文字说明已加密，此处没有密钥。 Texts are sealed and the key is not here.');
  show(rows, io, (row, table) => (texts === null ? null : openText(texts, table, row.id)));
  if (rows.length === 0) io.err('没有申请。 No requests.');
  return EXIT.good;
}

function askWith(
  config: string,
  options: RequestOptions,
  io: Console,
  work: (requests: Requests, zone: (classNo: string) => Zone) => readonly RequestRow[],
): number {
  return withRequests(config, options, io, (requests, store, settings) => {
    const zone = (classNo: string): Zone =>
      loadClasses(store).find((one) => one.classNo === classNo)?.policy.timezone ?? settings.site.timeZone;
    const rows = work(requests, zone);
    show(rows, io);
    const count = rows.length;
    if (count === 0) io.err('没有需要申请的学员。 Nobody is left to ask for.');
    else
      io.err(
        `已提出 ${count} 个申请；须由另一人批准：rollcall request approve。 Requested: ${count}; another person must approve.`,
      );
  });
}

function withRequests(
  config: string,
  options: RequestOptions,
  io: Console,
  work: (requests: Requests, store: Store, settings: Settings) => void,
): number {
  const settings = settingsOf(config, options, io);
  if (settings === null) return EXIT.usage;
  const clock = options.clock ?? systemClock(() => false);
  using store = openStore({ dir: settings.dataDir, clock, software: options.version });
  work(openRequests(store, { clock }), store, settings);
  return EXIT.good;
}

interface CommonAsk {
  readonly classNo: string;
  readonly date: LocalDate;
  readonly text?: string | undefined;
  readonly evidence: readonly EvidenceReference[];
  readonly requestedBy: string;
}

function common(args: AskArguments): CommonAsk {
  const date = typedDate('--date', args.date);
  const evidence = [
    ...args.evidence.map((file) => ({ kind: 'document' as const, sha256: digestOf(file) })),
    ...args.frame.map((file) => ({ kind: 'frame' as const, sha256: digestOf(file) })),
  ];
  return { classNo: args.class, date: date ?? ('' as LocalDate), text: args.text, evidence, requestedBy: args.by };
}

function traineeOf(args: AskArguments): string {
  if (args.trainee !== undefined) return args.trainee;
  throw fail('bad-argument', { argument: '--trainee', reason: 'name a trainee', reasonZh: '请指定学员编号' });
}

function oneOf<T extends string>(option: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one.toLowerCase() === word.toLowerCase());
  if (found !== undefined) return found;
  throw fail('bad-argument', { argument: `${option} ${word}`, ...guess(word, known) });
}

function instantOf(date: LocalDate, time: string, zone: Zone): ReturnType<typeof checkedInstant> {
  const text = /^\d{2}:\d{2}$/.test(time) ? `${time}:00` : time;
  return checkedInstant(`${date} ${text}`, time, zone);
}

function checkedInstant(text: string, typed: string, zone: Zone): NonNullable<ReturnType<typeof wallToInstant>> {
  const wall = parseWallTime(text);
  const at = wall === null ? null : wallToInstant(wall, zone);
  if (at !== null) return at;
  throw fail('bad-argument', {
    argument: `--time ${typed}`,
    reason: 'write HH:mm or HH:mm:ss, a time that exists',
    reasonZh: '请写成存在的时间 HH:mm 或 HH:mm:ss',
  });
}

function digestOf(file: string): string {
  const unreadable = (reason: string, cause?: unknown): Error => fail('file-unreadable', { file, reason }, cause);
  try {
    if (statSync(file).size > EVIDENCE_SIZE_BYTES_MAX) throw unreadable('larger than 64 MiB');
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch (error) {
    const reason = systemCode(error);
    throw reason === undefined ? error : unreadable(reason, error);
  }
}

type TextOf = (row: RequestRow, table: 'class_request' | 'class_decision') => string | null;

function show(rows: readonly RequestRow[], io: Console, textOf?: TextOf): void {
  for (const row of rows) {
    const texts = textOf
      ? { text: textOf(row, 'class_request'), decisionText: textOf(row, 'class_decision') }
      : { text: null, decisionText: null };
    if (io.json) io.out(JSON.stringify(jsonOf(row, textOf ? texts : {})));
    else {
      io.out(requestLine(row));
      for (const text of [texts.text, texts.decisionText]) if (text !== null) io.out(`    ${text}`);
    }
  }
}

function jsonOf(row: RequestRow, texts: object): object {
  const { requestedAt, decidedAt, effective, ...rest } = row;
  return {
    ...rest,
    ...reasonText(row),
    effective: effective === null ? null : isoUtc(effective),
    requestedAt: isoUtc(requestedAt),
    decidedAt: decidedAt === null ? null : isoUtc(decidedAt),
    ...texts,
  };
}
