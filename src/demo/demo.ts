/**
 * `rollcall demo`: plays the script of `day.ts` through the classroom of `classroom.ts` and shows what comes of it.
 *
 * The day runs on a stepped clock, wires and broker on the real one, so a round trip of milliseconds stays one. With
 * `--once` the clock jumps from happening to happening; else it moves evenly, `--speed` times as fast as real time.
 * In the end the platform's store is compared with what the terminals were given: equal, or the demonstration fails.
 */
import { fail } from '../core/errors.js';
import {
  dateAt,
  instant,
  instantToWall,
  parseLocalDate,
  steppedClock,
  systemClock,
  type Clock,
  type Instant,
  type LocalDate,
} from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { DEMO_CLASS, DEMO_GATEWAY, DEMO_ZONE, openClassroom, type Classroom } from './classroom.js';
import { DAY_BEGINS, DAY_CLOSED, demoDay, LESSONS_END, TRAINEES, type Happening, type TerminalName } from './day.js';
import { report, type Report } from './report.js';

export interface DemoArguments {
  readonly once: boolean;
  readonly speed: number;
  /** Port of the page; 8080 when not given, any free one with `once`. */
  readonly port?: number;
  readonly broker?: string;
  readonly seed: number;
  readonly version: string;
  readonly drivers: readonly Driver[];
}

export interface DemoOutput {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly tty: boolean;
}

const DATE = parseLocalDate('2026-09-10') ?? ('2026-09-10' as LocalDate);
const POLL_MS = 5000;
const SETTLE_MS = 20_000;
/** A gap in the script that is long enough to let every terminal be polled. */
const PAUSE_MS = 60_000;
/** Small steps: within one the terminals' clocks stand still, and a clock read in between is off by as much. */
const FRAME_MS = 10;
const SHOW_EVERY_FRAMES = 100;

interface Stage {
  readonly room: Classroom;
  readonly world: ReturnType<typeof steppedClock>;
  readonly wire: Clock;
  readonly signal: AbortSignal;
  readonly midnight: Instant;
  readonly seed: number;
}

const NEVER = instant(Number.MAX_SAFE_INTEGER);

const secondOf = (stage: Stage, second: number): Instant => instant(stage.midnight + second * 1000);

function perform(stage: Stage, happening: Happening): void {
  const { room } = stage;
  switch (happening.do) {
    case 'punch':
      room.terminals[happening.terminal].punch(happening.userId, { verify: 'face' });
      return;
    case 'network':
      if (happening.up) {
        room.cable.plug();
        room.gateway.connectNow();
      } else room.cable.pull();
      return;
    case 'terminal-restart':
      room.restartTheory();
      return;
  }
}

/** Everything ever shown to the terminals. */
export function given(room: Classroom): number {
  return Object.values(room.terminals).reduce((sum, terminal) => sum + terminal.records().length, 0);
}

/**
 * Waits in real time until `done`, moving the day by a poll whenever a terminal waits for its next poll, but never past
 * `limit`: the script's next happening must find its own time. Null: the day stands still.
 */
async function settle(stage: Stage, what: string, done: () => boolean, limit: Instant | null): Promise<void> {
  const began = stage.wire.ticks();
  while (!done()) {
    if (stage.wire.ticks() - began > SETTLE_MS) throw fail('demo-stuck', { what, reason: trouble(stage.room) });
    const waiting = stage.room.gateway.status().terminals.some((one) => one.state === 'waiting');
    if (limit !== null && waiting) {
      if (stage.world.now() + POLL_MS >= limit) return;
      stage.world.advanceTo(instant(stage.world.now() + POLL_MS));
    }
    await stage.wire.sleep(5, stage.signal);
  }
}

function trouble(room: Classroom): string {
  const status = room.gateway.status();
  const terminals = status.terminals.map(
    (one) =>
      `${one.id} ${one.state} ${String(one.details.stored)}/${room.terminals[one.id as TerminalName].records().length}`,
  );
  return `[${terminals.join(', ')}; stored ${status.punches} of ${given(room)}; unacknowledged ${status.pendingRecords}] ${status.reasons.map((one) => one.en).join(' ')}`;
}

const allStored = (room: Classroom) => (): boolean => room.gateway.store.punchCount() >= given(room);

/** The whole day, jumping from one happening to the next. */
async function playOnce(stage: Stage): Promise<void> {
  const { room, world } = stage;
  const script = demoDay(stage.seed);
  const first = secondOf(stage, script[0]?.second ?? LESSONS_END);
  await settle(stage, 'first read', allStored(room), first);
  for (const [at, happening] of script.entries()) {
    world.advanceTo(secondOf(stage, happening.second));
    const wholeLog = repeatedByTheory(room) + room.terminals.theory.records().length;
    perform(stage, happening);
    if (happening.do === 'terminal-restart')
      await settle(stage, 'the whole log again', () => repeatedByTheory(room) >= wholeLog, null);
    const next = secondOf(stage, script[at + 1]?.second ?? LESSONS_END);
    if (next - world.now() >= PAUSE_MS) await settle(stage, 'punches stored', allStored(room), next);
  }
}

/** How often the theory terminal has sent a record that was there already. */
function repeatedByTheory(room: Classroom): number {
  const theory = room.gateway.status().terminals.find((one) => one.id === 'theory');
  return Number(theory?.details.repeated ?? 0);
}

