/**
 * One conversation with one terminal: who it is, its clock, its records. Reading is at-least-once: the "new" flags are
 * cleared (0x4E type 2, exact number) only in `confirm` of the last page of a complete read, so a crash before it
 * brings the same records again. Once a day everything is read, because another program may have consumed the flags;
 * sooner when the counters say so: fewer records than before (somebody erased them), or more grew than are new.
 *
 *   3C ─> announced      40 [start] ─> page, 40 [next] ─> page … short page      ═ stored ═>      4E [2, number]
 *   corrupt or lost page: 40 [0x10] up to 3 times, then from the start; pages already given are not given twice
 *
 * It never erases a record, never reads a template, and sets of the terminal's settings only the real-time mode.
 */
import { fail } from '../../core/errors.js';
import type { WallTime } from '../../core/time.js';
import type { Wire } from '../driver.js';
import type { Cursor, PageOptions, PunchPage, PunchRecord, TerminalIdentity, TerminalSession } from '../driver.js';
import { isCall } from './called.js';
import {
  clearNewRequest,
  COMMAND,
  decodeAscii,
  decodeCapacity,
  decodeClock,
  decodeCounters,
  decodeRealTime,
  encodeClock,
  realTimeRequest,
  wallToSeconds,
} from './codec.js';
import type { AnvizRecord, Capacity, Counters, Epoch } from './codec.js';
import { isSilence, type Conversation, type LiveRecord } from './conversation.js';
import { createDownload } from './download.js';
import type { AnvizOptions } from './options.js';
import { punchOf } from './punch.js';
import { createStaff } from './staff.js';
import type { AnvizUser } from './users.js';

export interface AnvizSession extends TerminalSession {
  /** Everybody the terminal knows. Names and cards are for the caller, never for logs. */
  readUsers(): Promise<readonly AnvizUser[]>;
}

const HOUR_MS = 3_600_000;
const LISTEN_MS = 250;
const DAY_SECONDS = 86_400;
/** A live record arrives at once; whoever differs by a day, give or take this, counts from another day. */
const EPOCH_TOLERANCE_SECONDS = 10;
/** Ahead of its own clock by more than this, a record was not made with that clock. */
const FUTURE_SECONDS = 600;
/** Of the memory for records; from here on somebody should know. */
const MEMORY_LOW = 0.9;
/** Live records whose distance from the clock tells nothing, before no more are compared. */
const EPOCH_TRIES = 5;

