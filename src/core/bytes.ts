/**
 * Bounds-checked reading and writing of bytes. Every codec goes through these, so a short frame becomes
 * one clear error with offset, expectation and a hex window, and never an exception of the engine.
 */
import { fail } from './errors.js';

/** Up to 16 bytes around `offset` as spaced hex, for error texts. Frames carry ids, so keep windows short. */
export function hexWindow(bytes: Uint8Array, offset = 0, length = 16): string {
  return hex(bytes.subarray(Math.max(0, offset), Math.max(0, offset) + length));
}

/** Spaced upper-case hex: `A5 00 01`. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

/** Parses hex with white space and `#` comments; throws `bad-hex` with line and column. */
export function parseHex(text: string): Uint8Array {
  const out: number[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const code = line.replace(/#.*$/, '');
    let nibble = -1;
    for (let column = 0; column < code.length; column += 1) {
      const char = code.charAt(column);
      if (/\s/.test(char)) continue;
      const value = Number.parseInt(char, 16);
      if (Number.isNaN(value)) throw fail('bad-hex', { line: index + 1, column: column + 1, found: char });
      if (nibble < 0) nibble = value;
      else {
        out.push(nibble * 16 + value);
        nibble = -1;
      }
    }
    if (nibble >= 0)
      throw fail('bad-hex', {
        line: index + 1,
        column: code.length,
        found: 'an odd number of digits',
        foundZh: '位数为奇数',
      });
  });
  return Uint8Array.from(out);
}

/** Reads a frame from left to right. Throws `short-frame` (kind peer) past the end. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  #at: number;

  constructor(bytes: Uint8Array, order: 'little' | 'big', at = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = order === 'little';
    this.#at = at;
  }

  get offset(): number {
    return this.#at;
  }

  get left(): number {
    return this.bytes.length - this.#at;
  }

  #take(count: number): number {
    if (count < 0 || this.left < count) {
      throw fail('short-frame', {
        offset: this.#at,
        wanted: count,
        left: this.left,
        window: hexWindow(this.bytes, this.#at - 4),
      });
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), this.#little);
  }
  u24(): number {
    const at = this.#take(3);
    const [a, b, c] = [this.#view.getUint8(at), this.#view.getUint8(at + 1), this.#view.getUint8(at + 2)];
    return this.#little ? a + b * 256 + c * 65536 : a * 65536 + b * 256 + c;
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), this.#little);
  }
  u40(): number {
    const at = this.#take(5);
    if (this.#little) return this.#view.getUint32(at, true) + this.#view.getUint8(at + 4) * 0x100000000;
    return this.#view.getUint8(at) * 0x100000000 + this.#view.getUint32(at + 1, false);
  }
  take(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }
  rest(): Uint8Array {
    return this.take(this.left);
  }
  skip(count: number): void {
    this.#take(count);
  }
}

/** Writes a frame from left to right; grows as needed. Numbers out of range throw `out-of-range` (a bug of the caller). */
export class Writer {
  #buffer: Uint8Array = new Uint8Array(64);
  #length = 0;
  readonly #little: boolean;

  constructor(order: 'little' | 'big') {
    this.#little = order === 'little';
  }

  #room(count: number): DataView {
    if (this.#length + count > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + count));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    const view = new DataView(this.#buffer.buffer, this.#length, count);
    this.#length += count;
    return view;
  }

  #check(value: number, size: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size))
      throw fail('out-of-range', { value, bytes: size });
  }

  u8(value: number): this {
    this.#check(value, 1);
    this.#room(1).setUint8(0, value);
    return this;
  }
  u16(value: number): this {
    this.#check(value, 2);
    this.#room(2).setUint16(0, value, this.#little);
    return this;
  }
  u24(value: number): this {
    this.#check(value, 3);
    const parts = [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff];
    return this.raw(Uint8Array.from(this.#little ? parts : parts.reverse()));
  }
  u32(value: number): this {
    this.#check(value, 4);
    this.#room(4).setUint32(0, value, this.#little);
    return this;
  }
  u40(value: number): this {
    this.#check(value, 5);
    const high = Math.floor(value / 0x100000000);
    const low = value % 0x100000000;
    return this.#little ? this.u32(low).u8(high) : this.u8(high).u32(low);
  }
  raw(bytes: Uint8Array): this {
    const view = this.#room(bytes.length);
    new Uint8Array(view.buffer, view.byteOffset, bytes.length).set(bytes);
    return this;
  }
  /** `bytes` cut or padded with `fill` to exactly `size`. */
  field(bytes: Uint8Array, size: number, fill = 0): this {
    this.raw(bytes.subarray(0, size));
    for (let index = bytes.length; index < size; index += 1) this.u8(fill);
    return this;
  }
  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }
}
