/**
 * What a byte stream of this protocol says, for `rollcall decode` and for captures: messages of both directions and the punches
 * in them. Names, cards, faces and photos stay out of the fields. A message is kept until it is complete, at most 64 MiB.
 */
import type { Decoded, Decoder } from '../driver.js';
import { ANSWER_WORDS, countOf, isDropped, valueOf, type Pair } from './codec.js';
import { keyBytes } from './key.js';
import { createLexer, type Token } from './lexer.js';
import type { HanvonOptions } from './options.js';
import { punchOf } from './punch.js';

/** Keys that tell nothing about a person. */
export const HARMLESS = new Set(
  (
    'result reason notify total dev_id time date week style start_time end_time wait_time status workcode card_src type check_type ' +
    'card_type enterType opendoor_type authority edition alg_edition volume weigen wiegand ip gateway netmask mac sn managernum ' +
    'max_managernum managerlock max_faceregist real_faceregist max_facerecord real_facerecord max_employee real_employee ' +
    'max_cardregist real_cardregist max_cardrecord real_cardrecord max_photorecord real_photorecord max_finger real_finger'
  ).split(' '),
);
const SHOWN = [
  'result',
  'reason',
  'notify',
  'dev_id',
  'total',
  'start_time',
  'end_time',
  'wait_time',
  'date',
  'week',
  'style',
  'edition',
];
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Records of an answer: each `time=` before an `id=` begins one. A clock reading has a time and no id. */
export function recordsOf(pairs: readonly Pair[]): readonly (readonly Pair[])[] {
  const records: Pair[][] = [];
  for (const pair of pairs) {
    if (pair.key === 'time') records.push([pair]);
    else records.at(-1)?.push(pair);
  }
  return records.filter((record) => record.some((pair) => pair.key === 'id'));
}

function fieldsOf(pairs: readonly Pair[]): Record<string, unknown> {
  const shown = SHOWN.flatMap((key) => {
    const value = valueOf(pairs, key);
    return value === null ? [] : [[key, value.slice(0, 64)] as const];
  });
  const records = recordsOf(pairs).length;
  const people = pairs.filter((pair) => pair.key === 'id').length - records;
  return {
    ...Object.fromEntries(shown),
    ...(records > 0 ? { records } : {}),
    ...(people > 0 ? { people } : {}),
    ...(countOf(pairs, 'real_facerecord') === null ? {} : { stored: countOf(pairs, 'real_facerecord') }),
  };
}

export function createDecoder(options: HanvonOptions, from: 'device' | 'gateway'): Decoder {
  const lexer = createLexer({
    key: keyBytes(options.commKey),
    words: from === 'device' ? ANSWER_WORDS : null,
    drops: isDropped,
  });
  /** Bytes from offset `base` on that no message or noise has taken yet. */
  let chunks: Uint8Array[] = [];
  let held = 0;
  let base = 0;
  let word = '';
  let pairs: Pair[] = [];

  const cut = (to: number): Uint8Array => {
    const [all = new Uint8Array(0)] = chunks.length === 1 ? chunks : [Buffer.concat(chunks)];
    const taken = Uint8Array.from(all.subarray(0, to - base));
    chunks = [all.subarray(to - base)];
    held -= to - base;
    base = to;
    return taken;
  };
  const noise = (to: number, reason: string): readonly Decoded[] =>
    to > base ? [{ kind: 'noise', bytes: cut(to), reason }] : [];

  const tell = (token: Token): readonly Decoded[] => {
    switch (token.kind) {
      case 'begin':
        word = token.word;
        pairs = [];
        return [];
      case 'pair':
        pairs.push({ key: token.key, value: token.value, size: token.size });
        return [];
      case 'end': {
        const bytes = cut(token.at);
        const told = pairs;
        pairs = [];
        return [
          { kind: 'message', name: word, fields: fieldsOf(told), bytes },
          ...(word === 'Return' ? recordsOf(told) : []).map((record): Decoded => ({
            kind: 'punch',
            punch: punchOf(record, options, 'poll'),
          })),
        ];
      }
      case 'broken':
        pairs = [];
        return noise(token.at, token.reason);
      case 'noise':
        return noise(token.end, token.blank ? 'white space' : 'no message begins here');
    }
  };

  return {
    push(chunk) {
      chunks.push(Uint8Array.from(chunk));
      held += chunk.length;
      const told = lexer.push(chunk).flatMap(tell);
      // Nobody's terminal says this much in one breath: what has gathered is given up, and the lexer goes on by itself.
      return held > MESSAGE_BYTES_MAX ? [...told, ...noise(base + held, 'message longer than 64 MiB')] : told;
    },
    end: () => lexer.end().flatMap(tell),
  };
}
