/**
 * Following one terminal: the event stream beside a quiet history. While the stream beats nothing is polled but the record
 * count once an hour and the last days once a night. What makes the history be read at once: a stream that was lost, a gap
 * in the record numbers, an event that only hints at a punch (`_DoorFace_`, `DoorStatus`), a count that does not add up.
 *
 * Hints count only until this firmware has shown that it sends AccessControl: some never does.
 */
import { fail, GatewayError } from '../../core/errors.js';
import type { WallTime } from '../../core/time.js';
import type { PunchPage, PunchRecord, Wire } from '../driver.js';
import type { Api } from './api.js';
import type { Correction } from './correction.js';
import type { History } from './history.js';
import type { DahuaOptions } from './options.js';
import type { StreamEvent } from './parts.js';
import { readRecord } from './punch.js';
import { attachEvents, type EventStream } from './stream.js';

export interface FollowParts {
  readonly api: Api;
  readonly history: History;
  readonly correction: Correction;
  readonly options: DahuaOptions;
  readonly wire: Wire;
  readonly signal: AbortSignal;
  readonly shown: () => Promise<WallTime>;
}

const HOUR_MS = 3_600_000;
/** A hint waits this long for the event that would say more. */
const HINT_MS = 2000;
/** Events right after attaching may be old ones, told again. */
const REPLAY_MS = 5000;
const ATTACH_TRIES = 4;
const HINTS_IN_VAIN = 3;

/** Whether a reading that goes back some days is due. */
export function farDue(history: History, options: DahuaOptions, wire: Wire): boolean {
  const { readAt } = history;
  const now = wire.clock.now();
  return readAt === null || now - readAt >= options.fullReadHours * HOUR_MS || readAt - now > HOUR_MS;
}

/** From where the stored position says, far back when that is due. */
export async function* catchUp(
  history: History,
  options: DahuaOptions,
  wire: Wire,
  overlapS: number,
): AsyncGenerator<PunchPage, void> {
  const far = farDue(history, options, wire);
  if (far) history.markFar();
  yield* history.read(far ? options.fullReadDays * 86_400 : overlapS);
}

/** What the events so far have shown. */
interface Books {
  /** AccessControl events since the count was last asked, punches or not. */
  events: number;
  counted: number | null;
  accessSeen: boolean;
  lastRecNo: number | null;
  readTicks: number | null;
  learnDue: boolean;
  hintsInVain: number;
  hintTold: boolean;
}

