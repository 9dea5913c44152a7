/**
 * The upstream against a broker that misbehaves in every way of F6 and upstream §22.6. For each: the status says what is
 * wrong, nothing is lost, and it recovers by itself once the broker behaves.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { startEvilBroker, type EvilBroker, type Misdeeds } from '../support/evil-broker.js';
import type { StubPlatform } from '../support/stub-platform.js';
import { startSide, stubPlatform, until, type Side, type SideOptions } from './harness.js';

interface Scene {
  readonly broker: EvilBroker;
  readonly platform: StubPlatform;
  readonly side: Side;
}

async function scene(misdeeds: Partial<Misdeeds> = {}, options: SideOptions = {}): Promise<Scene> {
  const platform = stubPlatform();
  const broker = await startEvilBroker((message) => platform.receive(message), misdeeds);
  onTestFinished(() => broker.close());
  const side = startSide(broker.url, options);
  side.add(3);
  return { broker, platform, side };
}

/** All is delivered, in order, without conflict, and the status is clean. */
async function recovered({ side, platform }: Scene): Promise<void> {
  await side.drained();
  // After several cuts the suspicion of a second box stays for a minute.
  const fine = (code: string | undefined): boolean => code === undefined || code === 'uplink-flapping';
  await side.until('online', (status) => status.state === 'online' && fine(status.error?.code));
  expect(platform.conflicts()).toBe(0);
  const punches = [...platform.stored.values()]
    .flatMap((batch) => batch.records)
    .filter((record) => record.k === 'punch');
  expect(new Set(punches.map((record) => record.n)).size).toBe(side.store.punchCount());
}

test('a broker that behaves', async () => {
  const all = await scene();
  await recovered(all);
  expect(all.side.status()).toMatchObject({ version: '5', connected: true, alarm: false });
});

describe('refused connections', () => {
  const CODES: readonly (readonly [number, string])[] = [
    [0x80, 'uplink-away'],
    [0x81, 'uplink-refused'],
    [0x82, 'uplink-refused'],
    [0x83, 'uplink-away'],
    [0x84, 'uplink-version'],
    [0x85, 'uplink-identity'],
    [0x86, 'uplink-login'],
    [0x87, 'uplink-forbidden'],
    [0x88, 'uplink-away'],
    [0x89, 'uplink-busy'],
    [0x8a, 'uplink-forbidden'],
    [0x8c, 'uplink-login'],
    [0x90, 'uplink-refused'],
    [0x95, 'uplink-refused'],
    [0x97, 'uplink-busy'],
    [0x99, 'uplink-refused'],
    [0x9a, 'uplink-refused'],
    [0x9b, 'uplink-refused'],
    [0x9c, 'uplink-refused'],
    [0x9d, 'uplink-refused'],
    [0x9f, 'uplink-busy'],
  ];
  test.each(CODES)('version 5 code %i is %s', async (code, expected) => {
    const all = await scene({ connack: code });
    await all.side.until('named', (status) => status.error?.code === expected);
    expect(all.side.status().error?.en.what).toContain(`0x${code.toString(16).toUpperCase()}`);
    expect(['offline', 'connecting']).toContain(all.side.status().state);
    all.broker.misdeeds.connack = 0;
    await recovered(all);
  });

  test.each([
    [1, 'uplink-version'],
    [2, 'uplink-identity'],
    [3, 'uplink-away'],
    [4, 'uplink-login'],
    [5, 'uplink-forbidden'],
  ] as const)('version 3.1.1 code %i is %s', async (code, expected) => {
    const all = await scene({ hangUpOnFive: true, connack: code }, { mqtt: { version: 'auto' } });
    await all.side.until('named', (status) => status.error?.code === expected);
    expect(all.side.status().error?.en.what).toContain(`${code} `);
    all.broker.misdeeds.connack = 0;
    await recovered(all);
    expect(all.side.status().version).toBe('3.1.1');
  });
});

test('accepts TCP and stays silent', async () => {
  const all = await scene({ silent: true });
  await all.side.until('named', (status) => status.error?.code === 'uplink-silent');
  expect(all.side.status().error?.en.what).toContain('CONNACK');
  await all.side.until('alarm', (status) => status.alarm);
  all.broker.misdeeds.silent = false;
  await recovered(all);
  expect(all.side.status().alarm).toBe(false);
});

test('refuses the subscription', async () => {
  const all = await scene({ suback: 0x87 });
  await all.side.until('named', (status) => status.error?.code === 'uplink-subscribe-refused');
  all.broker.misdeeds.suback = 1;
  await recovered(all);
});

