/**
 * `rollcall pull`: talk to one terminal, print who it is and every punch, then a summary. Stores nothing, confirms
 * nothing to the terminal and so changes nothing there; exits 0 only when the read was complete.
 */
import { asGatewayError, fail } from '../core/errors.js';
import type { Duplex } from 'node:stream';
import { formatReach, hostAndPort, isListening, parseReach, type ListenReach } from '../core/reach.js';
import { linkedController, systemClock, within, type Clock, type WallTime, type Zone } from '../core/time.js';
import type { Driver, Finding, PunchPage, PunchRecord, TerminalIdentity, Wire } from '../drivers/driver.js';
import { createSwitchboard, type Callable, type Switchboard } from '../flows/reception.js';
import { createLinks, type Links } from '../links/open.js';
import { CAPTURE_BYTES_MAX, createTap } from '../links/tap.js';
import { saveCapture } from './capture.js';
import { punchJson, punchLine } from './punch-text.js';
import { silentLog } from '../core/log.js';
import { EXIT, progressLine, reportError, type Console } from './console.js';
import { checkOptions, findDriver, parseSets, parseSince, secretsInArguments } from './options.js';

export interface PullArguments {
  readonly driver: string;
  readonly reach: string;
  readonly set: readonly string[];
  /** Only print punches from this wall time on (`YYYY-MM-DD` or `YYYY-MM-DD HH:mm:ss`). */
  readonly since?: string;
  /** Go on listening for new punches for this many seconds. */
  readonly forSeconds?: number;
  readonly zone: Zone;
  /** Write everything that crosses the wire into this capture file. */
  readonly captureFile?: string;
}

/** Longer than anybody waits; a terminal may call once a day. */
const FOREVER_MS = 2_000_000_000;

interface Tally {
  announced: number | null;
  decoded: number;
  printed: number;
  noise: number;
  drained: boolean;
  live: number;
}

function printIdentity(identity: TerminalIdentity, clock: WallTime | null, io: Console): void {
  if (io.json) {
    io.out(
      JSON.stringify({
        kind: 'identity',
        serial: identity.serial,
        model: identity.model,
        firmware: identity.firmware,
        clock,
        details: identity.details,
      }),
    );
    return;
  }
  io.out(
    `序列号 serial ${identity.serial}  型号 model ${identity.model ?? '?'}  固件 firmware ${identity.firmware ?? '?'}  时钟 clock ${clock ?? '?'}`,
  );
}

function takePage(page: PunchPage, tally: Tally, print: (punch: PunchRecord) => void): void {
  for (const punch of page.punches) {
    if (tally.drained) tally.live += 1;
    print(punch);
  }
  if (!page.count && !tally.drained) tally.decoded += page.punches.length;
  if (page.count) {
    tally.announced = page.count.announced;
    tally.decoded = page.count.decoded;
  }
  if (page.drained) tally.drained = true;
}

/** How the terminal is talked to once a link is there. */
type Around = Pick<Wire, 'dial' | 'nextCall' | 'host'>;

interface Pull {
  readonly driver: Driver;
  readonly options: unknown;
  readonly args: PullArguments;
  readonly tally: Tally;
  readonly io: Console;
  readonly note: (finding: Finding) => void;
  readonly print: (serial: string) => (punch: PunchRecord) => void;
  readonly clock: Clock;
}

/** One terminal from identity to the last page; goes on listening where the arguments say so. */
async function readTerminal(link: Duplex, around: Around, pull: Pull, signal: AbortSignal): Promise<void> {
  const { driver, args, clock, io } = pull;
  const wire: Wire = { clock, note: pull.note, zone: args.zone, ...around };
  await using session = await driver.open(link, pull.options, wire, signal);
  const identity = await session.identify();
  printIdentity(identity, (await session.readClock?.()) ?? null, io);
  for await (const page of session.pages(null, { follow: args.forSeconds !== undefined }))
    takePage(page, pull.tally, pull.print(identity.serial));
}

