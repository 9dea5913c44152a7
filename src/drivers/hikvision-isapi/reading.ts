/**
 * Reading by search, which is the truth: everything at first, then windows that overlap what was read, once a day the last days,
 * and everything again when the record numbers fall. Each page is given at once; the last carries the count. A first reading
 * that breaks off goes on where its last stored page was, a little before it.
 */
import type { WallTime } from '../../core/time.js';
import type { PunchPage, PunchRecord, Wire } from '../driver.js';
import { punchOf, wallOf, type HikEvent } from './codec.js';
import { shifted } from './device-time.js';
import type { HikOptions } from './options.js';
import type { Search } from './search.js';
import { BEGINNING, writeStanding, type Standing } from './standing.js';

export interface Reading {
  /** One complete reading. `backTo`: from then on, for a gap; null: what is due. */
  run(backTo: WallTime | null): AsyncGenerator<PunchPage, void>;
  readonly standing: Standing;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Before the first of these terminals was built. */
const FIRST = '2000-01-01 00:00:00' as WallTime;
/** Events read again where a first reading goes on: a full memory may have dropped as many meanwhile. */
const STEP_BACK = 100;
const FAR_DAYS = 400;
/** How often what came short is read again from where it began, before the position moves on all the same. */
const SHORT_READS = 3;

export function createReading(
  search: Search,
  options: HikOptions,
  wire: Wire,
  start: Standing,
  clock: () => Promise<WallTime>,
): Reading {
  let standing = start;
  let shortReads = 0;

  const deepDue = (): boolean => {
    const { deepAt } = standing;
    const now = wire.clock.now();
    return deepAt === null || now - deepAt >= options.deepReadHours * HOUR_MS || deepAt - now > HOUR_MS;
  };

  const fromFor = (shown: WallTime, backTo: WallTime | null, deep: boolean): WallTime => {
    const { seenTo } = standing;
    if (seenTo === null || standing.partial) return FIRST;
    // A clock that was set back makes events before the last one seen.
    const reached = seenTo < shown ? seenTo : shown;
    const back = deep ? options.deepReadDays * DAY_MS : options.overlapMinutes * 60_000;
    const from = shifted(reached, -back);
    return backTo !== null && backTo < from ? backTo : from;
  };

  /** Whether an event can only come from a log that began anew: later than all before, and numbered lower. */
  const beganAnew = (event: HikEvent, wall: WallTime | null): boolean =>
    standing.serial !== null &&
    standing.seenTo !== null &&
    event.serial !== null &&
    wall !== null &&
    wall > standing.seenTo &&
    event.serial < standing.serial;

  async function* pass(
    window: { readonly from: WallTime; readonly to: WallTime },
    shown: WallTime,
    deep: boolean,
    watch: boolean,
  ): AsyncGenerator<PunchPage, 'done' | 'anew' | 'restart'> {
    const first = standing.seenTo === null || standing.partial !== null;
    const { partial } = standing;
    const startAt = Math.max(0, (partial?.position ?? 0) - STEP_BACK);
    let entered = startAt === 0;
    let reached = partial?.reached ?? null;
    let seenTo = standing.seenTo;
    let serial = standing.serial;
    let decoded = startAt;
    let skipped = 0;
    let total = 0;
    for await (const page of search.run(window, startAt)) {
      const firstWall = page.events[0] ? wallOf(page.events[0].time, wire.zone) : null;
      // A full memory drops its oldest events, and the others move up: the position may lie behind what was never read.
      const movedUp = !entered && reached !== null && firstWall !== null && firstWall > reached;
      if (startAt > 0 && (movedUp || page.total < (standing.partial?.total ?? 0))) {
        standing = { ...standing, partial: null };
        return 'restart';
      }
      entered = true;
      total = Math.max(total, page.total);
      const punches: PunchRecord[] = [];
      for (const event of page.events) {
        const wall = wallOf(event.time, wire.zone);
        if (watch && beganAnew(event, wall)) return 'anew';
        if (wall !== null && (seenTo === null || wall > seenTo)) seenTo = wall;
        reached = wall ?? reached;
        // Beyond the moment shown, where reading goes on from, a number would make the events before it look like a log begun anew.
        const before = wall === null || wall <= shown;
        if (before && event.serial !== null && (serial === null || event.serial > serial)) ({ serial } = event);
        const punch = punchOf(event, options, wire.zone, 'poll');
        if (punch) punches.push(punch);
        else skipped += 1;
      }
      decoded += page.events.length;
      const { form, mode } = search.learned;
      if (!page.last) {
        if (first) standing = { ...standing, partial: { position: decoded, total: page.total, reached }, form, mode };
        yield { punches, cursor: first ? writeStanding(standing) : null, drained: false, count: null };
        continue;
      }
      const short = decoded < total;
      if (short)
        wire.note({
          code: 'count-mismatch',
          text: `The terminal announced ${total} events and gave ${decoded}`,
          data: { announced: total, decoded },
        });
      shortReads = short ? shortReads + 1 : 0;
      // What did not come may lie anywhere in the window, so the next search begins where this one began.
      if (short && shortReads <= SHORT_READS) standing = { ...standing, partial: null, form, mode };
      else {
        shortReads = 0;
        const deepAt = deep ? wire.clock.now() : standing.deepAt;
        standing = { seenTo: capped(seenTo, shown), serial, deepAt, partial: null, form, mode };
      }
      const count = { announced: total - skipped, decoded: decoded - skipped };
      yield { punches, cursor: writeStanding(standing), drained: true, count };
    }
    return 'done';
  }

  return {
    async *run(backTo) {
      const shown = await clock();
      const deep = deepDue();
      // A clock that was ahead once has left events of the future; they are looked for when everything or much is read.
      const farTo = shifted(shown, FAR_DAYS * DAY_MS);
      const from = fromFor(shown, backTo, deep);
      let window = { from, to: deep || from === FIRST ? farTo : shifted(shown, DAY_MS) };
      let watch = true;
      for (;;) {
        const end = yield* pass(window, shown, deep, watch);
        if (end === 'done') return;
        if (end === 'anew') {
          wire.note({
            code: 'epoch-changed',
            text: 'Record numbers have begun anew: the log was cleared or the terminal was reset; reading everything again',
            data: { serial: standing.serial },
          });
          standing = { ...BEGINNING, form: standing.form, mode: standing.mode };
        }
        watch = false;
        window = { from: FIRST, to: farTo };
      }
    },
    get standing() {
      return standing;
    },
  };
}

/** A stored event of the future must not carry the windows away with it. */
function capped(seenTo: WallTime | null, shown: WallTime): WallTime {
  return seenTo !== null && seenTo < shown ? seenTo : shown;
}
