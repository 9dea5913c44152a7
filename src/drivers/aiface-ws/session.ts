/**
 * One conversation with one terminal: who it is, its clock, its people, its records. What it pushes is answered only in
 * `confirm`, after the commit, so a crash before brings it again; what it was asked for is read to the end and compared
 * with the count it gave.
 *
 * Never erases, never asks for templates or photos, and sets the clock only when told to (see the option `cloudTime`).
 */
import { fail } from '../../core/errors.js';
import type { Cursor, PageOptions, PunchPage, TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { isRefusal, textIn, type Registration } from './codec.js';
import { wrongPeer, type Conversation, type Push } from './conversation.js';
import { between } from './device-clock.js';
import { isSilence } from './listing.js';
import type { AifaceOptions } from './options.js';
import { DOOR_EVENTS, isAlarm, isPunch, isStranger, punchOf } from './punch.js';
import { frameOf, nothingNew, readDays, readEverything, readNew, type ReadingContext } from './reading.js';
import { nightOf, standingOf, type Standing } from './standing.js';
import { createUsers } from './users.js';

/** An unanswered `reg` comes again after about 20 s. */
const REG_TIMEOUT_MS = 45_000;
/** No message for three heartbeats, and at least this long: is it still there? */
const SILENCE_MIN_MS = 60_000;
const HEARTBEATS = 3;
/** Records of an outage are sent long after they were made. */
const REPLAY_MS = 120_000;
/** Time for pushed records to come before they are fetched. */
const SETTLE_MS = 5000;
/** Between two tries to read a list that came short, or records that stay new. */
const AGAIN_MS = 3_600_000;
const NEW_PAUSE_MS = 60_000;
const FULL_SHARE = 0.9;
const GETTIME_FRESH_MS = 90_000;

interface Watch {
  /** Registrations that were looked at. */
  seen: number;
  /** When something was last pushed. */
  pushTicks: number;
  /** Not before this is the list of new records asked for again, and how long the next pause is. */
  newAt: number;
  newPauseMs: number;
  /** When a read that came short is tried again. */
  againAt: number;
}

export function createSession(talk: Conversation, options: AifaceOptions, wire: Wire): TerminalSession {
  const answers = new WeakMap<PunchPage, Push>();
  const users = createUsers(talk, options, wire);
  const told = new Set<string>();

  const registered = async (): Promise<Registration> => {
    const until = wire.clock.ticks() + REG_TIMEOUT_MS;
    for (;;) {
      const { registration } = talk;
      if (registration) return registration;
      talk.check();
      const left = until - wire.clock.ticks();
      if (left > 0) await talk.changed(left);
      else if (talk.firstBytes.length > 0 && talk.firstBytes[0] !== 0x7b) throw wrongPeer(talk.firstBytes);
      else throw fail('link-silent', { ms: REG_TIMEOUT_MS, waitingFor: 'reg', waitingForZh: '考勤机登记' });
    }
  };

  const identify = async (): Promise<TerminalIdentity> => {
    const reg = await registered();
    if (reg.serial === '')
      throw fail('bad-reply', {
        request: 'reg',
        requestZh: 'reg',
        reason: 'the terminal tells no serial number',
        reasonZh: '考勤机没有给出序列号',
      });
    const details: Record<string, string | number | boolean> = { clockMode: talk.clock.mode };
    for (const [key, value] of Object.entries({
      records: reg.records,
      newRecords: reg.newRecords,
      recordCapacity: reg.recordCapacity,
      users: reg.users,
      userCapacity: reg.userCapacity,
      mac: reg.mac,
    }))
      if (value !== null) details[key] = value;
    return { serial: reg.serial, model: reg.model, firmware: reg.firmware, details };
  };

  /** Old firmware never answers what it does not know: then the time of a `reg` that has just come must do. */
  const askTime = async (): Promise<string> => {
    try {
      const answer = await talk.ask('gettime', {}, { timeoutMs: options.answerTimeoutMs, waitingForZh: '考勤机时间' });
      const time = textIn(answer, 'time');
      if (time !== undefined && !isRefusal(answer)) return time;
    } catch (error) {
      if (!isSilence(error) || talk.toldTime(GETTIME_FRESH_MS) === null) throw error;
    }
    const time = talk.toldTime(GETTIME_FRESH_MS);
    if (time !== null) return time;
    const reason = 'the terminal does not tell its time';
    throw fail('bad-reply', { request: 'gettime', requestZh: 'gettime', reason, reasonZh: '考勤机没有给出时间' });
  };

  const noteOnce = (key: string, note: () => void): void => {
    if (told.has(key)) return;
    told.add(key);
    note();
  };

  const punchesOf = (push: Push): PunchPage['punches'] => {
    const { records, broken } = push.list;
    for (const record of records) {
      const event = DOOR_EVENTS[record.event ?? 0] ?? 'unknown';
      if (isAlarm(record))
        wire.note({ code: 'odd', text: `Event of the door: ${event}`, data: { event: record.event } });
      else if (isStranger(record, options))
        noteOnce('stranger', () => wire.note({ code: 'odd', text: 'The terminal saw somebody it does not know' }));
    }
    if (broken > 0)
      wire.note({ code: 'unknown-layout', text: `${broken} pushed records have no id or no time`, data: { broken } });
    const frame = frameOf({ talk, options });
    const now = talk.roughTime();
    const seq = records.length === 1 && push.count === 1 ? push.logIndex : null;
    return records
      .filter((record) => isPunch(record, options))
      .map((record) => {
        const age = now === null ? null : between(record.time, now);
        return punchOf(record, frame, age !== null && age > REPLAY_MS ? 'replay' : 'push', seq);
      });
  };

  /** What was pushed, as a page to be confirmed. What holds no punch is answered here, for there is nothing to store. */
  const pushed = (): PunchPage | null => {
    for (let push = talk.takePush(); push; push = talk.takePush()) {
      const punches = punchesOf(push);
      if (punches.length === 0) {
        void talk.accept(push).catch(() => undefined);
        continue;
      }
      const page: PunchPage = { punches, cursor: null, drained: false, count: null };
      answers.set(page, push);
      return page;
    }
    return null;
  };
  const noteMemory = (reg: Registration): void => {
    const { records, recordCapacity } = reg;
    if (records === null || recordCapacity === null || records < recordCapacity * FULL_SHARE) return;
    noteOnce('memory', () =>
      wire.note({
        code: 'memory-low',
        text: `The log holds ${records} of ${recordCapacity} records`,
        data: { records, recordCapacity },
      }),
    );
  };

  /** A log that got shorter was erased, or the terminal was exchanged: what is in it now is all new. */
  const shrank = (standing: Standing): boolean => {
    const records = talk.registration?.records ?? null;
    if (records === null || standing.records === null || records >= standing.records) return false;
    wire.note({
      code: 'epoch-changed',
      text: `The terminal held ${standing.records} records and holds ${records} now; everything is read again`,
      data: { before: standing.records, after: records },
    });
    standing.records = records;
    standing.complete = false;
    return true;
  };

  async function* pages(after: Cursor | null, { follow }: PageOptions): AsyncGenerator<PunchPage, void> {
    const reg = await registered();
    const standing = standingOf(after);
    if (standing.clockMode !== null) talk.clock.recall(standing.clockMode, standing.firmware);
    standing.clockMode = talk.clock.found;
    standing.firmware = reg.firmware;
    noteMemory(reg);
    const context: ReadingContext = { talk, options, wire, standing, pushed };

    const complete = yield* readFirst(context);
    if (complete) talk.mayTellTime();
    if (follow) yield* followLive(context, complete);
  }

  async function* followLive(context: ReadingContext, drained: boolean): AsyncGenerator<PunchPage, void> {
    const keepAliveMs = options.keepAliveSeconds * 1000;
    const now = (): number => wire.clock.ticks();
    const watch: Watch = {
      seen: talk.registrations,
      pushTicks: now(),
      newAt: 0,
      newPauseMs: NEW_PAUSE_MS,
      againAt: drained ? Infinity : now() + AGAIN_MS,
    };
    let aliveAt = now() + keepAliveMs;
    for (;;) {
      for (let push = pushed(); push; push = pushed()) {
        watch.pushTicks = now();
        yield push;
      }
      const reading = due(context, watch);
      if (reading !== null) {
        const complete = yield* reading;
        if (complete) talk.mayTellTime();
        watch.againAt = complete ? Infinity : now() + AGAIN_MS;
        continue;
      }
      if (now() >= aliveAt) {
        const there = await isThere();
        aliveAt = now() + (there ? keepAliveMs : SETTLE_MS);
        if (there) yield { punches: [], cursor: null, drained: false, count: null };
      }
      await talk.changed(Math.min(aliveAt - now(), SETTLE_MS));
    }
  }

  /** What has to be read now, if anything. */
  const due = (context: ReadingContext, watch: Watch): AsyncGenerator<PunchPage, boolean> | null => {
    const { standing } = context;
    const now = wire.clock.ticks();
    const settled = now - watch.pushTicks >= SETTLE_MS;
    const newRecords = talk.registration?.newRecords ?? 0;
    if (talk.registrations > watch.seen) {
      if (shrank(standing)) return readEverything(context);
      standing.records = talk.registration?.records ?? standing.records;
      if (newRecords === 0) watch.newPauseMs = NEW_PAUSE_MS;
      else if (settled && now >= watch.newAt) {
        watch.seen = talk.registrations;
        // Firmware that never takes a record off its list of new ones is asked less and less often.
        watch.newAt = now + watch.newPauseMs;
        watch.newPauseMs = Math.min(watch.newPauseMs * 2, AGAIN_MS);
        return readNew(context);
      }
      if (settled) watch.seen = talk.registrations;
    }
    if (now >= watch.againAt) return standing.complete ? readDays(context) : readEverything(context);
    const night = standing.complete && watch.againAt === Infinity && standing.checked !== nightOf(wire);
    return night ? readDays(context) : null;
  };

  async function* readFirst(context: ReadingContext): AsyncGenerator<PunchPage, boolean> {
    const { standing } = context;
    if (shrank(standing) || !standing.complete) return yield* readEverything(context);
    const night = standing.checked !== nightOf(wire) || standing.owedFrom !== null;
    if ((talk.registration?.newRecords ?? 1) === 0) {
      if (night) return yield* readDays(context);
      for (let push = pushed(); push; push = pushed()) yield push;
      yield nothingNew(context);
      return true;
    }
    if (!night) return yield* readNew(context);
    // The list of new records first, for it may reach further back than the check does; only the check is its end.
    for await (const page of readNew(context)) if (page.count === null) yield page;
    return yield* readDays(context);
  }

  /** Whether it was heard lately, or answers now. Throws `link-silent` when three heartbeats passed without a word. */
  const isThere = async (): Promise<boolean> => {
    const silentMs = (): number => wire.clock.ticks() - talk.lastHeardTicks;
    if (silentMs() < options.keepAliveSeconds * 1000) return true;
    try {
      await talk.ask('gettime', {}, { timeoutMs: options.answerTimeoutMs, waitingForZh: '考勤机在线确认' });
      return true;
    } catch (error) {
      if (!isSilence(error)) throw error;
      const limitMs = Math.max(SILENCE_MIN_MS, (talk.heartbeatMs ?? 0) * HEARTBEATS);
      if (silentMs() >= limitMs) throw error;
      return silentMs() < options.keepAliveSeconds * 1000;
    }
  };

  return {
    identify,
    async readClock() {
      return talk.clock.wallOf(await askTime());
    },
    async setClock(to) {
      const time = talk.clock.toldOf(to);
      const answer = await talk.ask(
        'settime',
        { cloudtime: time },
        { timeoutMs: options.answerTimeoutMs, waitingForZh: '校时' },
      );
      talk.forgetTime();
      if (!isRefusal(answer)) return;
      const reason = 'the terminal refused to be set';
      throw fail('bad-reply', { request: 'settime', requestZh: 'settime', reason, reasonZh: '考勤机拒绝校时' });
    },
    pages,
    async confirm(page) {
      const push = answers.get(page);
      if (!push) return;
      answers.delete(page);
      await talk.accept(push);
    },
    users,
    [Symbol.asyncDispose]: () => {
      talk[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}
