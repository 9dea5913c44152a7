/**
 * A reader of QR codes for the tests, written from ISO/IEC 18004 and sharing nothing with the encoder: format bits, mask, zigzag,
 * blocks with their Reed-Solomon check (every syndrome must be zero: no error is forgiven), byte segments.
 */
export interface ReadQr {
  readonly text: string;
  readonly level: string;
}

type IsDark = (row: number, column: number) => boolean;

const LEVELS = ['M', 'L', 'H', 'Q'];

const MASKS: readonly ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

/** Level M, versions 1 to 25 (table 9): check codewords of a block, number of blocks. */
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21];

export function readQr(size: number, isDark: IsDark): ReadQr {
  const version = (size - 17) / 4;
  const { level, mask } = formatOf(isDark);
  if (level !== 'M') throw new Error(`level ${level}`);
  const words = codewords(size, version, isDark, MASKS[mask] ?? MASKS[0]);
  const data = deinterleave(words, CHECKS[version - 1] ?? 0, BLOCKS[version - 1] ?? 0);
  return { text: segments(data, version < 10 ? 8 : 16), level };
}

function formatOf(isDark: IsDark): { readonly level: string; readonly mask: number } {
  const places = [0, 1, 2, 3, 4, 5, 7, 8].map((column) => [8, column] as const);
  const more = [7, 5, 4, 3, 2, 1, 0].map((row) => [row, 8] as const);
  const bits = [...places, ...more].reduce((value, [row, column]) => value * 2 + (isDark(row, column) ? 1 : 0), 0);
  const format = (bits ^ 0b101010000010010) >> 10;
  return { level: LEVELS[format >> 3] ?? '', mask: format & 7 };
}

/** Rows and columns of the centres of alignment patterns (annex E). */
function alignments(version: number): readonly number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = version * 4 + 10;
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => last - (count - 2 - at) * step)];
}

function isFunction(size: number, version: number): IsDark {
  const centres = alignments(version);
  const corners = (row: number, column: number): boolean =>
    (row < 9 && column < 9) || (row < 9 && column >= size - 8) || (row >= size - 8 && column < 9);
  const isFinder = (row: number, column: number): boolean =>
    (row <= 7 && column <= 7) || (row <= 7 && column >= size - 8) || (row >= size - 8 && column <= 7);
  return (row, column) => {
    if (corners(row, column) || row === 6 || column === 6) return true;
    if (version >= 7 && ((row < 6 && column >= size - 11) || (column < 6 && row >= size - 11))) return true;
    return centres.some((r) =>
      centres.some((c) => !isFinder(r, c) && Math.abs(r - row) <= 2 && Math.abs(c - column) <= 2),
    );
  };
}

function codewords(size: number, version: number, isDark: IsDark, mask: IsDark | undefined): readonly number[] {
  const skip = isFunction(size, version);
  const bits: number[] = [];
  let up = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right -= 1;
    for (let step = 0; step < size; step += 1) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1])
        if (!skip(row, column)) bits.push(isDark(row, column) !== mask?.(row, column) ? 1 : 0);
    }
    up = !up;
  }
  return Array.from({ length: Math.floor(bits.length / 8) }, (_, at) =>
    bits.slice(at * 8, at * 8 + 8).reduce((value, bit) => value * 2 + bit, 0),
  );
}

function deinterleave(words: readonly number[], checks: number, count: number): readonly number[] {
  const short = Math.floor(words.length / count) - checks;
  const long = words.length % count;
  const lengths = Array.from({ length: count }, (_, at) => short + (at >= count - long ? 1 : 0));
  const blocks: number[][] = lengths.map(() => []);
  let next = 0;
  for (let at = 0; at <= short; at += 1)
    lengths.forEach((length, block) => {
      if (at < length) blocks[block]?.push(words[next++] ?? 0);
    });
  const tails: number[][] = lengths.map(() => []);
  for (let at = 0; at < checks; at += 1) for (const tail of tails) tail.push(words[next++] ?? 0);
  blocks.forEach((block, at) => {
    checkBlock([...block, ...(tails[at] ?? [])], checks);
  });
  return blocks.flat();
}

/** GF(256) with x^8 + x^4 + x^3 + x^2 + 1. */
const POWERS = Array.from({ length: 255 }, () => 1);
for (let at = 1, value = 1; at < 255; at += 1) {
  value = value < 128 ? value * 2 : (value * 2) ^ 0x11d;
  POWERS[at] = value;
}
const LOGS = new Map(POWERS.map((value, at) => [value, at]));
const times = (a: number, b: number): number =>
  a === 0 || b === 0 ? 0 : (POWERS[((LOGS.get(a) ?? 0) + (LOGS.get(b) ?? 0)) % 255] ?? 0);

function checkBlock(block: readonly number[], checks: number): void {
  for (let power = 0; power < checks; power += 1) {
    const syndrome = block.reduce((value, word) => times(value, POWERS[power] ?? 1) ^ word, 0);
    if (syndrome !== 0) throw new Error('a codeword is wrong');
  }
}

function segments(data: readonly number[], countBits: number): string {
  let at = 0;
  const take = (bits: number): number => {
    let value = 0;
    for (let left = bits; left > 0; left -= 1, at += 1)
      value = value * 2 + (((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    return value;
  };
  const bytes: number[] = [];
  while (at + 4 <= data.length * 8) {
    const mode = take(4);
    if (mode === 0) break;
    if (mode !== 4) throw new Error(`mode ${String(mode)}`);
    for (let left = take(countBits); left > 0; left -= 1) bytes.push(take(8));
  }
  return Buffer.from(bytes).toString('utf8');
}
