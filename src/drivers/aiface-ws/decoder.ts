/**
 * What a stream of this protocol says, for `rollcall decode` and for captures. Shows only words and numbers that name
 * nobody: no name, no photo, no template, no card and no password gets into the fields.
 */
import type { Decoded, Decoder } from '../driver.js';
import { parseMessage, readRecords, readRegistration, readUserIds, textIn, type Message } from './codec.js';
import { asTold } from './device-clock.js';
import { memberOf, numberOf, textOf, truthOf } from './json-text.js';
import type { AifaceOptions } from './options.js';
import { isDoorEvent, isPunch, punchOf } from './punch.js';
import { createSplitter, type JsonCut } from './splitter.js';

const NUMBERS = ['count', 'logindex', 'from', 'to', 'backupnum', 'admin', 'enflag', 'access', 'reason'];
const TRUTHS = ['result', 'stn', 'nosenduser', 'nosendlog'];
const TEXTS = ['sn', 'time', 'cloudtime', 'enrollid'];

function fieldsOf(message: Message): Record<string, unknown> {
  const { json } = message;
  const fields: Record<string, unknown> = {};
  const put = (key: string, value: unknown): void => {
    if (value !== undefined) fields[key] = value;
  };
  for (const key of TEXTS) put(key, textIn(message, key)?.slice(0, 64));
  // `from` and `to` are numbers in an answer and dates in a request.
  for (const key of NUMBERS) put(key, numberOf(json, memberOf(json, key)));
  for (const key of ['from', 'to']) {
    const text = textOf(json, memberOf(json, key));
    if (text !== undefined && /^\d{4}-\d{1,2}-\d{1,2}$/.test(text)) put(key, text);
  }
  for (const key of TRUTHS) put(key, truthOf(json, memberOf(json, key)));
  if (message.name === 'reg' && message.kind === 'request') Object.assign(fields, readRegistration(message));
  if (message.name === 'getuserlist') put('ids', message.kind === 'answer' ? readUserIds(message) : undefined);
  return fields;
}

function decodeMessage(bytes: Uint8Array, options: AifaceOptions): readonly Decoded[] {
  const message = parseMessage(bytes);
  if (!message) return [{ kind: 'noise', bytes, reason: 'no message of this protocol' }];
  const fields = fieldsOf(message);
  const name = `${message.name.slice(0, 40)} ${message.kind}`;
  const isLog =
    message.kind === 'request' ? message.name === 'sendlog' : ['getnewlog', 'getalllog'].includes(message.name);
  if (!isLog) return [{ kind: 'message', name, fields, bytes }];
  const { records, broken, length } = readRecords(message);
  // A capture does not say in which zone its clock stood: times are shown as they were told.
  const frame = { options, firmware: null, clock: { wallOf: asTold } };
  const source = message.kind === 'request' ? 'push' : 'poll';
  return [
    {
      kind: 'message',
      name,
      fields: {
        ...fields,
        records: length,
        doorEvents: records.filter(isDoorEvent).length,
        ...(broken ? { broken } : {}),
      },
      bytes,
    },
    ...records
      .filter((record) => isPunch(record, options))
      .map((record): Decoded => ({ kind: 'punch', punch: punchOf(record, frame, source) })),
  ];
}

export function createDecoder(options: AifaceOptions): Decoder {
  const splitter = createSplitter();
  const told = (cuts: readonly JsonCut[], atEnd: boolean): readonly Decoded[] =>
    cuts.flatMap(({ kind, bytes }): readonly Decoded[] => {
      if (kind === 'message') return decodeMessage(bytes, options);
      const reason = kind === 'gap' ? 'between messages' : atEnd ? 'incomplete message' : 'no message begins here';
      return [{ kind: 'noise', bytes, reason }];
    });
  return { push: (chunk) => told(splitter.push(chunk), false), end: () => told(splitter.flush(), true) };
}
