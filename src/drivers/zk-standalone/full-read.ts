/**
 * One full read of the log as pages, with the live events that arrive meanwhile put between them, and what is known
 * afterwards. The last page carries the count. A new epoch begins when the log is no longer the one that was read before:
 * its counter fell (somebody cleared it), its oldest record is another one (it was cleared and filled again, or its ring has
 * gone round), or its counter stands still while punches happen. Every read is a full one, so nothing is lost by that.
 */
import { createHash } from 'node:crypto';
import type { Cursor, Finding, PunchPage, PunchRecord } from '../driver.js';
import { COMMAND, EVENT_ATTENDANCE } from './codes.js';
import { NO_DATA } from './codec.js';
import { createUserTable, makePunch } from './punches.js';
import { noteMemory, readLog, readSizes, readUsers, slotsText, type LogContext, type LogRead } from './reading.js';
import { decodeEvent, type Attendance } from './records.js';
import { GatewayError } from '../../core/errors.js';

/** What is known of the log between two reads. */
export interface Standing {
  /** The terminal's own counter as last told. */
  counter: number;
  /** Records that the last read gave, or that a comparison has accounted for since. */
  held: number;
  /** Different live punches since then. */
  readonly seen: Set<string>;
  /** The latest punches of any kind, to know an event that is told once more. */
  readonly known: Set<string>;
  epoch: number;
  /** Which record was the oldest at the last read; null: none. */
  first: string | null;
  /** The log forgets an old record for every new one, so its counter tells nothing. */
  ring: boolean;
  /** Monotonic time of the end of the last full read. */
  readTicks: number;
  /** Full reads in a row that gave fewer records than announced. */
  shortReads: number;
  /** Live records with a short id, waiting for the user table. */
  doubtful: Attendance[];
}

const KNOWN_MAX = 4096;

export function standingOf(after: Cursor | null): Standing {
  const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
  const counter = number(after?.count);
  return {
    counter,
    held: counter,
    seen: new Set(),
    known: new Set(),
    epoch: number(after?.epoch),
    first: typeof after?.first === 'string' ? after.first : null,
    ring: after?.ring === true,
    readTicks: 0,
    shortReads: 0,
    doubtful: [],
  };
}

const cursorOf = ({ counter, epoch, first, ring }: Standing, slots: ReadonlyMap<number, string>): Cursor => ({
  ...{ count: counter, epoch, first, ring },
  ...(slots.size === 0 ? {} : { slots: slotsText(slots) }),
});

/** Of the oldest record a cursor holds only a digest. */
const fingerprint = (punch: PunchRecord): string => createHash('sha256').update(punch.raw).digest('hex').slice(0, 16);

function remember(standing: Standing, punches: readonly PunchRecord[]): void {
  for (const punch of punches) standing.known.add(keyOf(punch));
  for (const key of standing.known) {
    if (standing.known.size <= KNOWN_MAX) break;
    standing.known.delete(key);
  }
}
const keyOf = (punch: PunchRecord): string => `${punch.deviceUserId} ${punch.wallTime}`;
export const livePage = (punches: readonly PunchRecord[]): PunchPage => ({
  punches,
  cursor: null,
  drained: false,
  count: null,
});

/** Yields the whole log. Sets `standing` to what the log holds now. `why` tells that it must be another epoch. */
export async function* fullRead(
  context: LogContext,
  standing: Standing,
  why: string | null = null,
): AsyncGenerator<PunchPage, void, undefined> {
  const sizes = await readSizes(context);
  noteMemory(context, sizes);
  const { counter } = standing;
  const fell = sizes.records !== null && sizes.records < counter;
  let begun = fell || why !== null;
  if (fell) standing.ring = false;
  if (begun)
    beginEpoch(standing, why ?? `the log has ${sizes.records} records and had ${counter}`, sizes.records, context.note);
  let first: string | null = null;
  standing.seen.clear();
  await keypad(context, COMMAND.DISABLE);
  // One page is held back, so that the last one can carry the count; two are remembered, to know events again.
  let heldBack: readonly PunchRecord[] = [];
  let before: readonly PunchRecord[] = [];
  let read: LogRead | null = null;
  try {
    const log = readLog(context, sizes);
    while (!read) {
      const step = await log.next();
      if (step.done) read = step.value;
      else {
        const [oldest] = step.value;
        if (first === null && oldest) {
          first = fingerprint(oldest);
          if (!begun && standing.first !== null && standing.first !== first) {
            begun = true;
            beginEpoch(standing, 'the oldest record of the log is another one', sizes.records, context.note);
          }
        }
        if (heldBack.length > 0) yield { punches: heldBack, cursor: null, drained: false, count: null };
        before = heldBack;
        heldBack = step.value;
      }
      const live = livePunches(context, standing);
      if (live.length > 0) yield livePage(live);
    }
  } finally {
    if (!context.signal.aborted) await keypad(context, COMMAND.ENABLE);
  }
  const live = await settledPunches(context, standing);
  if (live.length > 0) yield livePage(live);
  for (const punch of [...before, ...heldBack]) standing.seen.delete(keyOf(punch));
  remember(standing, [...before, ...heldBack]);
  standing.first = first;
  account(standing, sizes.records, read, context.note);
  standing.readTicks = context.clock.ticks();
  yield { punches: heldBack, cursor: cursorOf(standing, context.slots), drained: true, count: read };
}

