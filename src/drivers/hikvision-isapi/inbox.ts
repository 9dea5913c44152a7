/**
 * Between the paths that tell events at once (stream, push) and the one reader of pages: a queue, the numbers by which lost events
 * show, and what waits for its page to be stored. Events are given as they come; their numbers decide whether something is missing.
 */
import { within, type Clock, type WallTime } from '../../core/time.js';
import type { Finding, PunchPage, PunchRecord } from '../driver.js';

/** An event with its number, whether or not it is a punch. */
export interface Arrival {
  readonly punch: PunchRecord | null;
  readonly serial: number | null;
  readonly front: number | null;
  readonly current: boolean;
  readonly wall: WallTime | null;
}

export interface Inbox {
  /** `stored` is called when the page with the punch is confirmed; at once when it is no punch. */
  add(arrival: Arrival, stored?: () => void): void;
  /** Everything that waits as one page; null when nothing does. */
  take(): PunchPage | null;
  confirm(page: PunchPage): void;
  /** Ends the waiting of the reader with an error. */
  fail(error: unknown): void;
  /** Asks for a search soon: a stream began anew, so something may have been missed. */
  wantSearch(backTo: WallTime | null): void;
  /** What the reader should search for, once; null when nothing is wanted. */
  takeWanted(): { readonly backTo: WallTime | null } | null;
  /** What a complete reading has brought: the last number, and the latest time. */
  seen(serial: number | null, wall: WallTime | null): void;
  /** Waits until something is there, or `ms` have passed. Throws what a path failed with. */
  wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void>;
}

const PAGE_MAX = 200;

export function createInbox(note: (finding: Finding) => void): Inbox {
  const queue: { readonly punch: PunchRecord; readonly stored: (() => void) | undefined }[] = [];
  const waiting = new WeakMap<PunchPage, readonly (() => void)[]>();
  let failure: { readonly error: unknown } | null = null;
  let wanted: { backTo: WallTime | null } | null = null;
  let last: number | null = null;
  let lastWall: WallTime | null = null;
  let wake: () => void = () => undefined;

  // A function, because the compiler believes that an await cannot change it.
  const failed = (): { readonly error: unknown } | null => failure;
  const want = (backTo: WallTime | null): void => {
    const before = wanted;
    wanted = before === null ? { backTo } : { backTo: earlier(before.backTo, backTo) };
    wake();
  };

  /** A number that was left out means events that nobody told us. */
  const watch = ({ serial, front, wall, current }: Arrival): void => {
    if (serial === null) return;
    const known = last;
    const knownWall = lastWall;
    if (known === null || serial > known) {
      last = serial;
      if (wall !== null && (lastWall === null || wall > lastWall)) lastWall = wall;
      const before = front ?? serial - 1;
      if (known === null || before <= known || before >= serial) return;
      note({
        code: 'gap',
        text: `Events ${known + 1} to ${before} were not told; searching for them`,
        data: { from: known + 1, to: before },
      });
      want(earlier(knownWall, wall));
    } else if (current && serial < known && wall !== null && knownWall !== null && wall > knownWall) {
      // The search will see that the numbers have begun anew, and say so.
      last = serial;
      lastWall = wall;
      want(null);
    }
  };

  return {
    add(arrival, stored) {
      watch(arrival);
      if (arrival.punch) queue.push({ punch: arrival.punch, stored });
      else stored?.();
      wake();
    },
    take() {
      const taken = queue.splice(0, PAGE_MAX);
      if (taken.length === 0) return null;
      const page: PunchPage = { punches: taken.map(({ punch }) => punch), cursor: null, drained: false, count: null };
      waiting.set(
        page,
        taken.flatMap(({ stored }) => (stored ? [stored] : [])),
      );
      return page;
    },
    confirm(page) {
      for (const stored of waiting.get(page) ?? []) stored();
      waiting.delete(page);
    },
    fail(error) {
      failure ??= { error };
      wake();
    },
    wantSearch: want,
    takeWanted() {
      const taken = wanted;
      wanted = null;
      return taken;
    },
    seen(serial, wall) {
      if (serial !== null && (last === null || serial > last)) last = serial;
      if (wall !== null && (lastWall === null || wall > lastWall)) lastWall = wall;
    },
    async wait(ms, clock, signal) {
      const before = failed();
      if (before) throw before.error;
      if (queue.length > 0 || wanted) return;
      const arrival = new Promise<void>((resolve) => (wake = resolve));
      await within(clock, ms, signal, arrival);
      const after = failed();
      if (after) throw after.error;
    },
  };
}

function earlier(one: WallTime | null, other: WallTime | null): WallTime | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}
