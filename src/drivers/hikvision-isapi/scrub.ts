/**
 * Takes the persons and the secrets out of one direction of a capture, byte for byte: in a body that is understood, every text but
 * those of a short list of harmless keys is replaced, ids by their mask and the rest by filler; a body that is not understood is filler as a whole.
 * Credentials in headers, the secret word of the push path, and what belongs to no message go as well. Lengths never change.
 */
import type { Masks } from '../driver.js';
import { createHttpSplitter, withBody, type HttpMessage } from '../http-message.js';
import type { HttpPart } from '../http-parts.js';
import { boundaryOf, readMultipart } from '../multipart.js';
import { readTree } from './codec.js';

const IDS = new Set(['employeeNoString', 'employeeNo', 'FPID']);

/** Keys whose texts name no person and open no door. */
const HARMLESS = new Set(
  (
    'time dateTime startTime endTime beginTime localTime timeZone timeMode timeType ' +
    'eventType eventState eventDescription searchID responseStatusStrg totalMatches numOfMatches ' +
    'searchResultPosition maxResults major minor majorEventType subEventType serialNo frontSerialNo ' +
    'currentVerifyMode currentEvent userType attendanceStatus mask type doorNo cardReaderNo cardReaderKind cardType verifyNo ' +
    'statusValue picturesNumber channelID activePostCount portNo protocol ipAddress macAddress shortSerialNumber ' +
    'serialNumber model firmwareVersion deviceType statusCode statusString subStatusCode errorCode errorMsg requestURL ' +
    'doorRight planTemplateNo enable id protocolType parameterFormatType addressingFormatType ' +
    'httpAuthenticationMethod version encoding xmlns'
  ).split(' '),
);

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** What stands in place of one value; texts are bytes as latin1 throughout. */
function replaced(key: string, value: string, masks: Masks): string {
  if (HARMLESS.has(key) || value === '') return value;
  const filler = (): string => latin1(masks.filler(value.length));
  if (!IDS.has(key) || value.includes('\\') || value.includes('&')) return filler();
  const told = Buffer.from(value, 'latin1').toString('utf8');
  const mask = Buffer.from(masks.id(told), 'utf8').toString('latin1');
  return mask.length === value.length ? mask : filler();
}

/** Texts, and numbers under keys that may name a person. Values of lists take the key before the list. */
function scrubJson(text: string, masks: Masks): string {
  let key = '';
  return text.replace(
    /"((?:[^"\\]|\\.)*)"(\s*:)?|-?\d[\d.eE+-]*/g,
    (whole: string, quoted: string | undefined, colon: string | undefined) => {
      if (quoted === undefined) return numeric(key, whole, masks);
      if (colon !== undefined) {
        key = quoted;
        return whole;
      }
      return `"${replaced(key, quoted, masks)}"`;
    },
  );
}

/** A number of a person must stay a number. */
function numeric(key: string, value: string, masks: Masks): string {
  if (HARMLESS.has(key) || value.length < 2) return IDS.has(key) ? masks.id(value) : value;
  if (!/^\d+$/.test(value)) return value;
  return IDS.has(key) || /card|phone|certificate|employee/i.test(key) ? masks.id(value) : value;
}

function scrubXml(text: string, masks: Masks): string {
  return text
    .replace(/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>/g, (whole) => latin1(masks.filler(whole.length)))
    .replace(/<(?:[\w.-]+:)?([\w.-]+)(?:\s[^<>]*)?>([^<]+)(?=<)/g, (whole: string, name: string, value: string) => {
      const core = value.trim();
      if (core === '') return whole;
      const head = whole.slice(0, whole.length - value.length);
      return `${head}${value.replace(core, () => replaced(name, core, masks))}`;
    });
}

function scrubBody(body: Uint8Array, contentType: string, masks: Masks): Uint8Array {
  if (body.length === 0) return body;
  if (boundaryOf(contentType) !== null) {
    const out = masks.filler(body.length);
    // The frame of the parts stays: headers and boundaries lie before the first body, between two, and after the last.
    let kept = 0;
    for (const part of readMultipart(contentType, body, { partBytesMax: body.length })) {
      out.set(body.subarray(kept, part.from), kept);
      out.set(scrubBody(body.subarray(part.from, part.to), part.headers['content-type'] ?? '', masks), part.from);
      kept = part.to;
    }
    if (kept > 0) out.set(frameEnd(body.subarray(kept), contentType, masks), kept);
    return out;
  }
  if (!readTree(body)) return masks.filler(body.length);
  const text = latin1(body);
  return bytesOf(
    text
      .trimStart()
      .replace(/^\u00ef\u00bb\u00bf/, '')
      .startsWith('<')
      ? scrubXml(text, masks)
      : scrubJson(text, masks),
  );
}

/** The last boundary stays; anything else after the last part is filler. */
function frameEnd(rest: Uint8Array, contentType: string, masks: Masks): Uint8Array {
  const mark = boundaryOf(contentType) ?? '';
  const text = latin1(rest);
  return text.replace(/[\r\n-]/g, '') === mark.replace(/-/g, '') ? rest : masks.filler(rest.length);
}

/** Credentials and the secret word; the rest of a head names nobody. */
function scrubHead(head: Uint8Array, masks: Masks): Uint8Array {
  const filler = (text: string): string => latin1(masks.filler(text.length));
  return bytesOf(
    latin1(head)
      .replace(/(\/hik\/)([A-Za-z0-9_-]+)/g, (_all, path: string, token: string) => `${path}${filler(token)}`)
      .replace(/^(authorization:\s*basic\s+)(\S+)/gim, (_all, name: string, value: string) => `${name}${filler(value)}`)
      .replace(
        /\b((?:response|cnonce|username)=")([^"]*)"/g,
        (_all, name: string, value: string) => `${name}${filler(value)}"`,
      )
      .replace(
        /^(cookie|set-cookie)(:\s*)(.+)$/gim,
        (_all, name: string, colon: string, value: string) =>
          `${name}${colon}${filler(value.trimEnd())}${value.slice(value.trimEnd().length)}`,
      ),
  );
}

function scrubMessage(message: HttpMessage, masks: Masks): Uint8Array {
  const body = scrubBody(message.body, message.headers['content-type'] ?? '', masks);
  const out = withBody(message, body);
  out.set(scrubHead(out.subarray(0, message.headBytes), masks));
  return out;
}

function scrubPart(part: HttpPart, masks: Masks): Uint8Array {
  const out = Uint8Array.from(part.bytes);
  out.set(scrubBody(part.body, part.headers['content-type'] ?? '', masks), part.bodyAt);
  return out;
}

export function scrubHik(bytes: Uint8Array, masks: Masks): Uint8Array {
  const splitter = createHttpSplitter();
  const cuts = [...splitter.push(bytes), ...splitter.end()];
  return Buffer.concat(
    cuts.map((cut) => {
      if (cut.kind === 'message') return scrubMessage(cut.message, masks);
      if (cut.kind === 'part') return scrubPart(cut.part, masks);
      return new Uint8Array(cut.bytes.length);
    }),
  );
}
