import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { captureBytes, createTap, formatCapture, parseCapture, writeCapture } from '../../src/links/tap.js';
import { createFakeClock } from '../support/fake-clock.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('tap', () => {
  it('keeps the last bytes of a reach in both directions, across reconnects, and no more', async () => {
    const clock = createFakeClock();
    const tap = createTap(clock, { sizeBytesMax: 8 });
    tap.stream('tcp://a:1').record('to-device', bytes(1, 2, 3));
    await clock.advance(15);
    tap.stream('tcp://a:1').record('from-device', bytes(4, 5, 6));
    await clock.advance(15);
    tap.stream('tcp://a:1').record('from-device', bytes(7, 8, 9));
    tap.stream('tcp://b:1').record('to-device', bytes(0xff));
    expect(tap.reaches()).toEqual(['tcp://a:1', 'tcp://b:1']);
    expect(tap.snapshot('tcp://a:1').entries).toEqual([
      { direction: 'from-device', atMs: 0, bytes: bytes(4, 5, 6), connection: 1 },
      { direction: 'from-device', atMs: 15, bytes: bytes(7, 8, 9), connection: 2 },
    ]);
    expect(tap.snapshot('tcp://nowhere:1').entries).toEqual([]);
  });

  it('keeps the end of a chunk larger than its memory', () => {
    const tap = createTap(createFakeClock(), { sizeBytesMax: 4 });
    tap.stream('x').record('from-device', bytes(1, 2, 3, 4, 5, 6));
    expect(tap.snapshot('x').entries[0]?.bytes).toEqual(bytes(3, 4, 5, 6));
  });

  it('is not changed when the owner of a chunk writes over it', () => {
    const tap = createTap(createFakeClock());
    const chunk = bytes(1, 2);
    tap.stream('x').record('from-device', chunk);
    chunk[0] = 9;
    expect(tap.snapshot('x').entries[0]?.bytes).toEqual(bytes(1, 2));
  });

  it('tells listeners until they leave', () => {
    const tap = createTap(createFakeClock());
    const heard: string[] = [];
    const leave = tap.subscribe((reach, entry) => heard.push(`${reach} ${entry.direction} ${entry.bytes.length}`));
    tap.stream('x').record('to-device', bytes(1));
    leave();
    tap.stream('x').record('to-device', bytes(2));
    expect(heard).toEqual(['x to-device 1']);
  });
});

describe('capture file', () => {
  it('reads a hand-written capture with comments and blank lines', () => {
    const capture = parseCapture(
      '# model: X7\n# Firmware: 2.10\n\n> A5 00 # hello\n# who: not a header any more\n< a5 01 02 # +40\n<. 03\n 55 > 07\n',
    );
    expect(capture.header).toEqual({ model: 'X7', firmware: '2.10' });
    expect(capture.entries).toEqual([
      { direction: 'to-device', atMs: 0, bytes: bytes(0xa5, 0), connection: 1 },
      { direction: 'from-device', atMs: 40, bytes: bytes(0xa5, 1, 2, 3), connection: 1 },
      { direction: 'to-device', atMs: 55, bytes: bytes(7), connection: 1 },
    ]);
    expect(captureBytes(capture, 'from-device')).toEqual(Buffer.from([0xa5, 1, 2, 3]));
  });

  it('names line and column of what is not hex', () => {
    const error = (() => {
      try {
        parseCapture('# a: b\n> A5 0G\n');
      } catch (thrown) {
        return thrown;
      }
      return null;
    })();
    expect(error).toBeInstanceOf(GatewayError);
    expect((error as GatewayError).context).toMatchObject({ line: 2, column: 7, found: 'G' });
    expect(() => parseCapture('A5 00')).toThrow(/Line 1, column 1/);
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            direction: fc.constantFrom('to-device' as const, 'from-device' as const),
            gapMs: fc.nat(5000),
            bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
            connection: fc.integer({ min: 1, max: 3 }),
          }),
          { maxLength: 20 },
        ),
        (raw) => {
          let atMs = 0;
          const entries = raw.map((entry, index) => {
            atMs += index === 0 ? 0 : entry.gapMs;
            return { direction: entry.direction, atMs, bytes: entry.bytes, connection: entry.connection };
          });
          expect(parseCapture(formatCapture({ header: { driver: 'd' }, entries }))).toEqual({
            header: { driver: 'd' },
            entries,
          });
        },
      ),
    );
  });

  it('is read back in time that grows with its length only', () => {
    const entries = [0, 1, 2, 3].map((value) => ({
      ...{ direction: 'from-device' as const, atMs: value, connection: 1 },
      bytes: new Uint8Array(65_536).fill(value),
    }));
    // Lines of 32 bytes: what looks at everything before each of them takes minutes here.
    const read = parseCapture(formatCapture({ header: {}, entries })).entries;
    expect(read.map((one) => [one.atMs, Buffer.compare(one.bytes, entries[one.atMs]?.bytes ?? bytes())])).toEqual(
      [0, 1, 2, 3].map((value) => [value, 0]),
    );
  }, 30_000);

  it('leaves out the oldest beyond its size and says so', () => {
    const entries = [1, 2, 3].map((value) => ({
      direction: 'to-device' as const,
      atMs: value,
      bytes: bytes(value, value),
      connection: 1,
    }));
    const text = formatCapture({ header: {}, entries }, 4);
    expect(text).toBe('# left-out: 1 older entries\n> 02 02 # +0\n> 03 03 # +1\n');
  });

  it('is written for its owner only, and a failure is an error with a remedy', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tap-'));
    const path = join(dir, 'a.cap');
    const entries = [{ direction: 'to-device' as const, atMs: 0, bytes: bytes(1), connection: 1 }];
    await writeCapture(path, { header: { who: 'a\nb' }, entries });
    expect(readFileSync(path, 'utf8')).toBe('# who: a b\n> 01 # +0\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await expect(writeCapture(join(dir, 'no', 'a.cap'), { header: {}, entries })).rejects.toMatchObject({
      code: 'capture-failed',
    });
  });
});
