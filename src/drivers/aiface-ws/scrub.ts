/**
 * Takes the persons out of a capture: ids are masked, names, cards, passwords, photos and templates become filler, and what
 * is not known to be harmless counts as one of these. Every byte keeps its place, so a capture keeps its timing and its
 * pieces. What cannot be read is zeroed: half a message may hold half a name.
 */
import type { Masks } from '../driver.js';
import { isGap, readJson, textOf, type JsonLeaf, type JsonNode, type JsonText } from './json-text.js';
import { createSplitter } from './splitter.js';

/** Keys whose value says nothing about anybody. */
const HARMLESS = new Set(
  (
    'cmd ret sn cpusn modelname usersize facesize fpsize cardsize pwdsize logsize useduser usedface usedfp usedcard usedpwd ' +
    'usedlog usednewlog fpalgo firmware time mac cloudtime nosenduser nosendlog result count logindex mode inout event temp ' +
    'verifymode access stn from to backupnum admin enflag doornum doorno deviceid language volume screensaver sleep ' +
    'userfpnum loghint reverifytime'
  ).split(' '),
);
/** No person: the door, and the id for strangers. */
const NOBODY = /^(?:0+|99999999)$/;

export function scrubMessages(bytes: Uint8Array, masks: Masks, strangerIds: readonly string[]): Uint8Array {
  const splitter = createSplitter();
  const out = Uint8Array.from(bytes);
  let at = 0;
  for (const cut of [...splitter.push(bytes), ...splitter.flush()]) {
    const place = out.subarray(at, at + cut.bytes.length);
    at += cut.bytes.length;
    if (cut.kind === 'gap') continue;
    const json = cut.kind === 'message' ? readJson(cut.bytes) : null;
    if (json?.state === 'whole') scrubMembers(json, json.members, place, masks, strangerIds);
    else place.forEach((byte, index) => (place[index] = isGap(byte) ? byte : 0));
  }
  return out;
}

function scrubMembers(
  json: JsonText,
  members: readonly { readonly key: string; readonly value: JsonNode }[],
  place: Uint8Array,
  masks: Masks,
  strangerIds: readonly string[],
): void {
  const each = (key: string, value: JsonNode): void => {
    if (value.kind === 'object') scrubMembers(json, value.members, place, masks, strangerIds);
    else if (value.kind === 'array') for (const item of value.items) each(key, item);
    else if (key === 'enrollid') scrubId(json, value, place, masks, strangerIds);
    else if (!HARMLESS.has(key)) fillLeaf(json, value, place, masks);
  };
  for (const { key, value } of members) each(key, value);
}

function scrubId(
  json: JsonText,
  leaf: JsonLeaf,
  place: Uint8Array,
  masks: Masks,
  strangerIds: readonly string[],
): void {
  const text = textOf(json, leaf) ?? '';
  if (text === '' || NOBODY.test(text.trim()) || strangerIds.includes(text.trim())) return;
  const [told, mask] = [Buffer.from(text), Buffer.from(masks.id(text))];
  const [from, to] = leaf.kind === 'string' ? [leaf.at + 1, leaf.end - 1] : [leaf.at, leaf.end];
  // An id written with escapes is longer than its text: its place is filled, because nothing of the same length would fit.
  if (mask.length === to - from && told.length === mask.length) place.set(mask, from);
  else fillLeaf(json, leaf, place, masks);
}

function fillLeaf(json: JsonText, leaf: JsonLeaf, place: Uint8Array, masks: Masks): void {
  if (leaf.kind === 'string') {
    const length = leaf.end - leaf.at - 2;
    if (length > 0) place.set(masks.filler(length), leaf.at + 1);
    return;
  }
  const text = textOf(json, leaf);
  if (text === undefined || text === 'true' || text === 'false') return;
  // A number must stay one, or the message would not be read any more.
  const filler = masks.filler(leaf.end - leaf.at);
  for (let at = leaf.at; at < leaf.end; at += 1) place[at] = 0x31 + ((filler[at - leaf.at] ?? 0) % 9);
}
