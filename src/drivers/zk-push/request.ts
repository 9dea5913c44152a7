/**
 * What a request of a terminal is: by path (with or without `.aspx`), query and table. Also how a caller is recognised from
 * its first bytes, and how one is turned away that nobody has adopted.
 */
import type { Duplex } from 'node:stream';
import { within } from '../../core/time.js';
import type { Heard, Wire } from '../driver.js';
import { peekRequest } from '../http-message.js';
import { splitTarget } from '../http-server.js';

export type Request =
  | { readonly kind: 'greeting'; readonly version: string | null; readonly language: string | null }
  | { readonly kind: 'time' }
  /** A person unknown to the terminal stands before it, and it asks whether we know them. */
  | { readonly kind: 'stranger' }
  | { readonly kind: 'upload'; readonly table: string; readonly stamp: string | null }
  | { readonly kind: 'photo' }
  | { readonly kind: 'poll'; readonly info: string | null }
  | { readonly kind: 'results' }
  | { readonly kind: 'ping' }
  /** `exchange`, `registry`, verification by the server: words of dialects that are not spoken here. */
  | { readonly kind: 'unsupported'; readonly what: string };

/** Tables whose lines nobody here wants; they are acknowledged so that the terminal goes on. */
export const DROPPED_TABLES: ReadonlySet<string> = new Set([
  'BIODATA',
  'BIOPHOTO',
  'FINGERTMP',
  'FACE',
  'FP',
  'FVEIN',
  'USERPIC',
  'IDCARD',
  'ERRORLOG',
  'OPTIONS',
  'WORKCODE',
]);

/** The secret word of a request, under either of its names. */
export function keyIn(query: URLSearchParams): string | null {
  for (const [name, value] of query) if (/^(?:pushcommkey|comkey)$/i.test(name)) return value;
  return null;
}

const parameter = (query: URLSearchParams, wanted: string): string | null => {
  for (const [name, value] of query) if (name.toUpperCase() === wanted) return value;
  return null;
};

/** It goes back in the greeting, on a line of its own: what could end the line is no stamp. */
const stampIn = (query: URLSearchParams): string | null => {
  const told = parameter(query, 'STAMP')?.trim() ?? '';
  return /^\w{1,24}$/.test(told) ? told : null;
};

export function serialIn(query: URLSearchParams): string | null {
  const told = parameter(query, 'SN')?.trim() ?? '';
  return told === '' ? null : told;
}

export function classify(method: string, path: string, query: URLSearchParams): Request {
  const what = path
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/\.aspx$/, '')
    .replace(/^\/iclock\//, '');
  const post = method === 'POST';
  const unsupported: Request = { kind: 'unsupported', what: `${post ? 'POST' : 'GET'} ${what.slice(0, 32)}` };
  switch (what) {
    case 'cdata': {
      if (post) {
        const table = parameter(query, 'TABLE');
        if (table === null) return unsupported;
        const name = table.toUpperCase();
        return name === 'ATTPHOTO' ? { kind: 'photo' } : { kind: 'upload', table: name, stamp: stampIn(query) };
      }
      if (parameter(query, 'TYPE')?.toLowerCase() === 'time') return { kind: 'time' };
      if (parameter(query, 'PIN') !== null) return { kind: 'stranger' };
      return { kind: 'greeting', version: parameter(query, 'PUSHVER'), language: parameter(query, 'LANGUAGE') };
    }
    case 'fdata':
      return post ? { kind: 'photo' } : unsupported;
    case 'getrequest':
      return post ? unsupported : { kind: 'poll', info: parameter(query, 'INFO') };
    case 'devicecmd':
      return post ? { kind: 'results' } : unsupported;
    case 'ping':
      return { kind: 'ping' };
    default:
      return unsupported;
  }
}

const PREFIX = '/iclock/';
/** A serial number is read when something follows it: before that it may be half of one. */
const SERIAL_IN = /[?&]sn=([^&\s]*)(?=[&\s])/i;

/** The first bytes of a connection: `GET` or `POST` of something under `/iclock/`, and whose it is. */
export function hear(first: Uint8Array): Heard {
  const peeked = peekRequest(first);
  if (peeked.is !== 'request') return { is: peeked.is };
  if (peeked.method !== 'GET' && peeked.method !== 'POST') return { is: 'no' };
  const local = peeked.target.replace(/^https?:\/\/[^/?]*/i, '');
  const whole = peeked.targetComplete;
  // A target that begins with "http" may still become one with a host in it.
  if (!whole && /^h/i.test(local)) return { is: 'more' };
  const start = local.slice(0, PREFIX.length).toLowerCase();
  if (start !== PREFIX) return !whole && PREFIX.startsWith(start) ? { is: 'more' } : { is: 'no' };
  const told = SERIAL_IN.exec(whole ? `${local} ` : local)?.[1];
  if (told === undefined && !whole) return { is: 'more' };
  return { is: 'yes', serial: told === undefined ? null : serialIn(splitTarget(`/?SN=${told}`).query) };
}

const HEAD_WAIT_MS = 5000;
const HEAD_BYTES_MAX = 16_384;
/** No `Date`: the clock of a terminal that nobody has adopted is not ours to set. */
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/**
 * A terminal that nobody has adopted: an empty greeting makes it greet again and upload nothing. Data gets no answer at all,
 * so that it stays in the terminal.
 */
export async function refuse(link: Duplex, wire: Wire, signal: AbortSignal): Promise<void> {
  let bytes: Uint8Array = new Uint8Array(0);
  const heard = new Promise<void>((resolve) => {
    link.on('data', (chunk: Uint8Array) => {
      bytes = Buffer.concat([bytes, chunk]);
      const peeked = peekRequest(bytes);
      const told = peeked.is === 'no' || (peeked.is === 'request' && peeked.headers !== null);
      if (told || bytes.length > HEAD_BYTES_MAX) resolve();
    });
    for (const event of ['end', 'close', 'error']) link.once(event, () => resolve());
  });
  if ((await within(wire.clock, HEAD_WAIT_MS, signal, heard)) === 'late') return;
  const peeked = peekRequest(bytes);
  if (peeked.is !== 'request' || peeked.method !== 'GET' || peeked.headers === null || link.destroyed) return;
  const sent = new Promise<void>((resolve) => {
    link.once('close', resolve);
    link.end(EMPTY, () => resolve());
  });
  await within(wire.clock, HEAD_WAIT_MS, signal, sent);
}
