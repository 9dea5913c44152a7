/**
 * `rollcall discover`: which terminals are there. It asks by broadcast where a protocol has a word for it, lists the serial
 * ports by the names that stay, looks at every address of a subnet on request, and shows who has called the running gateway
 * without belonging to any setting. `--adopt` writes such a caller into the settings. It changes nothing on any terminal.
 */
import { readFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { asGatewayError, fail, type GatewayError } from '../core/errors.js';
import { formatYaml, parseLocated, toPlain } from '../core/located.js';
import { silentLog } from '../core/log.js';
import { formatReach, hostAndPort, type Reach } from '../core/reach.js';
import { linkedController, systemClock, within, type Clock, type Zone } from '../core/time.js';
import type { Driver, TerminalIdentity, Wire } from '../drivers/driver.js';
import { broadcast, broadcastAddresses } from '../links/datagram.js';
import { createLinks, type Links } from '../links/open.js';
import { listSerialPorts } from '../links/serial.js';
import { loadSettings } from '../settings.js';
import { faultLines } from './check-config.js';
import { EXIT, progressLine, type Console } from './console.js';

export interface DiscoverArguments {
  /** Subnet to look at, such as `192.168.1.0/24`. */
  readonly scan?: string;
  /** Settings of the running gateway: who called it. */
  readonly config?: string;
  /** Serial number of a caller to adopt. */
  readonly adopt?: string;
  /** Its id in the settings. */
  readonly as?: string;
  /** Seconds to wait for answers to a broadcast. */
  readonly seconds: number;
  readonly zone: Zone;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Something found, as it is printed. */
export interface Found {
  readonly how: 'broadcast' | 'scan' | 'serial' | 'call';
  readonly driver: string | null;
  /** How the settings would reach it. */
  readonly reach: string;
  readonly serial: string | null;
  readonly model: string | null;
  readonly firmware: string | null;
  /** Why it did not tell more, or what the port is; null when it told everything. */
  readonly note: string | null;
  readonly noteZh: string | null;
}

const PROBE_MS = 1500;
const IDENTIFY_MS = 8000;
const PROBES_AT_ONCE = 64;
const ADDRESSES_MAX = 1024;

/** The addresses of a subnet without its first and last; throws `bad-argument`. */
export function addressesOf(cidr: string): readonly string[] {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const bytes = match?.slice(1, 5).map(Number) ?? [];
  const bits = Number(match?.[5] ?? 0);
  if (!match || bytes.some((byte) => byte > 255) || bits > 32 || 2 ** (32 - bits) > ADDRESSES_MAX) {
    throw fail('bad-argument', {
      argument: `--scan ${cidr}`,
      reason: 'write a subnet of at most 1024 addresses, such as 192.168.1.0/24',
      reasonZh: '请写成不超过 1024 个地址的网段，如 192.168.1.0/24',
    });
  }
  const size = 2 ** (32 - bits);
  const base = Math.floor(bytes.reduce((sum, byte) => sum * 256 + byte, 0) / size) * size;
  const [from, to] = size > 2 ? [base + 1, base + size - 1] : [base, base + size];
  return Array.from({ length: to - from }, (_, index) =>
    [24, 16, 8, 0].map((shift) => Math.floor((from + index) / 2 ** shift) % 256).join('.'),
  );
}

interface Search {
  readonly drivers: readonly Driver[];
  readonly links: Links;
  readonly clock: Clock;
  readonly zone: Zone;
  readonly found: (one: Found) => void;
}

async function searchByBroadcast(search: Search, seconds: number, signal: AbortSignal): Promise<void> {
  const over = linkedController(signal);
  const seen = new Set<string>();
  const asking = search.drivers.flatMap((driver) => {
    const { search: protocol } = driver;
    if (!protocol) return [];
    const onAnswer = (datagram: Uint8Array, from: string): void => {
      const told = protocol.read(datagram);
      if (told === null || seen.has(`${driver.name} ${told.serial}`)) return;
      seen.add(`${driver.name} ${told.serial}`);
      const host = told.address ?? from;
      const reach: Reach = { kind: 'tcp', host, port: driver.defaultPort ?? protocol.port };
      const { serial, model, firmware } = told;
      search.found({
        ...{ how: 'broadcast', driver: driver.name, reach: formatReach(reach), serial, model, firmware },
        ...{ note: null, noteZh: null },
      });
    };
    return [broadcast(protocol, broadcastAddresses(), onAnswer, over.signal)];
  });
  try {
    await search.clock.sleep(seconds * 1000, signal);
  } finally {
    over.end();
    await Promise.all(asking);
  }
}

/** Who answers there. Nothing is read but the identity; a terminal with a password says so. */
async function identify(driver: Driver, reach: Reach, search: Search, signal: AbortSignal): Promise<TerminalIdentity> {
  const { links, clock, zone } = search;
  const over = linkedController(signal);
  const open = async (): Promise<TerminalIdentity> => {
    await using link = await links.open(reach, over.signal, { timeoutMs: PROBE_MS });
    const wire: Wire = {
      ...{ clock, note: () => undefined, zone, nextCall: null },
      host: 'host' in reach ? hostAndPort(reach) : null,
      dial: (ended) => links.open(reach, ended),
    };
    await using session = await driver.open(link, driver.options.parse({}), wire, over.signal);
    return await session.identify();
  };
  try {
    const told = await within(clock, IDENTIFY_MS, signal, open());
    if (told === 'late')
      throw fail('link-silent', { ms: IDENTIFY_MS, waitingFor: 'identity', waitingForZh: '设备信息' });
    return told;
  } finally {
    over.end();
  }
}

/** The first of the drivers that live at a port whose language is understood there. */
async function probe(host: string, port: number, search: Search, signal: AbortSignal): Promise<void> {
  const { drivers, links, found } = search;
  const tcp: Reach = { kind: 'tcp', host, port };
  const open = await links.open(tcp, signal, { timeoutMs: PROBE_MS }).catch(() => null);
  if (open === null) return;
  await open[Symbol.asyncDispose]();
  let trouble: GatewayError | null = null;
  for (const driver of drivers.filter((one) => one.defaultPort === port)) {
    const kind = driver.reaches.has('tcp') ? 'tcp' : driver.reaches.has('http') ? 'http' : null;
    if (kind === null) continue;
    const reach: Reach = { kind, host, port };
    const entry = { how: 'scan', driver: driver.name, reach: formatReach(reach) } as const;
    if (!driver.options.safeParse({}).success) {
      // Without an account nothing can be asked; a person decides between the makers of this port.
      const note = 'the port is open; an account is needed to ask further';
      found({ ...entry, serial: null, model: null, firmware: null, note, noteZh: '端口开放，需要账号才能识别' });
      continue;
    }
    try {
      const { serial, model, firmware } = await identify(driver, reach, search, signal);
      found({ ...entry, serial, model, firmware, note: null, noteZh: null });
      return;
    } catch (error) {
      trouble = asGatewayError(error);
      if (trouble.code === 'auth-refused') {
        const [note, noteZh] = [trouble.explain('en').what, trouble.explain('zh').what];
        found({ ...entry, serial: null, model: null, firmware: null, note, noteZh });
        return;
      }
    }
  }
  if (trouble) {
    const [note, noteZh] = [trouble.explain('en').what, trouble.explain('zh').what];
    const entry = { how: 'scan', driver: null, reach: formatReach(tcp), serial: null } as const;
    found({ ...entry, model: null, firmware: null, note, noteZh });
  }
}

async function scan(hosts: readonly string[], search: Search, io: Console, signal: AbortSignal): Promise<void> {
  const ports = [
    ...new Set(
      search.drivers
        .filter((one) => one.reaches.has('tcp') || one.reaches.has('http'))
        .flatMap((one) => one.defaultPort ?? []),
    ),
  ];
  const waiting = hosts.flatMap((host) => ports.map((port) => ({ host, port })));
  const total = waiting.length;
  const progress = progressLine(io);
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one && !signal.aborted; one = waiting.shift()) {
      progress.show(`${total - waiting.length}/${total} ${one.host}`);
      await probe(one.host, one.port, search, signal);
    }
  };
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, work));
  progress.end();
}

