/**
 * `rollcall pull`: talk to one terminal, print who it is and every punch, then a summary. Stores nothing, confirms
 * nothing to the terminal and so changes nothing there; exits 0 only when the read was complete.
 */
import { asGatewayError } from '../core/errors.js';
import { parseReach, formatReach } from '../core/reach.js';
import { systemClock, within, type WallTime, type Zone, wallToInstant } from '../core/time.js';
import type { Driver, Finding, PunchPage, PunchRecord, TerminalIdentity, Wire } from '../drivers/driver.js';
import { createLinks } from '../links/open.js';
import { CAPTURE_BYTES_MAX, createTap, writeCapture } from '../links/tap.js';
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

interface Tally {
  announced: number | null;
  decoded: number;
  printed: number;
  noise: number;
  drained: boolean;
  live: number;
}

/** The punch model as one JSON object. */
export function punchJson(punch: PunchRecord, deviceSn: string | null, zone: Zone): Record<string, unknown> {
  const instant = wallToInstant(punch.wallTime, zone);
  return { kind: 'punch', deviceSn, ...punch, instant, raw: Buffer.from(punch.raw).toString('hex') };
}

export function punchLine(punch: PunchRecord): string {
  return `${punch.wallTime}  ${punch.deviceUserId.padEnd(16)}  ${punch.verify.padEnd(8)}  ${punch.direction.padEnd(9)}  ${punch.source}`;
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

  let exit: number = EXIT.good;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const tap = createTap(clock, args.captureFile === undefined ? {} : { sizeBytesMax: CAPTURE_BYTES_MAX });
  await using links = createLinks({ clock, log: silentLog(), tap });
  try {
    await using link = await links.open(reach, both);
    const wire: Wire = { clock, note, zone: args.zone, host: null, dial: null, nextCall: null };
    await using session = await driver.open(link, options, wire, both);
    const identity = await session.identify();
    printIdentity(identity, (await session.readClock?.()) ?? null, io);
    const follow = args.forSeconds !== undefined;
    const reading = (async () => {
      for await (const page of session.pages(null, { follow })) takePage(page, tally, print(identity.serial));
    })();
    if (follow) {
      if ((await within(clock, (args.forSeconds ?? 0) * 1000, signal, reading)) === 'late') stop.abort();
      await reading.catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    } else await reading;
  } catch (error) {
    progress.end();
    // A person who presses Ctrl+C knows why it ends: what was read is summed up below.
    if (signal.aborted) io.err('已中断。 Interrupted.');
    else exit = stop.signal.aborted ? EXIT.good : reportError(asGatewayError(error), io);
  }
  progress.end();
  if (args.captureFile !== undefined) {
    const where = formatReach(reach);
    await writeCapture(args.captureFile, tap.snapshot(where, { driver: driver.name, reach: where }));
    io.err(
      `线路数据已写入 ${args.captureFile}（含人员编号，请妥善保管）。 Wire data written; it contains user ids, keep it safe.`,
    );
  }
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
