/**
 * Lines of OPERLOG: a tag and a space, then bare values (`OPLOG`) or `Key=Value` pairs, separated by TABs. Of persons only
 * what changing a name needs is read (`USER`); lines with templates and pictures (`FP`, `FACE`, `USERPIC`, `BIODATA`) are
 * known by their tag and never looked into.
 */
import type { WallTime } from '../../core/time.js';
import { parseTime } from './attlog.js';
import { decodeText, shownEncoding, type TextEncoding } from './text.js';

export interface Operation {
  readonly kind: 'operation';
  readonly code: number;
  readonly wallTime: WallTime | null;
}

/** A person as the terminal tells it, every pair in its order: a change must send back all of them. */
export interface UserLine {
  readonly kind: 'user';
  readonly pin: string;
  readonly name: string;
  /** Whole; holds the password and the card, for sending back and nothing else. */
  readonly pairs: readonly (readonly [key: string, value: string])[];
  readonly encoding: 'gbk' | 'utf-8' | null;
}

export type OperlogLine = Operation | UserLine | { readonly kind: 'other'; readonly tag: string };

const TAG = /^([A-Za-z_]{2,16})(?: |$)/;

/** `A=1 TAB B=2` as pairs; a piece without `=` is left out. */
export function parsePairs(text: string): (readonly [string, string])[] {
  return text.split('\t').flatMap((piece) => {
    const at = piece.indexOf('=');
    return at < 1 ? [] : [[piece.slice(0, at).trim(), piece.slice(at + 1)] as const];
  });
}

/** The value of a key, whatever its capitals: documents write `PIN`, newer tables `Pin`. */
export function valueOf(pairs: readonly (readonly [string, string])[], key: string): string | undefined {
  return pairs.find(([name]) => name.toUpperCase() === key.toUpperCase())?.[1];
}

export function decodeOperlog(line: Uint8Array, encoding: TextEncoding): OperlogLine {
  // The tag is ASCII, and what follows may be a megabyte of template.
  const tag = TAG.exec(Buffer.from(line.subarray(0, 20)).toString('latin1'))?.[1]?.toUpperCase() ?? '';
  if (tag === 'OPLOG') {
    const [code = '', , time = ''] = decodeText(line, encoding).slice(tag.length).trim().split('\t');
    return /^\d{1,5}$/.test(code)
      ? { kind: 'operation', code: Number(code), wallTime: parseTime(time) }
      : { kind: 'other', tag };
  }
  if (tag === 'USER') {
    const pairs = parsePairs(decodeText(line, encoding).slice(tag.length + 1));
    const pin = valueOf(pairs, 'PIN')?.trim() ?? '';
    if (pin === '') return { kind: 'other', tag };
    return {
      kind: 'user',
      pin,
      name: valueOf(pairs, 'Name') ?? '',
      pairs,
      encoding: encoding === 'auto' ? shownEncoding(line) : encoding,
    };
  }
  return { kind: 'other', tag: tag === '' ? '?' : tag };
}
