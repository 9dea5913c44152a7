/**
 * Takes the persons out of one direction of a capture, byte for byte in place: ids are masked where they stand, and every
 * value that is not known to be harmless becomes filler. What belongs to no HTTP message, or cannot be understood, is zeroed.
 */
import type { Masks } from '../driver.js';
import { createHttpSplitter, withBody, type HttpMessage } from '../http-message.js';
import { splitTarget } from '../http-server.js';
import { parseTime } from './attlog.js';
import { classify } from './request.js';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const EQUALS = 0x3d;
const AMPERSAND = 0x26;
const COMMA = 0x2c;

/** Keys whose values tell nothing of a person. Everything else of a pair is hidden. */
const HARMLESS = new Set(
  [
    ...['ID', 'RETURN', 'CMD', 'SN', 'STARTTIME', 'ENDTIME', 'ATTLOGSUM', 'ATTLOGCOUNT', 'STAMP'],
    ...['PRI', 'PRIVILEGE', 'GRP', 'TZ', 'VERIFY', 'FID', 'SIZE', 'VALID', 'NO', 'INDEX', 'TYPE', 'DURESS'],
    ...['MAJORVER', 'MINORVER', 'FORMAT', 'FWVERSION', 'FIRMVER', 'DEVICENAME', 'USERCOUNT', 'TRANSACTIONCOUNT'],
    ...['FPCOUNT', 'FACECOUNT', 'PUSHVERSION', 'LANGUAGE'],
  ].map((key) => key),
);

/** Ranges between separators. */
function pieces(
  bytes: Uint8Array,
  from: number,
  to: number,
  separators: readonly number[],
): { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  let start = from;
  for (let at = from; at < to; at += 1)
    if (separators.includes(bytes[at] ?? 0)) {
      found.push({ from: start, to: at });
      start = at + 1;
    }
  found.push({ from: start, to });
  return found;
}

const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.subarray(from, to)).toString('latin1');

interface Scrubber {
  scrub(bytes: Uint8Array): Uint8Array;
}