test('grants subscriptions and never delivers', async () => {
  const all = await scene({ mute: true });
  await all.side.until(
    'named',
    (status) => status.state === 'unanswered' && status.error?.code === 'uplink-unanswered',
  );
  expect(all.side.store.pending('city').records).toBeGreaterThan(0);
  all.broker.misdeeds.mute = false;
  await recovered(all);
});

test('confirms and forgets: PUBACK is not an acknowledgement', async () => {
  const all = await scene({ forget: true });
  await all.side.until('named', (status) => status.error?.code === 'uplink-unanswered');
  expect(all.side.store.upstream('city')?.ackedSeq).toBe(0);
  all.broker.misdeeds.forget = false;
  await recovered(all);
});

test('confirms and forgets batches after a good start', async () => {
  const all = await scene();
  await recovered(all);
  all.broker.misdeeds.forget = true;
  all.side.add(2);
  await all.side.until('named', (status) => status.error?.code === 'uplink-unacknowledged');
  expect(all.side.status().state).toBe('unanswered');
  all.broker.misdeeds.forget = false;
  await recovered(all);
});

test('never confirms a publish', async () => {
  const all = await scene({ puback: null, forget: true });
  await all.side.until('named', (status) => status.error?.code === 'uplink-silent');
  expect(all.side.status().error?.en.what).toContain('PUBACK');
  all.broker.misdeeds.puback = 0;
  all.broker.misdeeds.forget = false;
  await recovered(all);
});

test.each([0x87, 0x97, 0x99])('refuses publishes with %i', async (code) => {
  const all = await scene({ puback: code });
  await all.side.until('named', (status) => status.error?.code === 'uplink-publish-refused');
  expect(all.side.status().state).toBe('stopped');
  all.side.add(1);
  all.broker.misdeeds.puback = 0;
  await recovered(all);
});

test.each(['cutBefore', 'cutAfter'] as const)('cuts the connection (%s) at batches', async (misdeed) => {
  const all = await scene({ [misdeed]: 3 });
  await recovered(all);
  expect(all.broker.misdeeds[misdeed]).toBe(0);
  expect(all.broker.connects.length).toBeGreaterThan(misdeed === 'cutBefore' ? 3 : 1);
});

test('repeats every delivery', async () => {
  const all = await scene({ deliveries: 3 });
  for (let round = 0; round < 5; round += 1) {
    all.side.add(4);
    await all.side.drained();
  }
  await recovered(all);
  expect(all.platform.duplicates()).toBe(0);
});

test('takeover by a second box', async () => {
  const all = await scene();
  await recovered(all);
  const before = all.broker.connects.length;
  all.broker.disconnect(0x8e);
  await all.side.until('named', (status) => status.error?.code === 'uplink-taken-over');
  await recovered(all);
  expect(all.broker.connects.length).toBe(before + 1);
});

test('half-open connection is noticed by our own timers', async () => {
  const all = await scene();
  await recovered(all);
  all.broker.misdeeds.frozen = true;
  await all.side.until('named', (status) => status.error?.code === 'uplink-silent');
  all.broker.misdeeds.frozen = false;
  await recovered(all);
});

test('Receive Maximum 1 is kept', async () => {
  const all = await scene({ receiveMaximum: 1 });
  for (let round = 0; round < 6; round += 1) all.side.add(500);
  await recovered(all);
  expect(all.broker.inFlightMax()).toBe(1);
});

test('Receive Maximum 20 does not widen the window of 4', async () => {
  const all = await scene({ receiveMaximum: 20 }, { lingerMs: 0 });
  await recovered(all);
  all.side.add(6000);
  await recovered(all);
  expect(all.side.status().window).toBe(4);
  // Four batches, hello and state; on a busy machine the resend timer may add the four once more. Never the twenty.
  expect(all.broker.inFlightMax()).toBeLessThanOrEqual(10);
});

test('Maximum Packet Size 4096: sealing keeps below it and nothing larger is ever sent', async () => {
  const all = await scene({ maximumPacketSize: 4096 });
  await recovered(all);
  all.side.add(300);
  await recovered(all);
  expect(Math.max(...all.broker.published.map((one) => one.bytes))).toBeLessThanOrEqual(4096);
});

test('a sealed batch above the limit is named, never sent, and goes when the limit is raised', async () => {
  const all = await scene({ maximumPacketSize: 4096, connack: 0x88 });
  all.side.add(499);
  await until('sealed', () => (all.side.store.upstream('city')?.sealedN ?? 0) >= 500);
  all.broker.misdeeds.connack = 0;
  await all.side.until('named', (status) => status.error?.code === 'uplink-oversize');
  expect(Math.max(...all.broker.published.map((one) => one.bytes))).toBeLessThanOrEqual(4096);
  all.broker.misdeeds.maximumPacketSize = null;
  await recovered(all);
});