/** Serves whoever calls: one session for each terminal, until the time is up, or until the first one is read. */
async function readCallers(reach: ListenReach, links: Links, pull: Pull, signal: AbortSignal): Promise<void> {
  const { driver, options, clock, io } = pull;
  if (!driver.called)
    throw fail('bad-reach', {
      reach: formatReach(reach),
      reason: `terminals of ${driver.name} do not call`,
      reasonZh: `${driver.name} 的考勤机不会主动呼叫`,
    });
  const over = linkedController(signal);
  let done: (error: unknown) => void = () => undefined;
  const first = new Promise<unknown>((resolve) => (done = resolve));
  const known = new Map<string, Callable>();
  const begin = (serial: string | null): Callable => {
    const one: Callable = { id: serial ?? '', driver, options, serial, reach };
    known.set(one.id, one);
    const nextCall = (ended: AbortSignal): ReturnType<Switchboard['next']> => switchboard.next(one.id, ended);
    const reading = async (): Promise<void> => {
      await using link = await nextCall(over.signal);
      await readTerminal(link, { dial: null, nextCall, host: null }, pull, over.signal);
    };
    void reading().then(
      () => done(null),
      (error: unknown) => {
        known.delete(one.id);
        if (!over.signal.aborted) done(error);
      },
    );
    return one;
  };
  // One that waits for us to speak is nobody's until we have spoken: whoever calls first is the one.
  const silent: Callable[] = driver.called.waitsForUs ? [{ id: '', driver, options, serial: null, reach }] : [];
  const switchboard = createSwitchboard({
    ...{ terminals: silent, drivers: [driver], zone: pull.args.zone, clock, wire: clock, log: silentLog() },
    adopt: (_driver, serial) => known.get(serial ?? '') ?? begin(serial),
  });
  if (silent.length > 0) begin(null);
  try {
    const listening = await links.listen(
      reach,
      (link, peer) => switchboard.answer(link, peer, reach, over.signal),
      over.signal,
    );
    io.err(
      `正在监听端口 ${listening.port}，等待考勤机呼叫。 Listening on port ${listening.port} for terminals that call.`,
    );
    const ended = await within(clock, FOREVER_MS, signal, first);
    if (ended instanceof Error) throw ended;
  } finally {
    over.end();
  }
}

export async function runPull(
  args: PullArguments,
  drivers: readonly Driver[],
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const driver = findDriver(drivers, args.driver);
  const reach = parseReach(args.reach, driver.defaultPort ?? undefined);
  const options = checkOptions(driver.options, parseSets(args.set), driver.name);
  const since = args.since === undefined ? null : parseSince(args.since);
  for (const name of secretsInArguments(args.set))
    io.err(
      `! ${name}：命令行参数会被本机其他用户看到，请改用 --set ${name}File=文件。 Other users of this machine can read arguments; use --set ${name}File=FILE.`,
    );
  const clock = systemClock();
  const tally: Tally = { announced: null, decoded: 0, printed: 0, noise: 0, drained: false, live: 0 };
  const progress = progressLine(io);
  const note = (finding: Finding): void => {
    if (finding.code === 'noise') tally.noise += Number(finding.data?.bytes ?? 0);
    else if (!io.json && !signal.aborted) io.err(`! ${finding.code}: ${finding.text}`);
  };
  const print =
    (serial: string) =>
    (punch: PunchRecord): void => {
      if (since !== null && punch.wallTime < since) return;
      tally.printed += 1;
      if (tally.printed % 1000 === 0) progress.show(`${tally.printed} 条打卡 punches …`);
      io.out(io.json ? JSON.stringify(punchJson(punch, serial, args.zone)) : punchLine(punch));
    };
  const pull: Pull = { driver, options, args, tally, io, note, print, clock };

  let exit: number = EXIT.good;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const tap = createTap(clock, args.captureFile === undefined ? {} : { sizeBytesMax: CAPTURE_BYTES_MAX });
  await using links = createLinks({ clock, log: silentLog(), tap });
  const talk = async (): Promise<void> => {
    if (isListening(reach)) return readCallers(reach, links, pull, both);
    await using link = await links.open(reach, both);
    const network = 'host' in reach;
    const around: Around = {
      host: network ? hostAndPort(reach) : null,
      dial: network ? (ended) => links.open(reach, ended) : null,
      nextCall: null,
    };
    await readTerminal(link, around, pull, both);
  };
  try {
    const talking = talk();
    if (args.forSeconds !== undefined && (await within(clock, args.forSeconds * 1000, signal, talking)) === 'late')
      stop.abort();
    await talking.catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  } catch (error) {
    progress.end();
    // A person who presses Ctrl+C knows why it ends: what was read is summed up below.
    if (signal.aborted) io.err('已中断。 Interrupted.');
    else exit = reportError(asGatewayError(error), io);
  }
  progress.end();
  if (args.captureFile !== undefined) await saveCapture(args.captureFile, { tap, reach, driver, options, io });
  return conclude(tally, exit, io);
}

function conclude(tally: Tally, exit: number, io: Console): number {
  const complete = tally.drained && (tally.announced === null || tally.decoded >= tally.announced);
  const summary = { announced: tally.announced, decoded: tally.decoded, noise: tally.noise };
  if (io.json)
    io.out(JSON.stringify({ kind: 'summary', ...summary, printed: tally.printed, live: tally.live, complete }));
  else io.out(JSON.stringify(summary));
  if (exit === EXIT.good && !complete) {
    io.err(
      '读取不完整，请再试一次；切勿清空考勤机。 The read is not complete; try again, and never clear the terminal.',
    );
    return EXIT.no;
  }
  return exit;
}
