/**
 * Punches as pages. The terminal is asked for what it holds (`DATA QUERY ATTLOG`), for how many that are (`VERIFY SUM ATTLOG`),
 * and uploads them like any others; so a read is complete when the query was answered and as many lines came as were
 * announced. A firmware that cannot be asked is greeted with stamp 0, upon which it brings everything by itself.
 *
 *   SUM, QUERY ──> uploads ═ stored ═> OK   …   results ──> drained      then live uploads, and everything again once a day
 *
 * A read in which too little came is repeated twice: firmware was seen to drop a query when one of its uploads fails.
 */
import { asGatewayError, fail, type GatewayError } from '../../core/errors.js';
import { instant, instantToWall, wallToInstant, type WallTime } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, PunchRecord, Wire } from '../driver.js';
import type { Channel } from './channel.js';
import { isUnsupported } from './codes.js';
import { query, sumOf, type CommandResult } from './command.js';
import type { Delivery, Inbox } from './inbox.js';
import type { ZkPushOptions } from './options.js';
import type { Known } from './reception.js';
import { createTally, FIRST, LAST, lineOf, positionOf, type Position, type Tally } from './tally.js';

export interface Reading {
  pages(after: Cursor | null, options: PageOptions): AsyncGenerator<PunchPage, void>;
  confirm(page: PunchPage): void;
  /** The log was cleared: read everything soon. */
  readAgain(): void;
  readonly querying: boolean;
  /** Everything that it held was read in this session. */
  readonly settled: boolean;
}

export interface ReadingParts {
  readonly options: ZkPushOptions;
  readonly wire: Wire;
  readonly known: Known;
  readonly inbox: Inbox;
  readonly channel: Channel;
  readonly silenceMs: number;
  /** Fill levels, asked for now. */
  readonly levels: () => Promise<void>;
}

const HOUR_MS = 3_600_000;
const STEP_MS = 250;
const KEEP_ALIVE_MS = 45_000;
const ATTEMPTS = 3;
/** After as many lines as announced, time for the result of the query to come too. */
const RESULT_WAIT_MS = 5000;
const GREETING_WAIT_MS = 180_000;