/** Who called the running gateway and belongs to no setting. Throws `gateway-away` when it does not answer. */
async function callers(url: string, signal: AbortSignal, clock: Clock): Promise<readonly Found[]> {
  interface Caller {
    readonly driver: string | null;
    readonly serial: string | null;
    readonly peer: string;
    readonly port: string;
    readonly window: string | null;
    readonly calls: number;
  }
  const asked = fetch(`${url}/readyz`, { signal }).then(
    async (answer) => (await answer.json()) as { readonly unclaimed: readonly Caller[] },
  );
  const status = await within(clock, 5000, signal, asked).catch((error: unknown) => {
    throw fail('gateway-away', { url }, error);
  });
  if (status === 'late') throw fail('gateway-away', { url });
  return status.unclaimed.map(({ driver, serial, peer, port, window, calls }) => ({
    ...{ how: 'call', driver, serial, model: null, firmware: null },
    reach: `tcp-listen://${port}`,
    note: `${calls} calls from ${peer}${window === null ? '' : `, first bytes ${window}`}`,
    noteZh: `来自 ${peer}，共 ${calls} 次${window === null ? '' : `，首字节 ${window}`}`,
  }));
}

/** The file that programs write; people write the others. */
const PAGE_FILE = '90-page.yaml';

/** Writes a caller into `conf.d/90-page.yaml`; the settings as a whole must be sound afterwards, else nothing is changed. */
function adopt(
  args: DiscoverArguments & { readonly config: string },
  caller: Found,
  drivers: readonly Driver[],
  io: Console,
): number {
  const id = args.as ?? '';
  const file = join(dirname(resolve(args.config)), 'conf.d', PAGE_FILE);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : null;
  // Lists of several files are joined by id: one that is taken would change another terminal.
  if (loadSettings(args.config, { env: args.env, drivers }).units.some(({ unit }) => unit === `terminal:${id}`))
    throw fail('bad-argument', {
      argument: `--as ${id}`,
      reason: 'another terminal of the settings has this id; choose another',
      reasonZh: '设置中已有此编号的考勤机，请另取编号',
    });
  const { root } = parseLocated(file, before ?? '');
  const plain = (root === null ? {} : toPlain(root)) as { readonly terminals?: readonly object[] };
  const driver = drivers.find((one) => one.name === caller.driver);
  const kind = ['ws-listen', 'http-listen', 'tcp-listen'].find((one) => driver?.reaches.has(one as Reach['kind']));
  const reach = caller.reach.replace(/^tcp-listen/, kind ?? 'tcp-listen');
  const terminal = { id, driver: caller.driver, reach, serial: caller.serial };
  const text = formatYaml({ ...plain, terminals: [...(plain.terminals ?? []), terminal] });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text, { mode: 0o640 });
  renameSync(`${file}.new`, file);
  const { faults } = loadSettings(args.config, { env: args.env, drivers });
  const wrong = faults.filter(
    (fault) => fault.severity === 'error' && (fault.unit === `terminal:${id}` || fault.unit === null),
  );
  if (wrong.length > 0) {
    if (before === null) rmSync(file);
    else writeFileSync(file, before);
    for (const fault of wrong) for (const line of faultLines(fault, fault.unit)) io.err(line);
    return EXIT.usage;
  }
  io.err(
    `已登记为 ${id}，写入 ${file}。请执行 systemctl reload rollcall 使其生效。 Adopted as ${id}, written to ${file}. Run "systemctl reload rollcall" to use it.`,
  );
  return EXIT.good;
}

