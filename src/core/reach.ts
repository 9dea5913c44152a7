/**
 * How a terminal is reached, one grammar for settings, definitions and commands (contract, "Reach"), seen from the gateway:
 * it dials `tcp://host:port`, `udp://host:port`, `http://host:port`, `https://host:port?fingerprint=…`, `ws://host:port`; the
 * terminal calls `tcp-listen://[host]:port`, `http-listen://…`, `ws-listen://…`; `serial:///dev/ttyUSB0?baud=115200&parity=none`
 * is a line, `file:///media/usb/1_attlog.dat` a log that somebody carried here.
 */
import { fail } from './errors.js';

export type Parity = 'none' | 'even' | 'odd';

/** Ways to a network address, with the port that stands for none. */
const NETWORK = {
  tcp: null,
  'tcp-listen': null,
  udp: null,
  http: 80,
  https: 443,
  'http-listen': null,
  ws: null,
  'ws-listen': null,
} as const;

export type NetworkKind = keyof typeof NETWORK;
export type NetworkReach = {
  readonly [Kind in NetworkKind]: {
    readonly kind: Kind;
    readonly host: string;
    readonly port: number;
    /** SHA-256 of the certificate of an `https` terminal, lower-case hex: terminals sign their own. */
    readonly fingerprint?: string;
  };
}[NetworkKind];

export type Reach =
  | NetworkReach
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'serial';
      readonly path: string;
      readonly baud: number;
      readonly parity: Parity;
      readonly dataBits: 7 | 8;
      readonly stopBits: 1 | 2;
    };

export type ReachKind = Reach['kind'];

const NETWORK_KINDS = Object.keys(NETWORK) as NetworkKind[];
const KINDS: readonly ReachKind[] = [...NETWORK_KINDS, 'serial', 'file'];
const SERIAL_KEYS = ['baud', 'parity', 'dataBits', 'stopBits'];

function oneOf<T extends string | number>(
  reach: string,
  key: string,
  given: string | null,
  allowed: readonly T[],
  otherwise: T,
): T {
  if (given === null) return otherwise;
  const found = allowed.find((value) => String(value) === given);
  if (found === undefined) {
    const list = allowed.join(', ');
    throw fail('bad-reach', { reach, reason: `${key} must be one of ${list}`, reasonZh: `${key} 只能是 ${list}` });
  }
  return found;
}

/** Parses a reach; throws `bad-reach` naming the part that is wrong. A missing port takes `defaultPort`. */
export function parseReach(text: string, defaultPort?: number): Reach {
  const bad = (reason: string, reasonZh: string): never => {
    throw fail('bad-reach', { reach: text, reason, reasonZh });
  };
  const starts = KINDS.map((kind) => `${kind}://`).join(', ');
  const scheme =
    /^([a-z-]+):\/\//.exec(text)?.[1] ?? bad(`it must begin with one of ${starts}`, `开头必须是 ${starts} 之一`);
  const kinds = KINDS.join(', ');
  const kind =
    KINDS.find((known) => known === scheme) ??
    bad(`"${scheme}" is not one of ${kinds}`, `“${scheme}” 不是 ${kinds} 之一`);
  const rest = text.slice(kind.length + 3);
  if (kind === 'serial') {
    const [path = '', query = ''] = rest.split('?', 2);
    if (!path.startsWith('/'))
      bad('the device path must be absolute, such as serial:///dev/ttyUSB0', '设备路径必须是绝对路径');
    const params = new URLSearchParams(query);
    for (const key of params.keys())
      if (!SERIAL_KEYS.includes(key)) {
        const known = SERIAL_KEYS.join(', ');
        bad(`unknown key "${key}"; known are ${known}`, `没有参数 “${key}”，可用的有 ${known}`);
      }
    const baud = Number(params.get('baud') ?? '9600');
    if (!Number.isInteger(baud) || baud < 300 || baud > 4_000_000)
      bad('baud must be a whole number from 300 to 4000000', 'baud 必须是 300 到 4000000 的整数');
    return {
      kind,
      path,
      baud,
      parity: oneOf(text, 'parity', params.get('parity'), ['none', 'even', 'odd'] as const, 'none'),
      dataBits: oneOf(text, 'dataBits', params.get('dataBits'), [7, 8] as const, 8),
      stopBits: oneOf(text, 'stopBits', params.get('stopBits'), [1, 2] as const, 1),
    };
  }
  if (kind === 'file') {
    if (!rest.startsWith('/'))
      bad('the path must be absolute, such as file:///media/usb/1_attlog.dat', '文件路径必须是绝对路径');
    return { kind, path: rest };
  }
  const [address = '', query] = rest.split('?', 2);
  const fingerprint = query === undefined ? undefined : fingerprintOf(kind, query, bad);
  const match =
    /^(\[[0-9a-fA-F:.]+\]|[^:/?#[\]]*)(?::(\d{1,5}))?\/?$/.exec(address) ?? bad('write host:port', '请写成 主机:端口');
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  const port =
    match[2] === undefined
      ? (NETWORK[kind] ?? defaultPort ?? bad('the port is missing', '缺少端口'))
      : Number(match[2]);
  const listens = kind.endsWith('-listen');
  if (port < (listens ? 0 : 1) || port > 65535) bad('the port must be from 1 to 65535', '端口必须是 1 到 65535');
  if (host === '' && !listens) bad('the host is missing', '缺少主机');
  return { kind, host: host === '' ? '0.0.0.0' : host, port, ...(fingerprint === undefined ? {} : { fingerprint }) };
}

function fingerprintOf(kind: ReachKind, query: string, bad: (reason: string, reasonZh: string) => never): string {
  const [key = '', value = ''] = query.split('=', 2);
  if (kind !== 'https' || key !== 'fingerprint') bad(`unknown key "${key}"`, `没有参数 “${key}”`);
  const fingerprint = value.replace(/:/g, '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(fingerprint))
    bad(
      'fingerprint is the SHA-256 of the certificate, 64 hex digits',
      'fingerprint 是证书的 SHA-256，64 位十六进制数',
    );
  return fingerprint;
}

export type ListenReach = Extract<NetworkReach, { kind: `${string}-listen` }>;

/** Whether the terminal calls us. */
export function isListening(reach: Reach): reach is ListenReach {
  return reach.kind.endsWith('-listen');
}

/** The reach in the grammar above, defaults left out. */
export function formatReach(reach: Reach): string {
  if (reach.kind === 'serial') {
    const params = [`baud=${reach.baud}`];
    if (reach.parity !== 'none') params.push(`parity=${reach.parity}`);
    if (reach.dataBits !== 8) params.push(`dataBits=${reach.dataBits}`);
    if (reach.stopBits !== 1) params.push(`stopBits=${reach.stopBits}`);
    return `serial://${reach.path}?${params.join('&')}`;
  }
  if (reach.kind === 'file') return `file://${reach.path}`;
  const query = reach.fingerprint === undefined ? '' : `?fingerprint=${reach.fingerprint}`;
  return `${reach.kind}://${hostAndPort(reach)}${query}`;
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(reach: NetworkReach): string {
  return `${reach.host.includes(':') ? `[${reach.host}]` : reach.host}:${reach.port}`;
}