export function createReading(parts: ReadingParts): Reading {
  const { options, wire, known, inbox, channel } = parts;
  const { clock } = wire;
  const pending = new WeakMap<PunchPage, () => void>();
  const quietMs = options.quietSeconds * 1000;
  let querying = false;
  let settled = false;
  let again = false;
  let cannotBeAsked = false;
  let position: Position = positionOf(null);
  let stamp: string | null = null;
  let newest: WallTime | null = null;
  /** Lines stored since a read began: what came by itself need not be given twice. */
  let stored = new Set<string>();

  const cursor = (): Cursor => ({ ...position, stamp });

  const checkAlive = (): void => {
    const silence = clock.ticks() - known.heardAt;
    if (silence < parts.silenceMs) return;
    throw fail('link-silent', {
      ms: Math.round(silence),
      waitingFor: 'the terminal to call',
      waitingForZh: '等待考勤机呼叫',
    });
  };

  /** The newest time that can be believed: a punch of 2099 must not become the place to go on from. */
  const remember = (punches: readonly PunchRecord[]): void => {
    const limit = instantToWall(instant(clock.now() + 24 * HOUR_MS), wire.zone);
    for (const { wallTime } of punches)
      if (
        wallTime <= limit &&
        (newest === null || wallTime > newest) &&
        (wallTime.slice(0, 13) === newest?.slice(0, 13) || wallToInstant(wallTime, wire.zone) !== null)
      )
        newest = wallTime;
  };

  /** One delivery as a page; unless the page is confirmed before the next is wanted, the terminal keeps the records. */
  async function* give(delivery: Delivery, live: boolean): AsyncGenerator<PunchPage, void> {
    const punches = delivery.punches.filter((punch) => !stored.has(lineOf(punch)));
    if (delivery.stamp !== null && delivery.stamp !== '0') stamp = delivery.stamp;
    const page: PunchPage = {
      punches,
      // Before a complete read there is no position to go on from, only a stamp.
      cursor: live && position.until !== null ? cursor() : null,
      drained: false,
      count: null,
    };
    const accept = (): void => {
      if (!live) for (const punch of delivery.punches) stored.add(lineOf(punch));
      if (stamp !== null && known.attlogStamp !== '0') known.attlogStamp = stamp;
      delivery.settle(true);
    };
    try {
      remember(delivery.punches);
      if (punches.length === 0) accept();
      else {
        pending.set(page, accept);
        yield page;
      }
    } finally {
      delivery.settle(false);
    }
  }

  interface Asked {
    sum: CommandResult | 'unanswered' | null;
    result: CommandResult | 'unanswered' | null;
    failed: GatewayError | null;
  }

  const ask = (from: WallTime): Asked => {
    const asked: Asked = { sum: null, result: null, failed: null };
    const keep = (key: 'sum' | 'result', work: Promise<CommandResult | 'unanswered'>): void => {
      work.then(
        (told) => (asked[key] = told),
        (error: unknown) => (asked.failed = asGatewayError(error)),
      );
    };
    keep('sum', channel.run(query.sum(from, LAST)));
    keep('result', channel.run(query.punches(from, LAST)));
    return asked;
  };

  const sumIn = (asked: Asked): number | null =>
    asked.sum === null || asked.sum === 'unanswered' ? null : sumOf(asked.sum);

  /** A firmware that counts nothing though it holds records has not understood the window. */
  const announcedBy = (asked: Asked, full: boolean): number | null => {
    const sum = sumIn(asked);
    const level = full ? known.records : null;
    if (sum === 0 && level !== null && level > 0) return level;
    return sum ?? level;
  };

  /** One query and all that comes of it. Ends when it is complete, refused, or nothing more comes. */
  async function* queried(
    from: WallTime,
    full: boolean,
    tally: Tally,
  ): AsyncGenerator<PunchPage, { readonly announced: number | null; readonly refused: boolean }> {
    const asked = ask(from);
    let quietSince = clock.ticks();
    let answered = false;
    for (;;) {
      const delivery = await inbox.take(STEP_MS);
      if (delivery) {
        if (tally.add(delivery.punches)) quietSince = clock.ticks();
        yield* give(delivery, false);
        continue;
      }
      if (asked.failed !== null) throw asked.failed;
      checkAlive();
      const announced = announcedBy(asked, full);
      const complete = announced !== null && tally.count >= announced;
      const { result } = asked;
      if (result === 'unanswered') return { announced, refused: tally.count === 0 && announced !== 0 };
      if (result && isUnsupported(result.returned)) return { announced, refused: true };
      if (result && !answered) {
        answered = true;
        quietSince = Math.max(quietSince, clock.ticks());
      }
      const quiet = clock.ticks() - Math.max(quietSince, result ? known.uploadedAt : 0);
      if (result ? complete || quiet >= quietMs : complete && quiet >= RESULT_WAIT_MS)
        return { announced, refused: false };
    }
  }

  /** Everything, by a greeting with stamp 0; for firmware that cannot be asked. */
  async function* greeted(tally: Tally): AsyncGenerator<PunchPage, number | null> {
    const before = known.askedForAll;
    const began = clock.ticks();
    known.attlogStamp = '0';
    try {
      channel.run(query.check()).catch(() => undefined);
      let quietSince = clock.ticks();
      for (;;) {
        const delivery = await inbox.take(STEP_MS);
        if (delivery) {
          if (tally.add(delivery.punches)) quietSince = clock.ticks();
          yield* give(delivery, false);
          continue;
        }
        checkAlive();
        const asked = known.askedForAll > before;
        if (!asked && clock.ticks() - began > GREETING_WAIT_MS) break;
        if (!asked) quietSince = clock.ticks();
        // Once is enough: the next greeting, for whatever reason, must not bring everything again.
        else known.attlogStamp = stamp;
        const complete = known.records !== null && tally.count >= known.records;
        const waitMs = complete ? RESULT_WAIT_MS : Math.max(2 * quietMs, 3 * options.delaySeconds * 1000);
        if (asked && clock.ticks() - Math.max(quietSince, known.uploadedAt) >= waitMs) break;
      }
    } finally {
      known.attlogStamp = stamp;
    }
    return known.records;
  }

  const startOf = (full: boolean): WallTime => {
    const until = full || position.until === null ? null : wallToInstant(position.until, wire.zone);
    return until === null ? FIRST : instantToWall(instant(until - options.overlapHours * HOUR_MS), wire.zone);
  };

  const fullReadDue = (): boolean => {
    const { fullReadAt, until } = position;
    const now = clock.now();
    if (again || until === null || fullReadAt === null) return true;
    return now - fullReadAt >= options.fullReadHours * HOUR_MS || fullReadAt - now > HOUR_MS;
  };

  /** Fill levels of now; what is uploaded meanwhile is given. */
  async function* leveled(early: PunchRecord[][]): AsyncGenerator<PunchPage, void> {
    let pendingLevels = true;
    let failed: GatewayError | null = null;
    parts
      .levels()
      .catch((error: unknown) => (failed = asGatewayError(error)))
      .finally(() => (pendingLevels = false));
    // A function, because the compiler believes that an await cannot change the flag.
    const waits = (): boolean => pendingLevels;
    const fault = (): GatewayError | null => failed;
    while (waits()) {
      const delivery = await inbox.take(STEP_MS);
      if (!delivery) continue;
      early.push([...delivery.punches]);
      yield* give(delivery, false);
    }
    const failure = fault();
    if (failure) throw failure;
  }

  /** One complete read; its last page is drained and counted. */
  async function* readOnce(): AsyncGenerator<PunchPage, void> {
    querying = true;
    try {
      // What comes before the window is known counts too.
      const early: PunchRecord[][] = [];
      yield* leveled(early);
      if (position.records !== null && known.records !== null && known.records < position.records) {
        wire.note({
          code: 'epoch-changed',
          text: 'The terminal holds fewer records than before: its log was cleared or has run over',
          data: { before: position.records, now: known.records },
        });
        again = true;
      }
      const full = cannotBeAsked || fullReadDue();
      again = false;
      const began = clock.now();
      const levelBefore = known.records;
      const from = startOf(full);
      const tally = createTally(from);
      for (const punches of early) tally.add(punches);
      let announced: number | null = null;
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        if (cannotBeAsked) announced = yield* greeted(tally);
        else {
          const outcome = yield* queried(from, full, tally);
          announced = outcome.announced;
          if (outcome.refused) {
            cannotBeAsked = true;
            wire.note({
              code: 'odd',
              text: 'The terminal cannot be asked for records; it is made to upload all again',
            });
            continue;
          }
        }
        if (announced === null || tally.count >= announced) break;
      }
      const short = announced !== null && tally.count < announced;
      if (announced !== null && short)
        wire.note({
          code: 'count-mismatch',
          text: `The terminal announced ${announced} records and gave ${tally.count}`,
          data: { announced, decoded: tally.count },
        });
      if (!short)
        position = {
          until: newest,
          fullReadAt: full || cannotBeAsked ? began : position.fullReadAt,
          records: levelBefore ?? position.records,
        };
      yield {
        punches: [],
        cursor: short ? null : cursor(),
        drained: true,
        count: announced === null ? null : { announced, decoded: tally.count },
      };
      settled = !short;
      // A short full read is not tried again at once; the next one is a day away, or the next session.
      if (short) position = { ...position, fullReadAt: began };
    } finally {
      querying = false;
      stored = new Set();
    }
  }

  return {
    async *pages(after, { follow }) {
      position = positionOf(after);
      newest = position.until;
      if (typeof after?.stamp === 'string' && after.stamp !== '0') {
        stamp = after.stamp;
        known.attlogStamp ??= stamp;
      }
      yield* readOnce();
      if (!follow) return;
      let aliveAt = clock.ticks();
      let readAt = clock.ticks();
      for (;;) {
        const delivery = await inbox.take(Math.max(STEP_MS, aliveAt + KEEP_ALIVE_MS - clock.ticks()));
        if (delivery) {
          yield* give(delivery, true);
          continue;
        }
        checkAlive();
        const sinceRead = clock.ticks() - readAt;
        if (again || sinceRead >= options.fullReadHours * HOUR_MS) {
          again = true;
          yield* readOnce();
          readAt = clock.ticks();
        }
        // Silence since the last sign of life is no sign of life.
        if (known.heardAt > aliveAt) {
          aliveAt = clock.ticks();
          yield { punches: [], cursor: null, drained: false, count: null };
        } else if (clock.ticks() - aliveAt >= KEEP_ALIVE_MS) aliveAt = clock.ticks() - KEEP_ALIVE_MS + 5000;
      }
    },
    confirm(page) {
      pending.get(page)?.();
      pending.delete(page);
    },
    readAgain: () => void (again = true),
    get querying() {
      return querying;
    },
    get settled() {
      return settled;
    },
  };
}
