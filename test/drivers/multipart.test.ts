/** Multipart as terminals send it: with and without lengths, boundaries in every dress, pictures that nobody wants. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  boundaryOf,
  createMultipartReader,
  readMultipart,
  writeMultipart,
  type MultipartOptions,
  type Part,
} from '../../src/drivers/multipart.js';

const read = (chunks: readonly (string | Uint8Array)[], options: Partial<MultipartOptions> = {}): Part[] => {
  const reader = createMultipartReader({ boundary: 'MIME_boundary', ...options });
  return [...chunks.flatMap((chunk) => reader.push(Buffer.from(chunk))), ...reader.end()];
};
const show = (parts: readonly Part[]): string[] =>
  parts.map(
    (part) =>
      `${part.name ?? '-'} ${part.headers['content-type'] ?? '-'} ${Buffer.from(part.body).toString('latin1')} ${part.from}-${part.to}`,
  );

const WITH_LENGTH =
  '--MIME_boundary\r\nContent-Type: application/json; charset="UTF-8"\r\nContent-Length: 21\r\n\r\n{"a":"--MIME_boundary\r\n' +
  '--MIME_boundary\r\nContent-Disposition: form-data; name="Picture"; filename=p.jpg\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n\xff\xd8\r\n\r\n' +
  '--MIME_boundary--\r\n';
const WITHOUT =
  'preamble\r\n--MIME_boundary\r\nContent-Disposition: form-data; name=event_log\r\n\r\n{"b":1}\r\n\r\n--MIME_boundary\n\nbare\n--MIME_boundary--';

describe.each([
  [
    'with lengths',
    WITH_LENGTH,
    ['- application/json; charset="UTF-8" {"a":"--MIME_boundary 88-109', 'Picture image/jpeg \xff\xd8\r\n 239-243'],
  ],
  ['without', WITHOUT, ['event_log - {"b":1}\r\n 77-86', '- - bare 105-109']],
])('%s', (_name, sample, expected) => {
  test('gives the same at every split point', () => {
    const bytes = Buffer.from(sample, 'latin1');
    const whole = show(read([bytes]));
    expect(whole).toEqual(expected);
    for (let at = 0; at <= bytes.length; at += 1)
      expect(show(read([bytes.subarray(0, at), bytes.subarray(at)])), `split at ${at}`).toEqual(whole);
    expect(show(read([...bytes].map((byte) => Uint8Array.of(byte))))).toEqual(whole);
  });
});

test('a part is given as soon as its length is there, before the next boundary', () => {
  const reader = createMultipartReader({ boundary: 'b' });
  expect(reader.push(Buffer.from('--b\r\n'))).toEqual([]);
  expect(reader.push(Buffer.from('Content-Length: 2\r\n\r\nok'))).toHaveLength(1);
  expect(reader.pending).toBe(0);
});

test('pictures are skipped without being kept, whatever they contain', () => {
  const parts = read([Buffer.from(WITH_LENGTH, 'latin1')], {
    keep: (headers) => headers['content-type'] !== 'image/jpeg',
  });
  expect(parts.map(({ kept, body }) => [kept, body.length])).toEqual([
    [true, 21],
    [false, 0],
  ]);
  const large = read([Buffer.from(WITH_LENGTH, 'latin1')], { partBytesMax: 10 });
  expect(large.map(({ kept }) => kept)).toEqual([false, true]);
});

test('a last part without length or boundary is given, one shorter than its length is not', () => {
  expect(show(read(['--MIME_boundary\r\n\r\nrest']))).toEqual(['- - rest 19-23']);
  expect(read(['--MIME_boundary\r\nContent-Length: 9\r\n\r\nrest'])).toEqual([]);
});

test.each([
  ['multipart/mixed; boundary=MIME_boundary', 'MIME_boundary'],
  ['multipart/form-data; charset=utf-8;boundary="a b"', 'a b'],
  ['Multipart/X-Mixed-Replace;Boundary=--x', '--x'],
  ['multipart/mixed', null],
  ['application/json; boundary=x', null],
])('the boundary of %j', (type, boundary) => {
  expect(boundaryOf(type)).toBe(boundary);
});

test('a boundary declared with its dashes is the same boundary', () => {
  expect(show(read(['--x\r\n\r\n1\r\n--x--'], { boundary: '--x' }))).toEqual(['- - 1 7-8']);
});

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (bodies) => {
      const written = writeMultipart(
        'b1',
        bodies.map((body) => ({ headers: { 'Content-Type': 'x/y' }, body })),
      );
      const parts = readMultipart('multipart/mixed; boundary=b1', written);
      expect(parts.map((part) => [...part.body])).toEqual(bodies.map((body) => [...body]));
      for (const part of parts) expect([...written.subarray(part.from, part.to)]).toEqual([...part.body]);
    }),
  );
});

test('rubbish raises nothing and gathers nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      expect(() => read([Buffer.concat([Buffer.from('--MIME_boundary\r\n'), bytes])])).not.toThrow();
    }),
  );
  const reader = createMultipartReader({ boundary: 'b' });
  for (let round = 0; round < 200; round += 1) reader.push(new Uint8Array(10_000));
  expect(reader.pending).toBeLessThan(10);
});
