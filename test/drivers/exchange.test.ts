/** The wire of a session: frames in order, each wait with its deadline, and one error for every way a link can end. */
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import type { Finding } from '../../src/drivers/driver.js';
import { createExchange, type Exchange } from '../../src/drivers/exchange.js';
import type { FrameRule } from '../../src/drivers/framing.js';
import { createFakeClock, settle, type FakeClock } from '../support/fake-clock.js';
import { benchWire } from './rig.js';

/** A toy protocol: the first byte is the length of the frame, 1 to 9; every other byte is noise. */
const RULE: FrameRule = {
  sizeBytesMax: 9,
  measure: (at) => ((at[0] ?? 0) >= 1 && (at[0] ?? 0) <= 9 ? (at[0] ?? 0) : 'no'),
  check: () => true,
};

interface Trial {
  readonly clock: FakeClock;
  readonly exchange: Exchange;
  readonly ours: Duplex;
  readonly theirs: Duplex;
  readonly findings: Finding[];
  readonly stop: AbortController;
}

function trial(idleFlushMs: number | null = null): Trial {
  const clock = createFakeClock();
  const [ours, theirs] = duplexPair();
  for (const side of [ours, theirs]) side.on('error', () => undefined);
  const findings: Finding[] = [];
  const stop = new AbortController();
  const wire = benchWire(clock, (finding: Finding) => void findings.push(finding));
  return {
    clock,
    ours,
    theirs,
    findings,
    stop,
    exchange: createExchange(ours, RULE, { idleFlushMs }, wire, stop.signal),
  };
}

const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof GatewayError ? error.code : (error as Error).name),
  );

describe('exchange', () => {
  test('gives frames in order, and bytes that belong to none as a finding', async () => {
    const { theirs, exchange, findings } = trial();
    theirs.write(Uint8Array.of(0xff, 2, 7, 0xee, 3, 8, 8));
    expect([...(await exchange.receive(1000, 'a'))]).toEqual([2, 7]);
    expect([...(await exchange.receive(1000, 'b'))]).toEqual([3, 8, 8]);
    expect(exchange.poll()).toBeNull();
    expect(exchange.noiseBytes).toBe(2);
    expect(exchange.framesSeen).toBe(2);
    expect(findings.map((finding) => finding.code)).toEqual(['noise', 'noise']);
    expect([...exchange.firstBytes]).toEqual([0xff, 2, 7, 0xee, 3, 8, 8]);
  });

  test('silence ends a wait at its deadline and not before', async () => {
    const { clock, exchange } = trial();
    const waiting = code(exchange.receive(1000, 'an answer'));
    let over = false;
    void waiting.then(() => (over = true));
    await clock.advance(999);
    expect(over).toBe(false);
    await clock.advance(1);
    expect(await waiting).toBe('link-silent');
    expect(clock.sleepers).toBe(0);
  });

  test('pieces of a frame do not move the deadline, but are seen as signs of life', async () => {
    const { clock, theirs, exchange } = trial();
    const waiting = code(exchange.receive(1000, 'an answer'));
    theirs.write(Uint8Array.of(4, 1));
    await clock.advance(600);
    theirs.write(Uint8Array.of(1));
    await clock.advance(400);
    expect(await waiting).toBe('link-silent');
    expect(exchange.lastBytesTicks).toBe(600);
    // The rest comes late: the frame is whole all the same, for the next wait.
    theirs.write(Uint8Array.of(1));
    expect([...(await exchange.receive(1000, 'more'))]).toEqual([4, 1, 1, 1]);
  });

  test('on a line with idle flush an unfinished frame is given up after silence, counted from its last byte', async () => {
    const { clock, theirs, exchange } = trial(200);
    const waiting = exchange.receive(5000, 'an answer');
    theirs.write(Uint8Array.of(9, 2));
    await clock.advance(150);
    theirs.write(Uint8Array.of(5));
    await clock.advance(150);
    expect(exchange.noiseBytes).toBe(0);
    await clock.advance(100);
    expect(exchange.noiseBytes).toBe(1);
    expect([...(await waiting)]).toEqual([2, 5]);
  });

  test.each([
    ['the other side ends', ({ theirs }: Trial) => void theirs.end()],
    ['the link is destroyed', ({ ours }: Trial) => void ours.destroy()],
    ['the link breaks', ({ ours }: Trial) => void ours.destroy(new Error('ECONNRESET'))],
  ])('%s: waits and writes end with link-closed, frames that had come are given first', async (_name, end) => {
    const all = trial();
    all.theirs.write(Uint8Array.of(2, 7));
    await settle();
    const first = all.exchange.receive(1000, 'a');
    end(all);
    expect([...(await first)]).toEqual([2, 7]);
    expect(await code(all.exchange.receive(1000, 'b'))).toBe('link-closed');
    expect(await code(all.exchange.send(Uint8Array.of(1)))).toBe('link-closed');
  });

  test('an abort ends a wait at once and leaves no timer', async () => {
    const { clock, exchange, stop } = trial();
    const waiting = code(exchange.receive(60_000, 'an answer'));
    await settle();
    stop.abort();
    expect(await waiting).toBe('AbortError');
    expect(clock.sleepers).toBe(0);
  });

  test('a peer that does not read ends a write with link-silent', async () => {
    const { clock, exchange } = trial();
    const writing = code(exchange.send(new Uint8Array(1_000_000)));
    await clock.advance(10_000);
    expect(await writing).toBe('link-silent');
  });

  test("after disposal nothing is heard, and an error of the link is nobody's", async () => {
    const { ours, theirs, exchange, findings } = trial();
    exchange[Symbol.dispose]();
    theirs.write(Uint8Array.of(0xff, 2, 7));
    await settle();
    ours.destroy(new Error('late'));
    await settle();
    expect(exchange.poll()).toBeNull();
    expect(findings).toEqual([]);
    expect(await code(exchange.receive(1000, 'a'))).toBe('link-closed');
  });

  test('a flood pauses the link until frames are taken, and none is lost', async () => {
    const { ours, theirs, exchange } = trial();
    const count = 20_000;
    const flood = Buffer.alloc(2 * count);
    for (let index = 0; index < count; index += 1) flood.set([2, index & 0xff], 2 * index);
    for (let at = 0; at < flood.length; at += 1000) theirs.write(flood.subarray(at, at + 1000));
    await settle();
    expect(ours.isPaused()).toBe(true);
    for (let index = 0; index < count; index += 1) expect((await exchange.receive(1000, 'all'))[1]).toBe(index & 0xff);
    expect(ours.isPaused()).toBe(false);
  });
});
