/**
 * What a recorded stream of one direction says, for `rollcall decode` and for captures: every request or answer as a
 * message, and the punches in it. Names, passwords, cards and keys stay out of the fields.
 */
import type { Decoded, Decoder } from '../driver.js';
import { createHttpSplitter, type HttpCut, type HttpMessage } from '../http-message.js';
import { splitTarget } from '../http-server.js';
import { decodeAttlog, punchOf } from './attlog.js';
import { operationName } from './codes.js';
import { parseCommands, parseResults } from './command.js';
import { parseGreeting, parsePollInfo } from './greeting.js';
import { decodeOperlog } from './operlog.js';
import type { ZkPushOptions } from './options.js';
import { classify, serialIn } from './request.js';
import { decodeText, splitLines } from './text.js';

type Fields = Record<string, unknown>;
interface Told {
  readonly name: string;
  readonly fields: Fields;
  readonly punches?: readonly Decoded[];
}

export function createDecoder(options: ZkPushOptions, from: 'device' | 'gateway'): Decoder {
  const splitter = createHttpSplitter({ kind: from === 'device' ? 'request' : 'response' });
  const tell = from === 'device' ? createRequestReader(options) : tellAnswer;
  const cuts = (found: readonly HttpCut[]): Decoded[] =>
    found.flatMap((cut): Decoded[] => {
      if (cut.kind === 'noise') return [{ kind: 'noise', bytes: cut.bytes, reason: 'no HTTP message' }];
      // Parts are pieces of endless answers, which are not spoken here.
      if (cut.kind === 'part') return [{ kind: 'noise', bytes: cut.part.bytes, reason: 'no HTTP message' }];
      const { name, fields, punches = [] } = tell(cut.message);
      return [{ kind: 'message', name, fields, bytes: cut.message.bytes }, ...punches];
    });
  return { push: (chunk) => cuts(splitter.push(chunk)), end: () => cuts(splitter.end()) };
}

function createRequestReader(options: ZkPushOptions): (message: HttpMessage) => Told {
  const { encoding, directionMap } = options;
  let old = false;

  const attlog = (body: Uint8Array): { readonly fields: Fields; readonly punches: Decoded[] } => {
    const { verifyMap } = options;
    const edition = verifyMap === 'new' || verifyMap === 'old' ? verifyMap : old ? 'old' : 'new';
    const own = typeof verifyMap === 'object' ? verifyMap : undefined;
    const lines = splitLines(body);
    const punches = lines.flatMap((raw): Decoded[] => {
      const line = decodeAttlog(raw, encoding);
      if (!line) return [];
      const how = { encoding, verify: edition, directionMap, verifyMap: own } as const;
      return [{ kind: 'punch', punch: punchOf(line, raw, how, 'push') }];
    });
    const unread = lines.length - punches.length;
    return { fields: { lines: lines.length, ...(unread > 0 ? { unread } : {}) }, punches };
  };

  const operlog = (body: Uint8Array): Fields => {
    const lines = splitLines(body).map((line) => decodeOperlog(line, encoding));
    const operations = lines.flatMap((line) =>
      line.kind === 'operation' ? [`${operationName(line.code)} ${line.wallTime ?? '?'}`] : [],
    );
    const users = lines.flatMap((line) => (line.kind === 'user' ? [line.pin] : []));
    const other = lines.flatMap((line) => (line.kind === 'other' ? [line.tag] : []));
    return { lines: lines.length, operations, users, other };
  };

  return (message) => {
    const { path, query } = splitTarget(message.target);
    const request = classify(message.method, path, query);
    const fields: Fields = { serial: serialIn(query) };
    switch (request.kind) {
      case 'greeting':
        old = request.version === null || Number.parseFloat(request.version) < 2.2;
        return { name: 'greeting', fields: { ...fields, version: request.version, language: request.language } };
      case 'poll':
        return {
          name: 'poll',
          fields: request.info === null ? fields : { ...fields, ...parsePollInfo(request.info) },
        };
      case 'results': {
        const results = parseResults(message.body, encoding);
        return {
          name: 'results',
          fields: { ...fields, results: results.map(({ id, returned, command }) => ({ id, returned, command })) },
        };
      }
      case 'upload': {
        const { table, stamp } = request;
        if (table === 'ATTLOG') {
          const told = attlog(message.body);
          return { name: 'ATTLOG', fields: { ...fields, stamp, ...told.fields }, punches: told.punches };
        }
        const more = table === 'OPERLOG' ? operlog(message.body) : { lines: splitLines(message.body).length };
        return { name: table, fields: { ...fields, stamp, ...more } };
      }
      case 'photo':
        return { name: 'ATTPHOTO', fields: { ...fields, sizeBytes: message.body.length } };
      case 'unsupported':
        return { name: request.what, fields };
      case 'time':
      case 'stranger':
      case 'ping':
        return { name: request.kind, fields };
    }
  };
}

function tellAnswer(message: HttpMessage): Told {
  const { status, body } = message;
  const greeting = parseGreeting(body);
  if (greeting) return { name: 'options', fields: { serial: greeting.serial, ...Object.fromEntries(greeting.keys) } };
  const commands = parseCommands(body, 'auto');
  if (commands.length > 0)
    return {
      name: 'commands',
      fields: {
        commands: commands.map(({ id, text }) => ({
          id,
          command: /^(?:DATA \w+ \w+|VERIFY SUM \w+|\w+(?: OPTIONS?)?)/.exec(text)?.[0] ?? '?',
        })),
      },
    };
  const text = decodeText(body.subarray(0, 40), 'auto').trim();
  return {
    name: 'answer',
    fields: {
      status,
      ...(/^(?:OK(?:: ?\d+)?|NONE|Time=[\dT:+-]+)$/.test(text) ? { text } : { sizeBytes: body.length }),
    },
  };
}