export async function* follow(parts: FollowParts): AsyncGenerator<PunchPage, void> {
  const { api, history, options, wire, signal } = parts;
  const { clock } = wire;
  const books: Books = {
    events: 0,
    counted: null,
    accessSeen: false,
    lastRecNo: null,
    readTicks: null,
    learnDue: true,
    hintsInVain: 0,
    hintTold: false,
  };
  let stream: EventStream | null = null;
  let refused = !options.stream || wire.dial === null;

  async function* read(overlapS: number): AsyncGenerator<PunchPage, void> {
    books.readTicks = null;
    yield* catchUp(history, options, wire, overlapS);
    books.counted = history.announced;
    books.events = 0;
    books.lastRecNo = history.recNo;
  }
  const attach = async (): Promise<EventStream | null> => {
    for (let tries = 1; ; tries += 1) {
      try {
        const attached = await attachEvents(api, options, wire);
        if (attached) return attached;
        refused = true;
        wire.note({ code: 'odd', text: 'The terminal offers no event stream: its record count is compared instead' });
        return null;
      } catch (error) {
        const passing = error instanceof GatewayError && (error.code === 'link-silent' || error.code === 'link-closed');
        if (!passing || tries >= ATTACH_TRIES) throw error;
        await clock.sleep(1000 * 2 ** (tries - 1), signal);
      }
    }
  };

  try {
    if (!refused) stream = await attach();
    yield* read(options.overlapHours * 3600);
    let aliveTicks = clock.ticks();
    let countTicks = clock.ticks();
    for (;;) {
      const now = clock.ticks();
      const countMs = (refused ? options.pollSeconds : options.countMinutes * 60) * 1000;
      const dueTicks = Math.min(
        aliveTicks + options.keepAliveSeconds * 1000,
        countTicks + countMs,
        books.readTicks ?? Infinity,
      );
      const waitMs = Math.max(1, dueTicks - now);
      if (stream === null) await clock.sleep(waitMs, signal);
      else {
        const events = await stream.next(waitMs);
        if (events === null) {
          const livedMs = clock.ticks() - stream.attachedTicks;
          await stream[Symbol.asyncDispose]();
          stream = null;
          if (livedMs < REPLAY_MS) await clock.sleep(REPLAY_MS, signal);
          stream = await attach();
          books.learnDue = true;
          yield* read(0);
        } else if (events.length > 0) {
          const page = await livePage(parts, books, events, stream.attachedTicks);
          if (page) yield page;
        }
      }
      if (clock.ticks() >= countTicks + countMs) {
        countTicks = clock.ticks();
        books.learnDue = true;
        const size = await history.count();
        const expected = books.counted === null ? null : books.counted + books.events;
        if (size === null || size !== expected || farDue(history, options, wire)) yield* read(0);
        else {
          books.counted = size;
          books.events = 0;
        }
        if (stream === null && size !== null) {
          aliveTicks = clock.ticks();
          yield { punches: [], cursor: null, drained: false, count: null };
        }
      }
      if (books.readTicks !== null && clock.ticks() >= books.readTicks) {
        yield* read(0);
        noteVainHints(books, history, wire);
      }
      if (clock.ticks() >= aliveTicks + options.keepAliveSeconds * 1000) {
        aliveTicks = clock.ticks();
        // Only what has really been heard is a sign of life; without a stream the terminal is asked.
        if (stream?.beat() ?? (await history.count()) !== null)
          yield { punches: [], cursor: null, drained: false, count: null };
        else if (stream === null)
          throw fail('link-silent', { ms: options.answerTimeoutMs, waitingFor: 'record count' });
      }
    }
  } finally {
    await stream?.[Symbol.asyncDispose]();
  }
}

/** Faces before the terminal and no record: its face engine may hang while the stream still beats. */
function noteVainHints(books: Books, history: History, wire: Wire): void {
  books.hintsInVain = history.found > 0 ? 0 : books.hintsInVain + 1;
  if (books.hintsInVain < HINTS_IN_VAIN || books.hintTold) return;
  books.hintTold = true;
  wire.note({
    code: 'odd',
    text: 'Events come but no record is added: the face engine may hang, look at the terminal',
  });
}

/** The punches among events; asks for a reading where they do not tell enough. */
async function livePage(
  parts: FollowParts,
  books: Books,
  events: readonly StreamEvent[],
  attachedTicks: number,
): Promise<PunchPage | null> {
  const { correction, history, options, wire } = parts;
  const punches: PunchRecord[] = [];
  let learned = false;
  const hint = (afterMs: number): void => {
    books.readTicks ??= wire.clock.ticks() + afterMs;
  };
  for (const event of events) {
    if (event.code !== 'AccessControl') {
      if (!books.accessSeen) hint(HINT_MS);
      continue;
    }
    const group = { fields: event.fields, raw: event.raw };
    const { access } = readRecord(group, options, () => null, 'realtime');
    if (access.told === null) {
      // Broken or bare: the record says more.
      hint(HINT_MS);
      continue;
    }
    books.accessSeen = true;
    books.events += 1;
    if (books.learnDue && wire.clock.ticks() - attachedTicks >= REPLAY_MS) {
      books.learnDue = false;
      const before = JSON.stringify(correction.position());
      correction.learn(access.told, await parts.shown());
      learned ||= JSON.stringify(correction.position()) !== before;
    }
    const { punch } = readRecord(group, options, (told) => correction.wallOf(told), 'realtime');
    if (punch) punches.push(punch);
    if (access.recNo !== null) {
      const wanted = books.lastRecNo;
      if (wanted !== null && access.recNo !== wanted + 1 && access.recNo !== wanted) hint(0);
      books.lastRecNo = access.recNo;
    }
  }
  if (punches.length === 0 && !learned) return null;
  return { punches, cursor: learned ? history.cursor() : null, drained: false, count: null };
}
