/**
 * Takes the persons out of a capture: ids are masked, and every text under a key that is not known to be harmless becomes
 * filler, names and cards and picture paths among them; logins too. Lengths and framing stay, so the capture keeps its
 * pieces. Pictures become filler, bytes that belong to nothing become zeros.
 */
import type { Masks } from '../driver.js';
import { withBody, type HttpMessage } from '../http-message.js';
import { createFrames, type Frame } from './frames.js';

const IDS = new Set(['UserID', 'UserIDList']);
/** Keys whose values say nothing about a person. */
const HARMLESS = new Set(
  (
    'totalCount found count Count Size result sn version serialNumber deviceType updateSerial hardwareVersion processor ' +
    'appAutoStart name AttendanceState CardType CardStatus CreateTime CreateTimeRealUTC UTC RealUTC Door Doors ErrorCode ' +
    'Method ReaderID RecNo recno Status Type Similarity Action Code Index action method id object realm random encryption code ' +
    'StartTime EndTime Token Total Offset Length UserType UserStatus Authority UseTime TimeSections ValidFrom ValidTo ' +
    'ValidDateStart ValidDateEnd time codes heartbeat clientType loginType authorityType passwordType TimeZone Enable Mask'
  ).split(' '),
);

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
/** The last name of `records[0].Data.UserID` and of `UserIDList[0]`. */
const lastName = (key: string): string => (key.split('.').at(-1) ?? key).replace(/\[\d*\]$/, '').trim();

interface Scrubber {
  readonly value: (key: string, text: string) => string;
  readonly filler: (length: number) => string;
}

function createScrubber(masks: Masks): Scrubber {
  const filler = (length: number): string => latin1(masks.filler(length));
  return {
    filler,
    value(key, text) {
      const name = lastName(key);
      if (HARMLESS.has(name) || text === '') return text;
      const digits = /^\d+$/.test(text);
      if (IDS.has(name) || digits) {
        // An id in another alphabet is masked as text; one that is escaped has no length of its own.
        if (/[\\%]/.test(text)) return filler(text.length);
        const masked = latin1(Buffer.from(masks.id(Buffer.from(text, 'latin1').toString('utf8')), 'utf8'));
        return masked.length === text.length ? masked : filler(text.length);
      }
      return filler(text.length);
    },
  };
}

const TOKEN = /"(?:[^"\\]|\\[^])*"|[{}[\]:,]|-?\d[\d.eE+-]*|[A-Za-z]+|\s+|[^]/g;

/** Values of JSON by their keys; text that is no JSON becomes filler, since nothing can be told apart in it. */
function scrubJson(text: string, to: Scrubber): string {
  try {
    JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
  } catch {
    return to.filler(text.length);
  }
  const keys: string[] = [''];
  const objects: boolean[] = [false];
  let key = '';
  let named = false;
  let out = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      keys.push(key);
      objects.push(token === '{');
      named = false;
    } else if (token === '}' || token === ']') {
      key = keys.pop() ?? '';
      objects.pop();
    } else if (token === ':') named = true;
    else if (token === ',') {
      named = false;
      if (objects.at(-1) !== true) key = keys.at(-1) ?? '';
    } else if (token.startsWith('"') && objects.at(-1) === true && !named) key = token.slice(1, -1);
    else if (token.startsWith('"')) {
      out += `"${to.value(key, token.slice(1, -1))}"`;
      continue;
    } else if (/^-?\d/.test(token)) {
      const digits = /^\d{4,}$/.test(token) ? to.value(key, token) : token;
      out += /^\d+$/.test(digits) ? digits : token.replace(/\d/g, '1');
      continue;
    }
    out += token;
  }
  return out;
}

const scrubQuery = (query: string, to: Scrubber): string =>
  query.replace(/([^&=?]+)=([^&]*)/g, (_all, key: string, value: string) => `${key}=${to.value(key, value)}`);

const scrubTarget = (target: string, to: Scrubber): string => {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at + 1) + scrubQuery(target.slice(at + 1), to);
};

function scrubHead(head: string, to: Scrubber): string {
  const lines = head.split('\n').map((line, index) => {
    if (index === 0) {
      const request = /^([A-Z]+ )(\S+)( HTTP\/1\.[01]\r?)$/.exec(line);
      return request ? (request[1] ?? '') + scrubTarget(request[2] ?? '', to) + (request[3] ?? '') : line;
    }
    const secret = /^((?:authorization|cookie|set-cookie)\s*:\s*)(.*?)(\r?)$/i.exec(line);
    if (!secret) return line;
    const [, name = '', value = '', end = ''] = secret;
    if (!/^digest/i.test(value)) return name + value.replace(/[^ ;=,]+/g, (word) => to.filler(word.length)) + end;
    const masked = value.replace(
      /\b(response|cnonce|username)="([^"]*)"/gi,
      (_all, key: string, word: string) => `${key}="${to.filler(word.length)}"`,
    );
    return name + masked.replace(/\buri="([^"]*)"/i, (_all, uri: string) => `uri="${scrubTarget(uri, to)}"`) + end;
  });
  return lines.join('\n');
}

function scrubLines(text: string, to: Scrubber): string {
  return text.replace(
    /^([^=\r\n]*)=([^\r\n]*)/gm,
    (_all, key: string, value: string) => `${key}=${to.value(key, value)}`,
  );
}

/** A body by what it is; anything unknown becomes filler. */
function scrubBody(body: Uint8Array, type: string, to: Scrubber): Uint8Array {
  if (body.length === 0) return body;
  const text = latin1(body);
  if (type.startsWith('image/')) return bytesOf(to.filler(body.length));
  if (text.startsWith('{')) return bytesOf(scrubJson(text, to));
  const event = /^Code=[^;{]*;action=[^;{]*(?:;index=\d+)?(?:;data=)?/.exec(text.slice(0, 300))?.[0];
  if (event !== undefined) {
    const data = /^[^]*?(?=\s*$)/.exec(text.slice(event.length))?.[0] ?? '';
    const clean = data === '' ? '' : data.startsWith('{') ? scrubJson(data, to) : to.filler(data.length);
    return bytesOf(event + clean + text.slice(event.length + data.length));
  }
  if (/^[\w.[\]]+=/.test(text)) return bytesOf(scrubLines(text, to));
  return /^(?:OK|Error|Heartbeat|Bad Request!?|No Events)\s*$/.test(text) ? body : bytesOf(to.filler(body.length));
}

function scrubMessage(message: HttpMessage, to: Scrubber): Uint8Array {
  const bytes = withBody(message, scrubBody(message.body, message.headers['content-type'] ?? '', to));
  bytes.set(bytesOf(scrubHead(latin1(message.bytes.subarray(0, message.headBytes)), to)));
  return bytes;
}

function scrubFrame(frame: Frame, to: Scrubber): Uint8Array {
  if (frame.kind === 'noise') return frame.bytes.map((byte) => (byte === 0x0d || byte === 0x0a ? byte : 0));
  if (frame.kind === 'http') return scrubMessage(frame.message, to);
  const { bytes, body, type } = frame.part;
  const out = Uint8Array.from(bytes);
  out.set(scrubBody(body, type, to), bytes.length - body.length);
  return out;
}

export function scrubDahua(from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array {
  const frames = createFrames(from);
  const to = createScrubber(masks);
  return Uint8Array.from(Buffer.concat([...frames.push(bytes), ...frames.end()].map((frame) => scrubFrame(frame, to))));
}