/** The whole day, evenly and fast, with the table shown as it grows. */
async function playLive(stage: Stage, speed: number, show: () => void): Promise<void> {
  const { world, wire, signal } = stage;
  const script = [...demoDay(stage.seed)];
  let next = script.shift();
  let frames = 0;
  let last = wire.ticks();
  while (world.now() < secondOf(stage, LESSONS_END)) {
    await wire.sleep(FRAME_MS, signal);
    const ticks = wire.ticks();
    const until = instant(world.now() + (ticks - last) * speed);
    last = ticks;
    while (next && secondOf(stage, next.second) <= until) {
      world.advanceTo(secondOf(stage, next.second));
      perform(stage, next);
      next = script.shift();
    }
    world.advanceTo(until);
    frames += 1;
    if (frames % SHOW_EVERY_FRAMES === 0) show();
  }
  await settle(stage, 'punches stored', allStored(stage.room), NEVER);
}

/** Evening: terminals have reported, the day closes, everything reaches the platform. */
async function closeDay(stage: Stage): Promise<void> {
  const { room, world } = stage;
  const lessonsEnd = secondOf(stage, LESSONS_END);
  world.advanceTo(lessonsEnd);
  const reported = (): boolean =>
    room.gateway.status().terminals.every((one) => Number(one.details.lastDrainedAt ?? 0) >= lessonsEnd);
  await settle(stage, 'terminals reported after the last lesson', reported, NEVER);
  await settle(stage, 'provisional results', () => room.gateway.store.touchedDays(1).length === 0, null);
  world.advanceTo(secondOf(stage, DAY_CLOSED));
  const finals = (): boolean =>
    room.gateway.store.creditsOf(DEMO_CLASS, DATE).filter((one) => one.state === 'final').length === TRAINEES;
  await settle(stage, 'final results', finals, NEVER);
  const delivered = (): boolean => room.gateway.store.pending('city').records === 0;
  await settle(stage, 'everything acknowledged by the platform', delivered, null);
}

/** The platform's store against what the terminals were given; null when they are equal. */
function compare(room: Classroom): {
  readonly punches: number;
  readonly batches: number;
  readonly fault: string | null;
} {
  const serials = { theory: 'DEMOZK0001', workshop: 'DEMOANVIZ0000002' } as const;
  const wanted = new Set(
    (['theory', 'workshop'] as const).flatMap((name) =>
      room.terminals[name].records().map((record) => `${serials[name]} ${record.userId} ${record.wallTime}`),
    ),
  );
  const { ledger } = room.platform;
  const stored = ledger.punches(DEMO_GATEWAY);
  const found = new Set(stored.map((one) => `${one.deviceSn} ${one.deviceUserId} ${one.wallTime}`));
  const counts = ledger.counts(DEMO_GATEWAY);
  const chain = ledger.verifyGateway(DEMO_GATEWAY);
  const missing = [...wanted].filter((one) => !found.has(one)).length;
  const invented = [...found].filter((one) => !wanted.has(one)).length;
  const fault =
    missing > 0 || invented > 0 || stored.length !== wanted.size
      ? `missing ${missing}, invented ${invented}, stored ${stored.length} of ${wanted.size}`
      : !chain.ok
        ? `chain: ${chain.faults.join('; ') || 'a batch does not verify'}`
        : null;
  return { punches: stored.length, batches: counts.batches, fault };
}

function printReport(found: Report, io: DemoOutput): void {
  for (const line of found.table) io.out(line);
  io.out('');
  for (const line of found.reasons) io.out(line);
  io.out('');
}

export async function runDemo(args: DemoArguments, io: DemoOutput, signal: AbortSignal): Promise<number> {
  const wire = systemClock();
  const midnight = dateAt(DATE, '00:00', DEMO_ZONE);
  const world = steppedClock(instant(midnight + DAY_BEGINS * 1000));
  const { drivers, version, seed } = args;
  await using room = await openClassroom({
    date: DATE,
    world,
    drivers,
    version,
    port: args.port ?? (args.once ? 0 : 8080),
    broker: args.broker ?? null,
    seed,
  });
  const stage: Stage = { room, world, wire, signal, midnight, seed };
  for (const line of room.story) io.err(line);
  io.err(`状态页 status page ${room.gateway.url()}`);
  const show = (): void => {
    if (!io.tty) return;
    const now = instantToWall(world.now(), DEMO_ZONE);
    const { pendingRecords, pendingBatches } = room.gateway.status();
    const lines = [
      ...report(room.gateway, DEMO_CLASS, DATE).table,
      '',
      `${now}  待确认 unacknowledged ${pendingRecords} 条 records / ${pendingBatches} 批 batches  ${room.gateway.url()}`,
    ];
    io.out(`\u001b[2J\u001b[H${lines.join('\n')}`);
  };
  try {
    if (args.once) await playOnce(stage);
    else await playLive(stage, args.speed, show);
    await closeDay(stage);
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  }
  if (io.tty && !args.once) io.out('\u001b[2J\u001b[H');
  printReport(report(room.gateway, DEMO_CLASS, DATE), io);
  const verdict = compare(room);
  if (verdict.fault !== null) {
    io.err(
      `平台数据与考勤机不一致：${verdict.fault}。 The platform's store differs from the terminals: ${verdict.fault}.`,
    );
    return 1;
  }
  io.out(`verified: ${verdict.punches} punches, ${verdict.batches} batches`);
  if (!args.once && io.tty) {
    io.err(
      `一天结束。状态页仍可查看：${room.gateway.url()}（Ctrl+C 结束）。 The day is over; the page stays open until Ctrl+C.`,
    );
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  return 0;
}
