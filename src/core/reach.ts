/**
 * How a terminal is reached, one grammar for settings, definitions and commands (contract, "Reach"):
 * `tcp://host:port`, `tcp-listen://[host]:port`, `udp://host:port`, `serial:///dev/ttyUSB0?baud=115200&parity=none`.
 */
import { fail } from './errors.js';

export type Parity = 'none' | 'even' | 'odd';

export type Reach =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tcp-listen'; readonly host: string; readonly port: number }
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'serial';
      readonly path: string;
      readonly baud: number;
      readonly parity: Parity;
      readonly dataBits: 7 | 8;
      readonly stopBits: 1 | 2;
    };

const KINDS = ['tcp', 'tcp-listen', 'udp', 'serial'] as const;
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
  if (found === undefined) throw fail('bad-reach', { reach, reason: `${key} must be one of ${allowed.join(', ')}` });
  return found;
}

/** Parses a reach; throws `bad-reach` naming the part that is wrong. A missing port takes `defaultPort`. */
export function parseReach(text: string, defaultPort?: number): Reach {
  const bad = (reason: string): never => {
    throw fail('bad-reach', { reach: text, reason });
  };
  const scheme =
    /^([a-z-]+):\/\//.exec(text)?.[1] ??
    bad(`it must begin with one of ${KINDS.map((kind) => `${kind}://`).join(', ')}`);
  const kind = KINDS.find((known) => known === scheme) ?? bad(`"${scheme}" is not one of ${KINDS.join(', ')}`);
  const rest = text.slice(kind.length + 3);
  if (kind === 'serial') {
    const [path = '', query = ''] = rest.split('?', 2);
    if (!path.startsWith('/')) bad('the device path must be absolute, such as serial:///dev/ttyUSB0');
    const params = new URLSearchParams(query);
    for (const key of params.keys())
      if (!SERIAL_KEYS.includes(key)) bad(`unknown key "${key}"; known are ${SERIAL_KEYS.join(', ')}`);
    const baud = Number(params.get('baud') ?? '9600');
    if (!Number.isInteger(baud) || baud < 300 || baud > 4_000_000)
      bad('baud must be a whole number from 300 to 4000000');
    return {
      kind,
      path,
      baud,
      parity: oneOf(text, 'parity', params.get('parity'), ['none', 'even', 'odd'] as const, 'none'),
      dataBits: oneOf(text, 'dataBits', params.get('dataBits'), [7, 8] as const, 8),
      stopBits: oneOf(text, 'stopBits', params.get('stopBits'), [1, 2] as const, 1),
    };
  }
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:/?#[\]]*)(?::(\d{1,5}))?\/?$/.exec(rest) ?? bad('write host:port');
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  const port = match[2] === undefined ? (defaultPort ?? bad('the port is missing')) : Number(match[2]);
  if (port < (kind === 'tcp-listen' ? 0 : 1) || port > 65535) bad('the port must be from 1 to 65535');
  if (host === '' && kind !== 'tcp-listen') bad('the host is missing');
  return { kind, host: host === '' ? '0.0.0.0' : host, port };
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
  return `${reach.kind}://${reach.host.includes(':') ? `[${reach.host}]` : reach.host}:${reach.port}`;
}
