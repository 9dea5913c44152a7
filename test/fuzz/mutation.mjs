/**
 * Spoils what terminals say. Seeds are windows of a few messages cut out of a driver's captures; a mutation changes, cuts, repeats,
 * splices, and puts in what parsers fear: lengths at their limits, huge numbers, deep nesting, runs of one byte. Half of the time
 * one message is spoilt by itself and its checksum or Content-Length mended, or nothing behind the checksum would ever be reached.
 * Everything follows from the seed of `createRandom`: the same seed spoils in the same way.
 */
import { crc } from '../../dist/drivers/anviz-tcb/codec.js';
import { checksum } from '../../dist/drivers/zk-standalone/codec.js';

const LARGE_BYTES = 8 * 1024;
const INPUT_BYTES_MAX = 10 * 1024;
/** A log file is decoded whole, at its end: a frame there is a line. */
const FILE_BYTES_MAX = 2 * 1024;

/** mulberry32, with what is picked from it. */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, pick: (list) => list[below(list.length)], chance: (one) => below(one) === 0 };
}

const FEARED = [
  0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x09, 0x20, 0x22, 0x5c, 0x25, 0x26, 0x3d, 0x3c, 0x3e, 0x7b, 0x7d,
].concat([0x5b, 0x5d, 0x2c, 0x3a, 0x2d, 0x2e, 0x30, 0x39, 0x65, 0x7e, 0xa5, 0x50, 0xaa, 0xc0, 0xed, 0xf4, 0xfe]);
const LENGTHS = [
  0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x3fff, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000, 0xfffff, 0x7fffffff,
].concat([0x80000000, 0xfffffffe, 0xffffffff]);
const NUMBERS = [
  '',
  '0',
  '-1',
  '-0',
  '00000000',
  '1e999',
  '-1e-999',
  '0x10',
  'NaN',
  '4294967296',
  '2147483648',
  '9007199254740993',
].concat(['18446744073709551616', '9'.repeat(40), '9'.repeat(400), '253402300800', '-62135596801', '1.5', '１２']);
const TOKENS = [
  '\r\n\r\n',
  '\r\n',
  '\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 99999999999\r\n',
  '--',
  '--\r\n',
]
  .concat([
    'Content-Length: -1\r\n',
    'HTTP/1.1 200 OK\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    '__proto__',
    'constructor',
    '\\u0000',
    '\\ud800',
  ])
  .concat([
    '%',
    '%zz',
    '%00',
    '&amp;',
    '&#x110000;',
    '<![CDATA[',
    '<!--',
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    '\ufeff',
    '\u0000',
  ])
  .concat(['2025-02-30 24:61:61', '9999-99-99T99:99:99+99:99', '\uffff', '%F0%9F', 'null', 'true', '[]', '{}', '""'])
  .map((text) => Buffer.from(text));
const NESTS = ['[', '{"a":', '<a>', '(', '{"a":[', '\\"', '--\r\n', '\r\n', ' ', '%25', '&', '"'];

const DIGITS = (byte) => byte >= 0x30 && byte <= 0x39;

const join = (...parts) => Buffer.concat(parts);
const replace = (bytes, from, to, by) => join(bytes.subarray(0, from), by, bytes.subarray(to));

function stretch(random, length, most = 64) {
  const from = random.below(length + 1);
  return [from, Math.min(length, from + random.below(random.chance(4) ? length + 1 : most))];
}

/** Each takes bytes and gives other bytes; `other` tells a second seed. */
const MUTATIONS = [
  (bytes, random) => {
    const out = Buffer.from(bytes);
    if (out.length > 0) out[random.below(out.length)] ^= 1 << random.below(8);
    return out;
  },
  (bytes, random) => {
    const out = Buffer.from(bytes);
    for (let count = 1 + random.below(4); count > 0 && out.length > 0; count -= 1)
      out[random.below(out.length)] = random.chance(2) ? random.below(256) : random.pick(FEARED);
    return out;
  },
  // Cut off at either end, or in the middle.
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return random.chance(3) ? bytes.subarray(at) : bytes.subarray(0, at);
  },
  (bytes, random) => replace(bytes, ...stretch(random, bytes.length), Buffer.alloc(0)),
  // Twice, or many times.
  (bytes, random) => {
    const [from, to] = stretch(random, bytes.length);
    const times = random.chance(2000) ? Math.floor(LARGE_BYTES / Math.max(1, to - from)) : 1 + random.below(4);
    return replace(bytes, from, from, join(...Array.from({ length: times }, () => bytes.subarray(from, to))));
  },
  // Two seeds, one into the other.
  (bytes, random, seed) => {
    const other = seed();
    const [from, to] = stretch(random, other.length, 400);
    const [at, until] = stretch(random, bytes.length);
    return replace(bytes, at, random.chance(2) ? at : until, other.subarray(from, to));
  },
  (bytes, random, seed) => join(bytes.subarray(0, random.below(bytes.length + 1)), seed()),
  // A length at its limit, two or four bytes of either order.
  (bytes, random) => {
    const out = Buffer.from(bytes);
    const wide = random.chance(2) ? 2 : 4;
    if (out.length < wide) return out;
    const value = random.pick(LENGTHS) % 2 ** (8 * wide);
    if (random.chance(2)) out.writeUIntLE(value, random.below(out.length - wide + 1), wide);
    else out.writeUIntBE(value, random.below(out.length - wide + 1), wide);
    return out;
  },
  // A number in words.
  (bytes, random) => {
    let at = bytes.length === 0 ? 0 : random.below(bytes.length);
    while (at < bytes.length && !DIGITS(bytes[at])) at += 1;
    let end = at;
    while (end < bytes.length && DIGITS(bytes[end])) end += 1;
    return replace(bytes, at, end, Buffer.from(random.pick(NUMBERS)));
  },
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return replace(bytes, at, at, Buffer.from(Array.from({ length: 1 + random.below(24) }, () => random.below(256))));
  },
  (bytes, random) => replace(bytes, ...stretch(random, bytes.length, 8), random.pick(TOKENS)),
  // Runs and deep nesting: now and then so long that a recursion would end.
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const text = Buffer.from(random.pick(NESTS));
    const bytesMax = random.chance(2000) ? LARGE_BYTES : 1 + random.below(200);
    return replace(bytes, at, at, Buffer.alloc(Math.max(text.length, bytesMax), text));
  },
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const size = random.chance(2000) ? LARGE_BYTES : 1 + random.below(200);
    return replace(bytes, at, at, Buffer.alloc(size, random.pick(FEARED)));
  },
];

