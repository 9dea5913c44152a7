/** HTTP cut from a stream: every split point, joined, with noise, and the many ways in which a body says its length. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/drivers/faults.js';
import { createHttpSplitter, peekRequest, withBody, type HttpCut } from '../../src/drivers/http-message.js';

const cut = (chunks: readonly (string | Uint8Array)[]): HttpCut[] => {
  const splitter = createHttpSplitter();
  return [...chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))), ...splitter.end()];
};
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const show = (cuts: readonly HttpCut[]): string[] =>
  cuts.map((one) => {
    if (one.kind === 'noise') return `noise ${text(one.bytes)}`;
    if (one.kind === 'part') return `part ${JSON.stringify(one.part.headers)} ${one.part.last} ${text(one.part.body)}`;
    const { kind, method, target, status, body } = one.message;
    return `${kind} ${method}${target}${status} ${text(body)}`;
  });
const all = (cuts: readonly HttpCut[]): string =>
  cuts
    .map((one) => text(one.kind === 'noise' ? one.bytes : one.kind === 'part' ? one.part.bytes : one.message.bytes))
    .join('');
const bytewise = (sample: string): Uint8Array[] => Array.from(Buffer.from(sample), (byte) => Uint8Array.of(byte));
const joinNoise = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('noise'));

const SAMPLES = {
  request: 'POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
  bare: 'GET / HTTP/1.0\r\n\r\n',
  linefeeds: 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  chunks:
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n6\r\n world\r\n0\r\nX-After: 1\r\n\r\n',
  empty: 'HTTP/1.1 204 No Content\r\nA: b\r\n\r\n',
  untilEnd: 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it',
  endless:
    'HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary="MIME"\r\n\r\n--MIME\r\nContent-Length: 11\r\n\r\n--MIME\r\nabc' +
    '\r\n--MIME\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--MIME\r\n\r\nplain\r\n--MIME--\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1',
};

test.each([
  [SAMPLES.request, ['request POST/a?b=10 hello']],
  [SAMPLES.bare, ['request GET/0 ']],
  [SAMPLES.linefeeds, ['response 200 ok']],
  [SAMPLES.chunks, ['response 200 hello world']],
  [SAMPLES.empty, ['response 204 ']],
  [SAMPLES.untilEnd, ['response 200 all of it']],
  [
    SAMPLES.endless,
    [
      'response 200 ',
      'part {"content-length":"11"} false --MIME\r\nabc',
      'part {"content-type":"text/xml"} false <a/>',
      'part {} false plain',
      'part {} true ',
      'response 200 1',
    ],
  ],
])('is the same at every split point, and nothing is left out: %j', (sample, expected) => {
  const whole = cut([sample]);
  expect(show(whole)).toEqual(expected);
  expect(all(whole)).toBe(sample);
  for (let at = 0; at <= sample.length; at += 1)
    expect(show(cut([sample.slice(0, at), sample.slice(at)])), `split at ${at}`).toEqual(expected);
  expect(show(cut(bytewise(sample)))).toEqual(expected);
});

test('noise is shown, and what follows is found', () => {
  const mixed = `\u0001\u0002GETX\r\n${SAMPLES.request}HTTP/9 ${SAMPLES.chunks}`;
  const cuts = cut([mixed]);
  expect(all(cuts)).toBe(mixed);
  expect(joinNoise(show(cuts))).toEqual(['request POST/a?b=10 hello', 'response 200 hello world']);
  expect(show(cut(bytewise(mixed))).filter((line) => !line.startsWith('noise'))).toEqual(joinNoise(show(cuts)));
});

test('an unfinished message is noise, and a whole one inside it is found', () => {
  const cuts = cut([`POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n${SAMPLES.request}`]);
  expect(joinNoise(show(cuts))).toEqual(['request POST/a?b=10 hello']);
});

test('lengths that are none, and larger than allowed, are no messages', () => {
  expect(joinNoise(show(cut(['POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n'])))).toEqual([]);
  const splitter = createHttpSplitter({ sizeBytesMax: 100 });
  expect(
    splitter.push(Buffer.from('POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n')).every((one) => one.kind === 'noise'),
  ).toBe(true);
});

test('headers by name, repeated ones joined', () => {
  const [one] = cut([
    'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest a="b"\r\nwww-authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
  ]);
  expect(one?.kind === 'message' && one.message.headers['www-authenticate']).toBe('Digest a="b", Basic');
});

test('a body is replaced in its place, chunk by chunk', () => {
  const [one] = cut([SAMPLES.chunks]);
  if (one?.kind !== 'message') throw new Error('no message');
  const bytes = withBody(one.message, Buffer.from('HELLO_WORLD'));
  expect(text(bytes)).toBe(SAMPLES.chunks.replace('hello', 'HELLO').replace(' world', '_WORLD'));
});

test('spoilt streams raise nothing, account for every byte and take no time', () => {
  const random = seededRandom(11);
  const samples = Object.values(SAMPLES);
  for (let round = 0; round < 3000; round += 1) {
    const bytes = Buffer.from(samples[Math.floor(random() * samples.length)] ?? '');
    for (let count = 0; count < 3; count += 1) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    expect(all(cut([bytes.subarray(0, 40), bytes.subarray(40)]))).toBe(bytes.toString('latin1'));
  }
  const many = cut([Buffer.from(SAMPLES.request.repeat(20_000))]);
  expect(many).toHaveLength(20_000);
});

describe('the first bytes of a caller', () => {
  const request = Buffer.from('POST /hik/abc?x=1 HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\nbody');
  test('at every length: never "no", and what is known grows', () => {
    let before = '';
    for (let size = 0; size <= request.length; size += 1) {
      const told = peekRequest(request.subarray(0, size));
      expect(told.is, `at ${size}`).not.toBe('no');
      if (told.is !== 'request') continue;
      expect(told.target.startsWith(before)).toBe(true);
      expect(told.targetComplete).toBe(size >= 'POST /hik/abc?x=1 '.length);
      expect(told.headers === null).toBe(size < request.length - 4);
      before = told.target;
    }
    expect(before).toBe('/hik/abc?x=1');
    expect(peekRequest(request)).toMatchObject({ method: 'POST', headers: { host: 'a', 'x-y': 'z' } });
  });
  test.each([
    'SSH-2.0',
    'HTTP/1.1 400',
    '\u0016\u0003\u0001',
    'POST/',
    'POST /a HTTX',
    'GET /a b',
    'GET / HTTP/1.1\r\nbroken\r\n\r\n',
    'PUZ',
  ])('no: %j', (bytes) => {
    expect(peekRequest(Buffer.from(bytes, 'latin1')).is).toBe('no');
  });
});