function createScrubber(from: 'device' | 'gateway', masks: Masks): Scrubber {
  const hide = (bytes: Uint8Array, at: number, to: number): void => {
    if (to > at) bytes.set(masks.filler(to - at).subarray(0, to - at), at);
  };
  /** An id in its place; blanks around it stay. */
  const maskId = (bytes: Uint8Array, at: number, to: number): void => {
    const told = latin1(bytes, at, to);
    const id = told.trim();
    if (id === '') return;
    if (!/^[\x21-\x7e]+$/.test(id)) {
      hide(bytes, at, to);
      return;
    }
    const masked = Buffer.from(masks.id(id), 'latin1');
    bytes.set(masked.subarray(0, id.length), at + told.indexOf(id));
  };

  /** `Key=Value` pieces: ids are masked, harmless values stay, the rest is hidden. A piece without `=` is hidden too. */
  const pairs = (bytes: Uint8Array, at: number, to: number, separators: readonly number[]): void => {
    for (const piece of pieces(bytes, at, to, separators)) {
      const equals = bytes.subarray(piece.from, piece.to).indexOf(EQUALS);
      if (equals < 0) {
        hide(bytes, piece.from, piece.to);
        continue;
      }
      const key = latin1(bytes, piece.from, piece.from + equals)
        .trim()
        .replace(/^~/, '')
        .toUpperCase();
      const value = piece.from + equals + 1;
      if (key === 'PIN') maskId(bytes, value, piece.to);
      else if (!HARMLESS.has(key)) hide(bytes, value, piece.to);
    }
  };

  const attlog = (bytes: Uint8Array, at: number, to: number): void => {
    const fields = pieces(bytes, at, to, [TAB]);
    const [pin, time] = fields;
    if (!pin || !time || parseTime(latin1(bytes, time.from, time.to)) === null) {
      bytes.fill(0, at, to);
      return;
    }
    maskId(bytes, pin.from, pin.to);
    // State, method and the three after them are numbers; a temperature or a payroll code is nobody's business.
    for (const field of fields.slice(2, 7))
      if (!/^[\d.]*$/.test(latin1(bytes, field.from, field.to).trim())) hide(bytes, field.from, field.to);
    for (const field of fields.slice(7)) hide(bytes, field.from, field.to);
  };

  const tagged = (bytes: Uint8Array, at: number, to: number): void => {
    const tag = /^[A-Za-z_]{2,16} /.exec(latin1(bytes, at, Math.min(to, at + 20)))?.[0];
    if (tag === undefined) return void bytes.fill(0, at, to);
    if (tag.toUpperCase() !== 'OPLOG ') {
      pairs(bytes, at + tag.length, to, [TAB]);
      return;
    }
    // Operation and time stay; the operator and the objects may be persons.
    pieces(bytes, at + tag.length, to, [TAB]).forEach((field, index) => {
      const text = latin1(bytes, field.from, field.to).trim();
      if (index !== 0 && index !== 2 && text !== '0') maskId(bytes, field.from, field.to);
    });
  };

  const command = (bytes: Uint8Array, at: number, to: number): void => {
    const text = latin1(bytes, at, Math.min(to, at + 200));
    if (/^(?:OK|NONE|Time=)/.test(text) || /^C:\w+:(?:INFO|CHECK|LOG|VERIFY SUM \w+ |DATA QUERY ATTLOG )/.test(text))
      return;
    const head = /^C:\w+:DATA \w+ \w+ ?/.exec(text)?.[0];
    if (head !== undefined) pairs(bytes, at + head.length, to, [TAB]);
    else hide(bytes, at + (/^C:\w+:/.exec(text)?.[0].length ?? 0), to);
  };

  const lines = (body: Uint8Array, line: (bytes: Uint8Array, at: number, to: number) => void): Uint8Array => {
    for (const piece of pieces(body, 0, body.length, [LF])) {
      let { from: at, to } = piece;
      while (to > at && (body[to - 1] === CR || body[to - 1] === 0)) to -= 1;
      while (at < to && (body[at] === 0 || body[at] === CR)) at += 1;
      if (to > at) line(body, at, to);
    }
    return body;
  };

  /** Header lines, a NUL, the picture. The name of the picture is `time-id.jpg`. */
  const photo = (body: Uint8Array): Uint8Array => {
    const nul = body.indexOf(0);
    const head = nul < 0 ? 0 : nul;
    const name = /^PIN=\d{14}-([^.\n]+)/.exec(latin1(body, 0, Math.min(head, 200)));
    if (name) maskId(body, 19, 19 + (name[1]?.length ?? 0));
    body.fill(0, name ? head : 0);
    return body;
  };

  const bodyOf = (message: HttpMessage): Uint8Array => {
    const body = Uint8Array.from(message.body);
    if (from === 'gateway') {
      return latin1(body, 0, 32).startsWith('GET OPTION FROM:') ? body : lines(body, command);
    }
    const { path, query } = splitTarget(message.target);
    const request = classify(message.method, path, query);
    switch (request.kind) {
      case 'upload':
        if (request.table === 'ATTLOG') return lines(body, attlog);
        if (request.table === 'OPTIONS') return lines(body, (bytes, at, to) => pairs(bytes, at, to, [COMMA]));
        return lines(body, tagged);
      case 'photo':
        return photo(body);
      case 'results':
        return lines(body, (bytes, at, to) => pairs(bytes, at, to, [AMPERSAND]));
      case 'greeting':
      case 'time':
      case 'stranger':
      case 'poll':
      case 'ping':
      case 'unsupported':
        return body.fill(0);
    }
  };

  /** The request line and the headers: keys, ids, cookies. */
  const head = (bytes: Uint8Array, headBytes: number): void => {
    const text = latin1(bytes, 0, headBytes);
    const firstEnd = text.indexOf('\n');
    for (const match of text.slice(0, firstEnd).matchAll(/[?&](pushcommkey|comkey|pin)=([^&\s]*)/gi)) {
      const at = match.index + match[0].length - (match[2]?.length ?? 0);
      if (match[1]?.toLowerCase() === 'pin') maskId(bytes, at, at + (match[2]?.length ?? 0));
      else hide(bytes, at, at + (match[2]?.length ?? 0));
    }
    for (const match of text.matchAll(/^(?:cookie|set-cookie|authorization): *([^\r\n]*)/gim)) {
      const at = match.index + match[0].length - (match[1]?.length ?? 0);
      hide(bytes, at, at + (match[1]?.length ?? 0));
    }
  };

  return {
    scrub(bytes) {
      const splitter = createHttpSplitter({ kind: from === 'device' ? 'request' : 'response' });
      const out = [...splitter.push(bytes), ...splitter.end()].map((cut) => {
        if (cut.kind === 'part') return new Uint8Array(cut.part.bytes.length);
        if (cut.kind === 'noise') return new Uint8Array(cut.bytes.length);
        const { message } = cut;
        const scrubbed = withBody(message, bodyOf(message));
        head(scrubbed, message.headBytes);
        return scrubbed;
      });
      return Buffer.concat(out);
    },
  };
}

export function scrub(from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array {
  return Uint8Array.from(createScrubber(from, masks).scrub(bytes));
}
