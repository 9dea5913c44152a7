/**
 * User records in their three layouts: 27 bytes (command 0x42), 30 (0x72, ANSI name) and 40 (0x72, Unicode name in
 * UTF-16 big-endian), after the vendor's protocol document. A PIN found in a record is never given out: only that
 * there is one. Names and card numbers are for the caller who asked, never for logs.
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

const NAME_BYTES: Readonly<Record<UserLayout, number>> = { 27: 10, 30: 10, 40: 20 };
/** Bits 7 and 6 of the special byte: 1 user, 3 administrator. */
const PRIVILEGES = new Set([1, 3]);

function decodeName(field: Uint8Array, layout: UserLayout, encoding: NameEncoding): string {
  if (layout === 40) {
    const text = iconv.decode(Buffer.from(field), 'utf16-be');
    return text.split('\0', 1)[0] ?? '';
  }
  // Cut at NUL before decoding: what follows may be rubbish, and a full field may end in half a character.
  const end = field.indexOf(0);
  const bytes = Buffer.from(end < 0 ? field : field.subarray(0, end));
  if (encoding !== 'gbk') {
    try {
      return new TextDecoder('utf-8', { fatal: encoding === 'auto' }).decode(bytes);
    } catch {
      // Not valid UTF-8: GBK, below.
    }
  }
  return iconv.decode(bytes, 'gbk').replace(/\uFFFD$/, '');
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
}

/** For the simulator: a record as a terminal sends it. */
export function encodeUser(user: WritableUser, layout: UserLayout): Uint8Array {
  const digits = user.password === undefined ? '' : String(user.password);
  const value = user.password ?? 0;
  const writer = new Writer('big').u40(Number(user.id));
  if (user.password === undefined) writer.u24(0xffffff);
  else writer.u24(digits.length * 0x100000 + (value & 0xfffff));
  if (layout === 27) writer.u24(user.card === undefined ? 0xffffff : user.card & 0xffffff);
  else writer.u32(user.card ?? 0xffffffff);
  writer.field(iconv.encode(user.name, layout === 40 ? 'utf16-be' : 'gbk'), NAME_BYTES[layout]);
  // Department none, group 1, mode 6, first finger enrolled: as in the frames seen.
  writer.u8(0xff).u8(1).u8(6).u16(1);
  if (layout !== 27) writer.u8(user.password === undefined ? 0xff : (value >>> 20) & 0xff).u8(0);
  return writer.u8(user.admin === true ? 0xc0 : 0x40).bytes();
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

/** A page of users. When the count byte does not decide the layout, the one with plausible privilege bits is taken. Throws `bad-reply`. */
export function decodeUsers(data: Uint8Array, old: boolean, encoding: NameEncoding = 'auto'): readonly AnvizUser[] {
  const count = data[0] ?? 0;
  const body = data.subarray(1);
  if (body.length === 0) return [];
  const candidates: readonly UserLayout[] = old ? [27] : [30, 40];
  const layout = layoutOf(body.length, count, old) ?? candidates.find((one) => plausible(body, one));
  if (layout === undefined) {
    throw fail('bad-reply', {
      request: 'users',
      reason: `${count} users do not fit ${body.length} bytes`,
      reasonZh: `${count} 名用户与 ${body.length} 字节不符`,
    });
  }
  return Array.from({ length: body.length / layout }, (_, index) =>
    decodeUser(body.subarray(index * layout), layout, encoding),
  );
}