export function createSession(conversation: Conversation, options: AnvizOptions, wire: Wire): AnvizSession {
  const download = createDownload(conversation, options, wire);
  /** Flags to clear when the page that ended a read is confirmed. */
  const clearable = new WeakMap<PunchPage, number>();
  const staff = createStaff(conversation, options, wire);
  /** A terminal that dialled us stays on the line; one that we visit is left when it is read. */
  const isHeld = isCall(wire);
  let epochTries = 0;
  let futureTold = false;
  /** The terminal's clock as last read, in seconds of its epoch. */
  let shown: { readonly seconds: number; readonly ticks: number } | null = null;
  let realTimePrepared = false;

  const counters = async (): Promise<Counters> => decodeCounters(await conversation.request(COMMAND.counters));

  const readClock = async (): Promise<WallTime> => {
    const wall = decodeClock(await conversation.request(COMMAND.clock));
    const seconds = wallToSeconds(wall, options.epoch);
    shown = seconds === null ? null : { seconds, ticks: wire.clock.ticks() };
    return wall;
  };

  const identify = async (): Promise<TerminalIdentity> => {
    const told = await conversation.ask(COMMAND.serial);
    if (told.ret === 0x01) await refuseSilently();
    const serial = decodeAscii(told.data);
    if (told.ret !== 0 || serial === '') {
      throw fail('bad-reply', {
        request: 'serial',
        reason: 'the terminal tells no serial number',
        reasonZh: '考勤机没有给出序列号',
      });
    }
    const model = await conversation.tryRequest(COMMAND.model);
    const config = await conversation.tryRequest(COMMAND.config1);
    const address = await conversation.tryRequest(COMMAND.address);
    const counts = await conversation.tryRequest(COMMAND.counters);
    const fill = counts ? decodeCounters(counts) : null;
    const capacity = await readCapacity();
    if (fill && capacity) noteMemory(fill.records, capacity.records);
    return {
      serial,
      model: model ? decodeAscii(model) || null : null,
      firmware: config ? decodeAscii(config.subarray(0, 8)) || null : null,
      details: {
        ...(address?.length === 4 ? { address: new DataView(address.buffer, address.byteOffset).getUint32(0) } : {}),
        ...(fill ? { users: fill.users, records: fill.records, newRecords: fill.newRecords } : {}),
        ...(capacity ? { userCapacity: capacity.users, recordCapacity: capacity.records } : {}),
      },
    };
  };

  const readCapacity = async (): Promise<Capacity | null> => {
    const told = await conversation.tryRequest(COMMAND.capacity);
    return told && told.length >= 9 ? decodeCapacity(told) : null;
  };

  const noteMemory = (records: number, capacity: number): void => {
    if (capacity === 0 || records < capacity * MEMORY_LOW) return;
    wire.note({
      code: 'memory-low',
      text: `The terminal holds ${records} of ${capacity} records`,
      data: { records, capacity },
    });
  };

  /** RET 01 to everything means: authenticate first. RET 01 to this command alone means: unknown here. */
  const refuseSilently = async (): Promise<void> => {
    if ((await conversation.ask(COMMAND.clock)).ret === 0x01) throw fail('auth-refused');
  };

  /** On a bus nobody may talk unasked; where live records are wanted they must be on; else it is the owner's business. */
  const prepareRealTime = async (): Promise<void> => {
    if (realTimePrepared) return;
    realTimePrepared = true;
    if (!options.realTime && options.address === 0) return;
    const config = await conversation.tryRequest(COMMAND.config2);
    const mode = config ? decodeRealTime(config) : null;
    if (mode === null || mode === options.realTime) return;
    const done = await conversation.tryRequest(COMMAND.setConfig2, realTimeRequest(options.realTime));
    wire.note({
      code: 'odd',
      text: `The terminal's real-time mode ${done ? 'was' : 'could not be'} switched ${options.realTime ? 'on' : 'off'}`,
    });
  };

  /** The first live records of a session tell whether the terminal counts from the day we believe. */
  const checkEpoch = async ({ record, ticks }: LiveRecord): Promise<void> => {
    if (epochTries >= EPOCH_TRIES) return;
    epochTries += 1;
    await readClock();
    if (shown === null) return;
    const elapsed = (shown.ticks - ticks) / 1000;
    const difference = record.seconds - (shown.seconds - elapsed);
    const other: Epoch = options.epoch === '2000-01-02' ? '2000-01-01' : '2000-01-02';
    const expected = other === '2000-01-01' ? DAY_SECONDS : -DAY_SECONDS;
    if (Math.abs(difference) <= EPOCH_TOLERANCE_SECONDS) epochTries = EPOCH_TRIES;
    if (Math.abs(difference - expected) > EPOCH_TOLERANCE_SECONDS) return;
    wire.note({
      code: 'epoch-changed',
      text: `A live record differs from the terminal's clock by one day: it counts from ${other}`,
      data: { configured: options.epoch, suggested: other },
    });
    throw fail('wrong-epoch', { configured: options.epoch, suggested: other });
  };

  const livePage = async (): Promise<PunchPage | null> => {
    const live = conversation.takeLive();
    const [first] = live;
    if (!first) return null;
    await checkEpoch(first);
    const punches = live.map(({ record }) => punchOf(record, options, 'realtime'));
    return { punches, cursor: null, drained: false, count: null };
  };

  /** Whether everything is to be read: it is time, the log was erased, or another program has taken "new" flags. */
  const fullReadDue = (after: Cursor | null, { records, newRecords }: Counters): boolean => {
    const last = after?.fullReadAt;
    const now = wire.clock.now();
    if (typeof last !== 'number' || now - last >= options.fullReadHours * HOUR_MS || last - now > HOUR_MS) return true;
    const before = after?.records;
    if (typeof before !== 'number') return false;
    if (records < before) {
      wire.note({
        code: 'epoch-changed',
        text: `The terminal held ${before} records and now holds ${records}: somebody erased them; everything is read again`,
        data: { before, now: records },
      });
      return true;
    }
    // At most once an hour, so that a terminal whose counters mean something else does not send its whole log all day.
    if (records - before <= newRecords || now - last < HOUR_MS) return false;
    wire.note({
      code: 'gap',
      text: `${records - before} records were added and ${newRecords} of them are new: another program reads this terminal; everything is read`,
      data: { added: records - before, newRecords },
    });
    return true;
  };

  /** A record of tomorrow is the sign of an epoch a day off, or of a clock that was set back: told, not judged. */
  const noteFuture = (records: readonly AnvizRecord[]): void => {
    if (futureTold || shown === null) return;
    const now = shown.seconds + (wire.clock.ticks() - shown.ticks) / 1000;
    const ahead = records.find(({ seconds }) => seconds > now + FUTURE_SECONDS && seconds <= now + DAY_SECONDS);
    if (!ahead) return;
    futureTold = true;
    wire.note({
      code: 'epoch-changed',
      text: 'A stored record lies up to a day ahead of the terminal clock: check the option epoch, or who set the clock',
      data: { configured: options.epoch, aheadSeconds: Math.round(ahead.seconds - now) },
    });
  };

  const toPunches = (records: readonly AnvizRecord[]): PunchRecord[] =>
    records.map((record) => punchOf(record, options, 'poll'));

  async function* readList(after: Cursor | null): AsyncGenerator<PunchPage, Cursor | null> {
    const startedAt = wire.clock.now();
    const before = await counters();
    const full = fullReadDue(after, before);
    const announced = full ? before.records : before.newRecords;
    let punches: PunchRecord[] = [];
    let decoded = 0;
    let orderly = true;
    for await (const part of download.run(full ? 1 : 2, announced)) {
      const live = await livePage();
      if (live) yield live;
      decoded = part.decoded;
      orderly = part.orderly;
      noteFuture(part.records);
      if (!part.last) {
        yield { punches: toPunches(part.records), cursor: null, drained: false, count: null };
        continue;
      }
      punches = toPunches(part.records);
    }
    const complete = orderly && decoded >= announced;
    if (!complete) {
      wire.note({
        code: 'count-mismatch',
        text: `The terminal announced ${announced} records and gave ${decoded}`,
        data: { announced, decoded, full },
      });
    }
    // An incomplete full read is tried again in an hour, not at every poll: on a slow line it takes long.
    const retryMs = (options.fullReadHours - 1) * HOUR_MS;
    const records = complete ? before.records : (after?.records ?? null);
    const fullReadAt = full ? (complete ? startedAt : startedAt - retryMs) : (after?.fullReadAt ?? null);
    const cursor: Cursor = { fullReadAt, records };
    const page: PunchPage = { punches, cursor, drained: complete, count: { announced, decoded } };
    const flags = full ? before.newRecords : decoded;
    if (complete && flags > 0) clearable.set(page, flags);
    yield page;
    return cursor;
  }

  async function* pages(after: Cursor | null, { follow }: PageOptions): AsyncGenerator<PunchPage, void> {
    await prepareRealTime();
    let cursor = yield* readList(after);
    while (follow && (options.realTime || isHeld)) {
      const until = wire.clock.ticks() + options.pollSeconds * 1000;
      while (wire.clock.ticks() < until) {
        const live = await livePage();
        if (live) yield live;
        // In slices, so that a clock reading that somebody wants meanwhile gets its turn.
        await conversation.listen(Math.min(LISTEN_MS, until - wire.clock.ticks()));
      }
      // An empty page lets the reader compare clocks; the list then brings what no live record told, and clears the flags.
      yield { punches: [], cursor: null, drained: false, count: null };
      cursor = yield* readList(cursor);
    }
  }

  const confirm = async (page: PunchPage): Promise<void> => {
    const flags = clearable.get(page);
    if (flags === undefined) return;
    clearable.delete(page);
    try {
      // Never sent twice: a second one would clear the flags of records that were made since and not read.
      const told = await conversation.ask(COMMAND.clearNew, clearNewRequest(flags), { retries: 0 });
      if (told.ret !== 0) {
        wire.note({ code: 'odd', text: `The terminal did not mark ${flags} records as read`, data: { ret: told.ret } });
      }
    } catch (error) {
      if (!isSilence(error)) throw error;
      wire.note({ code: 'odd', text: `No answer to marking ${flags} records as read; they may come again` });
    }
  };

  return {
    identify,
    readClock,
    // Not asked again by itself: the time to set would be old by then. The caller comes back with a new one.
    setClock: async (to) => {
      await conversation.request(COMMAND.setClock, encodeClock(to), { retries: 0 });
    },
    pages,
    confirm,
    users: staff,
    readUsers: () => staff.read(),
    [Symbol.asyncDispose]: async () => conversation.dispose(),
  };
}