function account(standing: Standing, counter: number | null, read: LogRead, note: (finding: Finding) => void): void {
  standing.counter = counter ?? read.decoded;
  standing.held = read.decoded;
  standing.shortReads = read.decoded >= read.announced ? 0 : standing.shortReads + 1;
  if (standing.shortReads === 0) return;
  note({
    code: 'count-mismatch',
    text: `the terminal announced ${read.announced} records and ${read.decoded} were read`,
    data: { announced: read.announced, decoded: read.decoded },
  });
}

async function keypad(context: LogContext, command: number): Promise<void> {
  const { conversation, options } = context;
  if (!options.disableWhileReading) return;
  if (command === COMMAND.DISABLE) context.keypadLocked = true;
  await conversation.request(command, NO_DATA, { timeoutMs: options.answerTimeoutMs });
  context.keypadLocked = command === COMMAND.DISABLE;
}

function beginEpoch(standing: Standing, why: string, records: number | null, note: (finding: Finding) => void): void {
  standing.epoch += 1;
  note({
    code: 'epoch-changed',
    text: why,
    data: { before: standing.counter, after: records, epoch: standing.epoch },
  });
}

/**
 * Punches of the live events that have arrived. Events with a short id wait in `standing.doubtful` for the user table;
 * what cannot be read without doubt is left to the next full read, which the counter will ask for.
 */
export function livePunches(context: LogContext, standing: Standing): readonly PunchRecord[] {
  const { conversation, options, note } = context;
  const punches: PunchRecord[] = [];
  for (const event of conversation.takeEvents()) {
    if ((event.session & EVENT_ATTENDANCE) === 0 || !conversation.trusts(event)) continue;
    const records = decodeEvent(event.data, options.encoding);
    if (!records)
      note({ code: 'unknown-layout', text: `an attendance event of ${event.data.length} bytes cannot be read` });
    for (const record of records ?? []) {
      if (record.shortId === null) punches.push(...punchOf(context, standing, record));
      else standing.doubtful.push(record);
    }
  }
  return punches;
}

/** Like `livePunches`, and reads the user table for the doubtful ones. Only between reads: it would end a prepared set. */
export async function settledPunches(context: LogContext, standing: Standing): Promise<readonly PunchRecord[]> {
  const punches = [...livePunches(context, standing)];
  const { doubtful } = standing;
  standing.doubtful = [];
  const unknown = (record: Attendance): boolean =>
    !context.users?.hasId(String(record.shortId)) && context.users?.idOf(record.shortId ?? 0) === undefined;
  if (doubtful.some(unknown)) {
    try {
      await readUsers(context, await readSizes(context));
    } catch (error) {
      // A terminal that does not give its users: the short id is then what the person types.
      if (!(error instanceof GatewayError) || error.code !== 'bad-reply') throw error;
      context.users = createUserTable([]);
    }
  }
  return [...punches, ...doubtful.flatMap((record) => punchOf(context, standing, record))];
}

function punchOf(context: LogContext, standing: Standing, record: Attendance): readonly PunchRecord[] {
  const { users, options } = context;
  const made = makePunch(record, { users, directionMap: options.directionMap, source: 'realtime' });
  // An event that was not acknowledged in time is repeated.
  if (!made || standing.known.has(keyOf(made.punch))) return [];
  standing.seen.add(keyOf(made.punch));
  remember(standing, [made.punch]);
  return [made.punch];
}
