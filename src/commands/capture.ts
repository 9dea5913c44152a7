/**
 * Captures for people: written without the persons in them, and played back. `rollcall capture` records one reading with
 * every byte on the wire; names, numbers, passwords and photos are replaced before anything reaches the disk. `rollcall
 * replay` plays such a file to the driver as if the terminal were there.
 */
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { asGatewayError, fail, systemCode } from '../core/errors.js';
import { formatReach, hostAndPort, parseReach, type Reach } from '../core/reach.js';
import { systemClock, type Zone } from '../core/time.js';
import type { Driver, Finding, Wire } from '../drivers/driver.js';
import { createMasks } from '../drivers/masks.js';
import { replayCapture } from '../links/replay.js';
import { parseCapture, writeCapture, type Capture, type Tap } from '../links/tap.js';
import { EXIT, reportError, type Console } from './console.js';
import { checkOptions, findDriver, parseSets } from './options.js';
import { punchJson, punchLine } from './punch-text.js';

/**
 * A capture without the persons in it. Each connection and direction is scrubbed as one stream and cut again as it was, datagrams
 * too: a list of people or punches goes on from one to the next.
 */
export function scrubCapture(capture: Capture, driver: Driver, options: unknown): Capture {
  const masks = createMasks();
  const streams = new Map<string, number[]>();
  capture.entries.forEach((one, index) => {
    const key = `${one.connection} ${one.direction}`;
    streams.set(key, [...(streams.get(key) ?? []), index]);
  });
  const entries = [...capture.entries];
  for (const indices of streams.values()) {
    const whole = indices.flatMap((index) => entries[index] ?? []);
    const from = whole[0]?.direction === 'to-device' ? 'gateway' : 'device';
    const bytes = driver.scrub(options, from, Buffer.concat(whole.map((one) => one.bytes)), masks);
    let at = 0;
    for (const [position, entry] of whole.entries()) {
      entries[indices[position] ?? 0] = { ...entry, bytes: bytes.subarray(at, at + entry.bytes.length) };
      at += entry.bytes.length;
    }
  }
  return { ...capture, entries };
}

interface Recording {
  readonly tap: Tap;
  readonly reach: Reach;
  readonly driver: Driver;
  readonly options: unknown;
  readonly io: Console;
}

/** Writes what the tap has heard of a reach, scrubbed. */
export async function saveCapture(file: string, { tap, reach, driver, options, io }: Recording): Promise<void> {
  const where = formatReach(reach);
  // A port that terminals call has a stream for each of them.
  const heard = tap.reaches().filter((one) => one === where || one.startsWith(`${where} `));
  const header = { driver: driver.name, reach: where, scrubbed: 'yes' };
  const parts = heard.map((one) => tap.snapshot(one, header));
  let before = 0;
  const entries = parts.flatMap((part) => {
    const shifted = part.entries.map((one) => ({ ...one, connection: one.connection + before }));
    before += Math.max(0, ...part.entries.map((one) => one.connection));
    return shifted;
  });
  await writeCapture(file, scrubCapture({ header: parts[0]?.header ?? header, entries }, driver, options));
  io.err(
    `线路数据已写入 ${file}，姓名、编号和密码已替换。 Wire data written; names, numbers and passwords are replaced.`,
  );
}

export interface ReplayArguments {
  readonly file: string;
  /** Else the driver named in the header of the capture. */
  readonly driver?: string;
  readonly set: readonly string[];
  readonly zone: Zone;
}

/** A session may take a while over the last bytes. */
const QUIET_MS = 2000;

/** What the gateway called the terminal when the capture was made. */
function hostOf(text: string): string | null {
  const reach = text === '' ? null : parseReach(text);
  return reach !== null && 'host' in reach ? hostAndPort(reach) : null;
}

/** `rollcall replay FILE`: the punches that a driver reads from a capture; 0 if the session got as far as the capture goes. */
export async function runReplay(
  args: ReplayArguments,
  drivers: readonly Driver[],
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const text = await readFile(args.file, 'utf8').catch((error: unknown) => {
    throw fail('file-unreadable', { file: args.file, reason: systemCode(error) ?? 'unknown' }, error);
  });
  const capture = parseCapture(text);
  const driver = findDriver(drivers, args.driver ?? capture.header.driver ?? '');
  const options = checkOptions(driver.options, parseSets(args.set), driver.name);
  const clock = systemClock();
  const replay = replayCapture(capture, clock);
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const later = replay.links.slice(1);
  const [first] = replay.links;
  if (!first)
    throw fail('bad-argument', { argument: args.file, reason: 'it holds no bytes', reasonZh: '文件中没有数据' });
  const calls = capture.header.reach?.includes('-listen://') ?? false;
  const more = async (ended: AbortSignal): Promise<Duplex> => {
    const link = later.shift();
    if (link) return link;
    // The capture has no further connection: whoever waits for one learns it when the rest has been said and read.
    const over = AbortSignal.any([ended, both]);
    do await clock.sleep(QUIET_MS, over);
    while (!replay.finished());
    throw fail('link-closed');
  };
  const note = (finding: Finding): void => io.err(`! ${finding.code}: ${finding.text}`);
  const wire: Wire = {
    ...{ clock, note, zone: args.zone, host: calls ? null : hostOf(capture.header.reach ?? '') },
    ...{ dial: calls ? null : more, nextCall: calls ? more : null },
  };
  let punches = 0;
  try {
    await using session = await driver.open(first, options, wire, both);
    const identity = await session.identify();
    await session.readClock?.();
    io.err(`序列号 serial ${identity.serial}  型号 model ${identity.model ?? '?'}`);
    for await (const page of session.pages(null, { follow: false })) {
      punches += page.punches.length;
      for (const punch of page.punches)
        io.out(io.json ? JSON.stringify(punchJson(punch, identity.serial, args.zone)) : punchLine(punch));
    }
  } catch (error) {
    // A capture ends somewhere: then the line is closed, and that is no fault of the driver.
    if (!replay.finished()) return reportError(asGatewayError(error), io);
  } finally {
    stop.abort();
    for (const link of replay.links) link.on('error', () => undefined).destroy();
  }
  const summary = { punches, finished: replay.finished() };
  io.out(io.json ? JSON.stringify({ kind: 'summary', ...summary }) : JSON.stringify(summary));
  return punches > 0 || replay.finished() ? EXIT.good : EXIT.no;
}
