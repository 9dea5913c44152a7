/**
 * What the codes of MQTT and of the platform mean for us: reason code to error, error to how long to wait (upstream §5,
 * §13). Pure tables, so that every refusal has its own words on the page. Refuses nothing: an unknown code is named by number.
 */
import { fail, systemCode, type ErrorCode, type GatewayError } from '../core/errors.js';
import type { RejCode } from './messages.js';

/** Names of MQTT 5 reason codes from 0x80 on (MQTT 5, table 2-6) and of 3.1.1 return codes (3.1.1, table 3.1). */
const REASONS: Readonly<Record<number, string>> = {
  1: 'unacceptable protocol version',
  2: 'identifier rejected',
  3: 'server unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
  0x80: 'unspecified error',
  0x81: 'malformed packet',
  0x82: 'protocol error',
  0x83: 'implementation specific error',
  0x84: 'unsupported protocol version',
  0x85: 'client identifier not valid',
  0x86: 'bad user name or password',
  0x87: 'not authorized',
  0x88: 'server unavailable',
  0x89: 'server busy',
  0x8a: 'banned',
  0x8b: 'server shutting down',
  0x8c: 'bad authentication method',
  0x8d: 'keep alive timeout',
  0x8e: 'session taken over',
  0x8f: 'topic filter invalid',
  0x90: 'topic name invalid',
  0x91: 'packet identifier in use',
  0x93: 'receive maximum exceeded',
  0x94: 'topic alias invalid',
  0x95: 'packet too large',
  0x96: 'message rate too high',
  0x97: 'quota exceeded',
  0x98: 'administrative action',
  0x99: 'payload format invalid',
  0x9a: 'retain not supported',
  0x9b: 'QoS not supported',
  0x9c: 'use another server',
  0x9d: 'server moved',
  0x9e: 'shared subscriptions not supported',
  0x9f: 'connection rate exceeded',
  0xa0: 'maximum connect time',
  0xa1: 'subscription identifiers not supported',
  0xa2: 'wildcard subscriptions not supported',
};

/** `0x87 not authorized`; 3.1.1 codes are written as plain numbers. */
export function reasonText(code: number): string {
  const name = REASONS[code] ?? 'unknown reason';
  return code < 0x80 ? `${code} ${name}` : `0x${code.toString(16).toUpperCase().padStart(2, '0')} ${name}`;
}

const BUSY = new Set([0x89, 0x97, 0x9f]);
const AWAY = new Set([3, 0x80, 0x83, 0x88, 0x8b]);
const VERSION = new Set([1, 0x84]);
const LOGIN = new Set([4, 0x86, 0x8c]);
const RIGHTS = new Set([5, 0x87, 0x8a]);
const IDENTITY = new Set([2, 0x85]);

/** The error of a CONNACK that refuses, by its code in version 5 or 3.1.1. */
export function connackError(code: number, broker: string): GatewayError {
  const context = { broker, reason: reasonText(code) };
  if (BUSY.has(code)) return fail('uplink-busy', context);
  if (AWAY.has(code)) return fail('uplink-away', context);
  if (VERSION.has(code)) return fail('uplink-version', context);
  if (LOGIN.has(code)) return fail('uplink-login', context);
  if (RIGHTS.has(code)) return fail('uplink-forbidden', context);
  if (IDENTITY.has(code)) return fail('uplink-identity', context);
  return fail('uplink-refused', context);
}

/** The error of a DISCONNECT that the broker sent in an established connection. */
export function disconnectError(code: number, broker: string): GatewayError {
  if (code === 0x8e) return fail('uplink-taken-over', { broker });
  if (BUSY.has(code)) return fail('uplink-busy', { broker, reason: reasonText(code) });
  if (RIGHTS.has(code)) return fail('uplink-forbidden', { broker, reason: reasonText(code) });
  return fail('uplink-lost', { broker, reason: reasonText(code) });
}

const CERTIFICATE = /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|EPROTO)/;

/** The error of a TCP or TLS connection that did not come about. */
export function dialError(cause: unknown, broker: string): GatewayError {
  const code = systemCode(cause);
  const reason = code ?? (cause instanceof Error ? cause.message.slice(0, 120) : 'unknown');
  return fail(
    code !== undefined && CERTIFICATE.test(code) ? 'uplink-tls' : 'uplink-unreachable',
    { broker, reason },
    cause,
  );
}

/** Refusals that only a person can settle, and a takeover: ten minutes (§5). */
const LONG: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'uplink-login',
  'uplink-forbidden',
  'uplink-identity',
  'uplink-version',
  'uplink-tls',
  'uplink-taken-over',
  'uplink-subscribe-refused',
  'uplink-files',
]);

/** How long an error asks us to stay away, besides the usual backoff. */
export function patienceOf(error: GatewayError): 'usual' | 'busy' | 'long' {
  if (LONG.has(error.code)) return 'long';
  return error.code === 'uplink-busy' ? 'busy' : 'usual';
}

const REJECTIONS: Readonly<Record<Exclude<RejCode, 'busy'>, ErrorCode>> = {
  sig: 'platform-rej-sig',
  key: 'platform-rej-key',
  epoch: 'platform-rej-epoch',
  fork: 'platform-fork',
  chain: 'platform-rej-chain',
  big: 'platform-rej-big',
};

/** The error of a code in `rej` (§13) that stops the stream; null for `busy`, which only delays it. */
export function rejectionError(code: string, seq: number): GatewayError | null {
  if (code === 'busy') return null;
  const known = Object.hasOwn(REJECTIONS, code) ? REJECTIONS[code as keyof typeof REJECTIONS] : 'platform-rej-other';
  return fail(known, { seq, code });
}

const ALARMING: ReadonlySet<ErrorCode> = new Set(['platform-fork', 'platform-rej-chain', 'platform-rej-sig']);

/** Findings that somebody may have tampered (§13 "stop, alarm"), as against a platform that has yet to be told something. */
export function isAlarming(error: GatewayError | null): boolean {
  return error !== null && ALARMING.has(error.code);
}
