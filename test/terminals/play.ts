/**
 * Plays a lesson in a classroom, waits until the gateway has everything, and says how it went: one row for each terminal,
 * and every way in which something is not as it must be. An empty list of faults is a good run.
 */
import { appendFileSync } from 'node:fs';
import { systemClock } from '../../src/core/time.js';
import type { PartStatus } from '../../src/web/status.js';
import type { Classroom } from './classroom.js';
import { FLEET, STRANGER, type Seat } from './fleet.js';
import { lesson, type Happening, type LessonPlan } from './lesson.js';

const clock = systemClock();
const never = new AbortController().signal;
/** Memory may grow while buffers find their size; a leak of every punch or connection is more than that. */
const GROWTH_MAX = { factor: 1.4, mb: 60 };
/** A shorter class says nothing about growth: the first collections have hardly begun. */
const GROWTH_FROM_MS = 120_000;

export interface Row {
  readonly id: string;
  readonly driver: string;
  readonly state: string;
  readonly given: number;
  readonly stored: number;
  readonly faults: number;
  readonly restarts: number;
  /** What the gateway noted about it, and how often. */
  readonly found: string;
  /** From the end of the class until everything was there; null: never. */
  readonly drainedMs: number | null;
}

export interface Outcome {
  readonly seed: number;
  readonly rows: readonly Row[];
  readonly memoryMb: { readonly first: number; readonly last: number };
  /** What is wrong, in sentences; empty when all is well. */
  readonly wrong: readonly string[];
}

export interface PlayOptions {
  readonly plan: LessonPlan;
  /** How long the gateway may need after the class. */
  readonly drainMs: number;
}

interface Played {
  readonly faults: ReadonlyMap<string, number>;
  readonly memoryMb: readonly number[];
}

const trace = (text: string): void => {
  const file = process.env.TERMINALS_TRACE;
  if (file) appendFileSync(file, `${new Date().toISOString()} ${text}\n`);
};

async function perform(room: Classroom, one: Happening): Promise<void> {
  if (one.what === 'punch') await room.tell(one.seat, { do: 'punch', user: one.user });
  else {
    trace(`${one.seat.id}: ${one.name} ${one.value ?? 'ends'}`);
    await room.tell(one.seat, { do: 'fault', name: one.name, value: one.value });
  }
}

