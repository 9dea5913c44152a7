/**
 * User records in their three layouts: 27 bytes (command 0x42), 30 (0x72, ANSI name) and 40 (0x72, Unicode name in
 * UTF-16 big-endian), after the vendor's protocol document. A PIN found in a record is never given out: only that
 * there is one. A name is changed inside the record as the terminal gave it, so that password, card, group, mode,
 * fingers and privilege stay. Names and card numbers are for the caller who asked, never for logs.
 */
import iconv from 'iconv-lite';
import { Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';

export type UserLayout = 27 | 30 | 40;

export interface AnvizUser {
  readonly id: string;
  readonly name: string;
  /** Null: none. */
  readonly card: number | null;
  readonly hasPassword: boolean;
  readonly admin: boolean;
  readonly department: number;
  readonly group: number;
}

export type NameEncoding = 'auto' | 'gbk' | 'utf-8';

export const NAME_BYTES: Readonly<Record<UserLayout, number>> = { 27: 10, 30: 10, 40: 20 };
/** Where the name begins: after id, password and card, whose card has three bytes in the old layout. */
export const NAME_AT: Readonly<Record<UserLayout, number>> = { 27: 11, 30: 12, 40: 12 };
/** Bits 7 and 6 of the special byte: 1 user, 3 administrator. */
const PRIVILEGES = new Set([1, 3]);
/** All of it Chinese characters: what GBK bytes of a Chinese name say. */
const CHINESE = /^\p{Script=Han}+$/u;
/** Beyond two bytes a character, which UTF-8 needs for Chinese. */
const WIDE = /[\u{800}-\u{10FFFF}]/u;

function decodeName(field: Uint8Array, layout: UserLayout, encoding: NameEncoding): string {
  if (layout === 40) {
    const text = iconv.decode(Buffer.from(field), 'utf16-be');
    return text.split('\0', 1)[0] ?? '';
  }
  // Cut at NUL before decoding: what follows may be rubbish, and a full field may end in half a character.
  const end = field.indexOf(0);
  const bytes = Buffer.from(end < 0 ? field : field.subarray(0, end));
  const gbk = (): string => iconv.decode(bytes, 'gbk').replace(/\uFFFD$/, '');
  if (encoding === 'gbk') return gbk();
  try {
    const text = new TextDecoder('utf-8', { fatal: encoding === 'auto' }).decode(bytes);
    // A short Chinese name in GBK may happen to be UTF-8 of Cyrillic or Arabic letters.
    return encoding === 'auto' && !WIDE.test(text) && CHINESE.test(gbk()) ? gbk() : text;
  } catch {
    return gbk();
  }
}

/** A name as a record holds it: as many whole characters as fit, the rest NUL. Control characters are left out. */
export function encodeName(name: string, layout: UserLayout, encoding: NameEncoding = 'auto'): Uint8Array {
  const charset = layout === 40 ? 'utf16-be' : encoding === 'utf-8' ? 'utf-8' : 'gbk';
  const field = new Uint8Array(NAME_BYTES[layout]);
  let at = 0;
  for (const character of name.replace(/\p{Cc}/gu, '')) {
    const bytes = iconv.encode(character, charset);
    if (at + bytes.length > field.length) break;
    field.set(bytes, at);
    at += bytes.length;
  }
  return field;
}

export function decodeUser(bytes: Uint8Array, layout: UserLayout, encoding: NameEncoding = 'auto'): AnvizUser {
  const reader = new Reader(bytes, 'big');
  const id = String(reader.u40());
  const password = reader.u24();
  const card = layout === 27 ? reader.u24() : reader.u32();
  const name = decodeName(reader.take(NAME_BYTES[layout]), layout, encoding);
  const department = reader.u8();
  const group = reader.u8();
  reader.skip(layout === 27 ? 3 : 5);
  const special = reader.u8();
  const noCard = layout === 27 ? 0xffffff : 0xffffffff;
  return {
    id,
    name,
    card: card === noCard || card === 0 ? null : card,
    hasPassword: password !== 0xffffff && password >>> 20 !== 0,
    admin: special >>> 6 === 3,
    department,
    group,
  };
}

export interface WritableUser {
  readonly id: string;
  readonly name: string;
  readonly password?: number;
  readonly card?: number;
  readonly admin?: boolean;
  /** One bit for each finger; the first one where nothing is said, as in the frames seen. */
  readonly fingers?: number;
}

/** A record from nothing: for the simulator, and for a person whom the terminal does not know. */
export function encodeUser(user: WritableUser, layout: UserLayout, encoding: NameEncoding = 'auto'): Uint8Array {
  const digits = user.password === undefined ? '' : String(user.password);
  const value = user.password ?? 0;
  const writer = new Writer('big').u40(Number(user.id));
  if (user.password === undefined) writer.u24(0xffffff);
  else writer.u24(digits.length * 0x100000 + (value & 0xfffff));
  if (layout === 27) writer.u24(user.card === undefined ? 0xffffff : user.card & 0xffffff);
  else writer.u32(user.card ?? 0xffffffff);
  writer.raw(encodeName(user.name, layout, encoding));
  // Department none, group 1, mode 6: as in the frames seen.
  writer
    .u8(0xff)
    .u8(1)
    .u8(6)
    .u16(user.fingers ?? 1);
  if (layout !== 27) writer.u8(user.password === undefined ? 0xff : (value >>> 20) & 0xff).u8(0);
  return writer.u8(user.admin === true ? 0xc0 : 0x40).bytes();
}

/** The same record with another name and nothing else changed. */
export function renamed(record: Uint8Array, name: string, layout: UserLayout, encoding: NameEncoding): Uint8Array {
  const copy = Uint8Array.from(record);
  copy.set(encodeName(name, layout, encoding), NAME_AT[layout]);
  return copy;
}

/** The layout of a page of `count` users in `sizeBytes` bytes; null when neither fits. 30 and 40 cannot both fit one count. */
function layoutOf(sizeBytes: number, count: number, old: boolean): UserLayout | null {
  const size = count === 0 ? 0 : sizeBytes / count;
  if (old) return size === 27 ? 27 : null;
  return size === 30 || size === 40 ? size : null;
}

function plausible(body: Uint8Array, layout: UserLayout): boolean {
  if (body.length === 0 || body.length % layout !== 0) return false;
  for (let at = layout - 1; at < body.length; at += layout) if (!PRIVILEGES.has((body[at] ?? 0) >>> 6)) return false;
  return true;
}

export interface UserPage {
  /** Null on an empty page, which does not tell. */
  readonly layout: UserLayout | null;
  readonly records: readonly Uint8Array[];
}

/** Cuts a page of users. When the count byte does not decide the layout, the one with plausible privilege bits is taken. Throws `bad-reply`. */
export function splitUsers(data: Uint8Array, old: boolean): UserPage {
  const count = data[0] ?? 0;
  const body = data.subarray(1);
  if (body.length === 0) return { layout: null, records: [] };
  const candidates: readonly UserLayout[] = old ? [27] : [30, 40];
  const layout = layoutOf(body.length, count, old) ?? candidates.find((one) => plausible(body, one));
  if (layout === undefined) {
    throw fail('bad-reply', {
      request: 'users',
      requestZh: '人员名单',
      reason: `${count} users do not fit ${body.length} bytes`,
      reasonZh: `${count} 名用户与 ${body.length} 字节不符`,
    });
  }
  const records = Array.from({ length: body.length / layout }, (_, index) =>
    Uint8Array.from(body.subarray(index * layout, (index + 1) * layout)),
  );
  return { layout, records };
}

/** A page of users, read. Throws `bad-reply`. */
export function decodeUsers(data: Uint8Array, old: boolean, encoding: NameEncoding = 'auto'): readonly AnvizUser[] {
  const { layout, records } = splitUsers(data, old);
  return layout === null ? [] : records.map((record) => decodeUser(record, layout, encoding));
}

/** A page as it is sent: how many, and the records. */
export const encodeUsers = (records: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([Uint8Array.of(records.length), ...records]);