function print(one: Found, io: Console): void {
  if (io.json) {
    io.out(JSON.stringify({ kind: 'found', ...one }));
    return;
  }
  const words = [one.driver ?? '?', one.reach, one.serial ?? '', one.model ?? '', one.firmware ?? ''];
  io.out(
    `${words.filter((word) => word !== '').join('  ')}${one.noteZh === null ? '' : `  （${one.noteZh} ${one.note ?? ''}）`}`,
  );
}

export async function runDiscover(
  args: DiscoverArguments,
  drivers: readonly Driver[],
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const clock = systemClock();
  if (args.adopt !== undefined && (args.config === undefined || args.as === undefined)) {
    throw fail('bad-argument', {
      argument: '--adopt',
      reason: 'it needs --config FILE and --as ID',
      reasonZh: '须同时给出 --config 文件 和 --as 编号',
    });
  }
  if (args.config !== undefined) {
    const { fallback } = loadSettings(args.config, { env: args.env, drivers });
    const url = `http://${hostAndPort({ kind: 'http', ...fallback.web })}`;
    const known = await callers(url, signal, clock);
    if (args.adopt !== undefined) {
      const caller = known.find((one) => one.driver !== null && one.serial === args.adopt);
      if (!caller) throw fail('not-called', { serial: args.adopt });
      return adopt({ ...args, config: args.config }, caller, drivers, io);
    }
    for (const one of known) print(one, io);
    if (known.length === 0) io.err('没有未登记的考勤机呼叫过本网关。 No unclaimed terminal has called the gateway.');
    return EXIT.good;
  }
  const hosts = args.scan === undefined ? [] : addressesOf(args.scan);
  let count = 0;
  await using links = createLinks({ clock, log: silentLog() });
  const search: Search = {
    ...{ drivers, links, clock, zone: args.zone },
    found: (one) => {
      count += 1;
      print(one, io);
    },
  };
  // The names of serial ports come from udev; a machine without it has the rest all the same.
  const ports = await listSerialPorts().catch(() => {
    io.err('无法列出串口(udevadm)。 Serial ports cannot be listed (udevadm).');
    return [];
  });
  for (const port of ports) {
    const path = port.byId ?? port.path;
    const maker = [port.maker, port.vendorId && `${port.vendorId}:${port.productId ?? ''}`].filter(Boolean).join(' ');
    const note = `serial port ${port.path} ${maker}`.trim();
    search.found({
      ...{ how: 'serial', driver: null, reach: `serial://${path}`, serial: null, model: null, firmware: null },
      ...{ note, noteZh: `串口 ${port.path} ${maker}`.trim() },
    });
  }
  await searchByBroadcast(search, args.seconds, signal);
  if (hosts.length > 0) await scan(hosts, search, io, signal);
  if (count === 0)
    io.err(
      '没有找到。可用 --scan 192.168.1.0/24 扫描网段；由考勤机呼叫网关的型号请看 --config。 Nothing found. Try --scan 192.168.1.0/24; for terminals that call the gateway see --config.',
    );
  return count === 0 ? EXIT.no : EXIT.good;
}