async function playLesson(room: Classroom, plan: LessonPlan): Promise<Played> {
  const faults = new Map<string, number>();
  const memoryMb: number[] = [];
  const happenings = lesson(FLEET, plan);
  const count = (one: Happening): void => {
    if (one.what === 'fault' && one.value !== null) faults.set(one.seat.id, (faults.get(one.seat.id) ?? 0) + 1);
  };
  const before = happenings.filter(({ atMs }) => atMs === 0);
  for (const one of before) {
    await perform(room, one);
    count(one);
  }
  await room.start();
  const began = clock.ticks();
  let measuredAt = -Infinity;
  for (const one of happenings.slice(before.length)) {
    for (;;) {
      const left = began + one.atMs - clock.ticks();
      if (clock.ticks() - measuredAt >= 1000) {
        measuredAt = clock.ticks();
        memoryMb.push(room.memoryMb());
      }
      if (left <= 0) break;
      await clock.sleep(Math.min(left, 1000), never);
    }
    if (!room.daemon.running()) throw new Error('the daemon ended during the class');
    await perform(room, one);
    count(one);
  }
  for (const seat of FLEET)
    for (const { name } of seat.faults) await room.tell(seat, { do: 'fault', name, value: null });
  return { faults, memoryMb };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

interface Difference {
  readonly missing: readonly string[];
  readonly foreign: readonly string[];
  readonly twice: readonly string[];
}

function compare(given: ReadonlySet<string>, stored: readonly string[]): Difference {
  const seen = new Set<string>();
  const twice = stored.filter((one) => seen.has(one) || !seen.add(one));
  return {
    missing: [...given].filter((one) => !seen.has(one)),
    foreign: [...seen].filter((one) => !given.has(one)),
    twice,
  };
}

const same = ({ missing, foreign, twice }: Difference): boolean => missing.length + foreign.length + twice.length === 0;

const settled = (seat: Seat, part: PartStatus | undefined): boolean =>
  part !== undefined &&
  (part.state === 'live' || part.state === 'waiting') &&
  part.trouble === null &&
  part.details.serial === seat.serial &&
  part.details.lastDrainedAt !== null;

interface Drained {
  readonly ms: ReadonlyMap<string, number>;
  readonly differences: ReadonlyMap<string, Difference>;
  readonly given: ReadonlyMap<string, ReadonlySet<string>>;
  readonly stored: ReadonlyMap<string, readonly string[]>;
  readonly parts: ReadonlyMap<string, PartStatus>;
}

/** Looks again and again until every terminal is as it must be, or time is up. */
async function untilDrained(room: Classroom, drainMs: number): Promise<Drained> {
  const began = clock.ticks();
  const ms = new Map<string, number>();
  for (;;) {
    // The terminals first: a punch that comes between is then stored and not given, and seen to be wrong only for a moment.
    const given = new Map<string, ReadonlySet<string>>();
    for (const seat of FLEET) given.set(seat.id, await room.given(seat));
    const stored = room.stored();
    const status = await room.status();
    const parts = new Map((status?.terminals ?? []).map((part) => [part.id, part]));
    const differences = new Map<string, Difference>();
    for (const seat of FLEET) {
      const difference = compare(given.get(seat.id) ?? new Set(), stored.get(seat.serial) ?? []);
      differences.set(seat.id, difference);
      if (same(difference) && settled(seat, parts.get(seat.id))) {
        if (!ms.has(seat.id)) ms.set(seat.id, Math.round(clock.ticks() - began));
      } else ms.delete(seat.id);
    }
    trace(
      `waiting for ${
        FLEET.filter(({ id }) => !ms.has(id))
          .map(({ id }) => id)
          .join(', ') || 'nobody'
      }`,
    );
    if (ms.size === FLEET.length || clock.ticks() - began > drainMs) return { ms, differences, given, stored, parts };
    await clock.sleep(2000, never);
  }
}

const some = (what: string, list: readonly string[]): string =>
  list.length === 0 ? '' : ` ${list.length} ${what} (${list.slice(0, 3).join('; ')})`;

function faultsOfTerminals({ ms, differences, parts }: Drained): readonly string[] {
  return FLEET.filter(({ id }) => !ms.has(id)).map((seat) => {
    const difference = differences.get(seat.id) ?? { missing: [], foreign: [], twice: [] };
    const part = parts.get(seat.id);
    const { missing, foreign, twice } = difference;
    const told = `${part?.state ?? 'absent'}, ${part?.trouble?.code ?? 'no trouble'} ${part?.trouble?.en ?? ''}`;
    const counts = `${some('not stored', missing)}${some('never given', foreign)}${some('stored twice', twice)}`;
    return `${seat.id}: ${told}, details ${JSON.stringify(part?.details)};${counts}`;
  });
}

async function faultsOfStranger(room: Classroom): Promise<readonly string[]> {
  const status = await room.status();
  const wrong: string[] = [];
  const entry = status?.unclaimed.find(({ serial }) => serial === STRANGER.serial);
  if (entry?.driver !== STRANGER.driver)
    wrong.push(`the unknown caller is not shown: ${JSON.stringify(status?.unclaimed)}`);
  const told = room.toldStranger();
  if (!told.includes('"result":false')) wrong.push('the unknown caller was not refused');
  if (/"result":\s*true/.test(told)) wrong.push('the unknown caller was acknowledged');
  if (room.stored().has(STRANGER.serial)) wrong.push('punches of the unknown caller are stored');
  const others = (status?.unclaimed ?? []).filter(({ serial }) => FLEET.some((seat) => seat.serial === serial));
  for (const one of others) wrong.push(`an adopted terminal was taken for an unknown caller: ${JSON.stringify(one)}`);
  return wrong;
}

const faultsOfLog = (room: Classroom): readonly string[] =>
  room
    .log()
    .filter((line) => line.kind === 'bug' || line.level === 'error' || line.level === 'fatal')
    .map((line) => `the daemon's log: ${JSON.stringify(line)}`);

const foundOf = (part: PartStatus | undefined): string =>
  Object.entries(part?.details ?? {})
    .filter(([key]) => key.startsWith('found:'))
    .map(([key, count]) => `${key.slice('found:'.length)} ${count ?? 0}`)
    .join(', ');

/** Plays, waits, compares. The daemon is stopped afterwards and its database verified. */
export async function play(room: Classroom, { plan, drainMs }: PlayOptions): Promise<Outcome> {
  const { faults, memoryMb } = await playLesson(room, plan);
  const drained = await untilDrained(room, drainMs);
  const status = await room.status();
  const wrong = [...faultsOfTerminals(drained), ...(await faultsOfStranger(room))];
  const quarter = Math.max(1, memoryMb.length >> 2);
  const [first, last] = [median(memoryMb.slice(0, quarter)), median([...memoryMb.slice(-quarter), room.memoryMb()])];
  const flat = last < first * GROWTH_MAX.factor && last - first < GROWTH_MAX.mb;
  if (plan.lengthMs >= GROWTH_FROM_MS && !flat)
    wrong.push(`memory of the daemon grew from ${first.toFixed(0)} to ${last.toFixed(0)} MB`);
  const exit = await room.stop();
  if (exit.code !== 0) wrong.push(`the daemon ended with ${exit.code ?? exit.signal ?? 'nothing'}`);
  const verified = await room.verify();
  if (verified.code !== 0) wrong.push(`the database does not verify: ${verified.tail}`);
  wrong.push(...faultsOfLog(room));
  const rows = FLEET.map(({ id, driver, serial }) => ({
    ...{ id, driver, state: drained.parts.get(id)?.state ?? 'absent' },
    given: drained.given.get(id)?.size ?? 0,
    stored: drained.stored.get(serial)?.length ?? 0,
    faults: faults.get(id) ?? 0,
    restarts: status?.units.find(({ name }) => name === `terminal:${id}`)?.restarts ?? -1,
    found: foundOf(drained.parts.get(id)),
    drainedMs: drained.ms.get(id) ?? null,
  }));
  return { seed: plan.seed, rows, memoryMb: { first, last }, wrong };
}

/** The outcome as a table for people. */
export function table({ seed, rows, memoryMb, wrong }: Outcome): string {
  const head = ['terminal', 'driver', 'state', 'given', 'stored', 'faults', 'reconnects', 'drained after s', 'found'];
  const lines = rows.map((row) => [
    ...[row.id, row.driver, row.state, String(row.given), String(row.stored), String(row.faults), String(row.restarts)],
    row.drainedMs === null ? 'never' : (row.drainedMs / 1000).toFixed(0),
    row.found,
  ]);
  const widths = head.map((word, at) => Math.max(word.length, ...lines.map((line) => (line[at] ?? '').length)));
  const text = [head, ...lines].map((line) =>
    line
      .map((word, at) => word.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const memory = `memory of the daemon: ${memoryMb.first.toFixed(0)} MB in the first quarter, ${memoryMb.last.toFixed(0)} MB in the last`;
  return [`terminals: seed ${seed}`, ...text, memory, ...(wrong.length === 0 ? ['all is well'] : wrong)].join('\n');
}