/** Sum over the plain bytes between the flags, escapes undone and done again. */
function mendFcard(frame) {
  const plain = [];
  for (let at = 1; at < frame.length - 1; at += 1) {
    if (frame[at] === 0x7f && (frame[at + 1] === 1 || frame[at + 1] === 2)) plain.push(frame[(at += 1)] + 0x7d);
    else plain.push(frame[at]);
  }
  plain.pop();
  if (plain.length < 31) return frame;
  const told = Buffer.from(plain);
  told.writeUInt32BE(plain.length - 31, 27);
  const out = [0x7e];
  for (const byte of [...told, told.reduce((sum, one) => (sum + one) & 0xff, 0)])
    if (byte === 0x7e || byte === 0x7f) out.push(0x7f, byte - 0x7d);
    else out.push(byte);
  return Buffer.from([...out, 0x7e]);
}

function mendAnviz(frame) {
  if (frame.length < 10) return frame;
  const out = Buffer.from(frame);
  const head = out[5] & 0x80 ? 9 : 8;
  if (out.length > head + 2 && out.length - head - 2 < 600) out.writeUInt16BE(out.length - head - 2, head - 2);
  out.writeUInt16LE(crc(out.subarray(0, -2)), out.length - 2);
  return out;
}

function mendZk(frame) {
  if (frame.length < 16) return frame;
  const out = Buffer.from(frame);
  out.writeUInt32LE(out.length - 8, 4);
  out.writeUInt16LE(checksum(out.subarray(8)), 10);
  return out;
}

function mendHttp(message) {
  const end = message.indexOf('\r\n\r\n');
  if (end < 0) return message;
  const head = message.toString('latin1', 0, end + 4);
  return join(
    Buffer.from(head.replace(/^(content-length:\s*)\d+/im, `$1${message.length - end - 4}`), 'latin1'),
    message.subarray(end + 4),
  );
}

const MENDS = {
  'zk-standalone': mendZk,
  'anviz-tcb': mendAnviz,
  fcard: mendFcard,
  'zk-push': mendHttp,
  'fcard-http': mendHttp,
  'hikvision-isapi': mendHttp,
  'dahua-asi': mendHttp,
};

/** Messages in a row, from anywhere in a capture, a few hundred bytes of them. A long message is cut. */
function windowOf(sample, random) {
  const { frames } = sample;
  const first = random.chance(3) ? 0 : random.below(frames.length);
  const bytesMax = random.pick([1, 1, 300, 800]);
  const taken = [];
  let size = 0;
  for (
    let index = first;
    index < frames.length && (taken.length === 0 || size + frames[index].length <= bytesMax);
    index += 1
  ) {
    taken.push(frames[index]);
    size += frames[index].length;
  }
  return taken;
}

/**
 * One spoilt input after the other. `samples` are `{ from, frames }`; what is given has the direction of its seed, and now and
 * then the other one.
 */
export function createSpoiler(driver, samples, random) {
  const mend = MENDS[driver] ?? ((frame) => frame);
  const bytesMax = driver === 'usb-file' ? FILE_BYTES_MAX : INPUT_BYTES_MAX;
  const other = () => join(...windowOf(random.pick(samples), random));
  const spoil = (bytes) => random.pick(MUTATIONS)(bytes, random, other);
  return () => {
    const sample = random.pick(samples);
    const frames = [...windowOf(sample, random)];
    if (random.chance(2)) {
      const at = random.below(frames.length);
      let frame = frames[at];
      for (let count = 1 + random.below(3); count > 0; count -= 1) frame = spoil(frame);
      frames[at] = mend(frame);
      // Over UDP the same packet comes without its prefix.
      if (driver === 'zk-standalone' && random.chance(4))
        frames.forEach((one, index) => (frames[index] = one.subarray(8)));
    }
    let bytes = join(...frames);
    for (let count = random.below(random.chance(2) ? 2 : 5); count > 0; count -= 1) bytes = spoil(bytes);
    const turned = random.chance(16)
      ? { device: 'gateway', gateway: 'device' }
      : { device: 'device', gateway: 'gateway' };
    return { from: turned[sample.from], bytes: Uint8Array.from(bytes.subarray(0, bytesMax)) };
  };
}

/** Lengths of the pieces in which an input comes: whole, a few, or byte by byte. */
export function piecesOf(length, random) {
  if (length <= 64 && random.chance(8)) return Array.from({ length }, () => 1);
  const pieces = [];
  for (let left = length; left > 0;) {
    const piece = random.chance(2) ? left : 1 + random.below(left);
    pieces.push(piece);
    left -= piece;
  }
  return pieces;
}
