/** Live events of zk-standalone, and what finds the punches that no event told. */
import { describe, expect, test } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import { createFramer } from '../../src/drivers/framing.js';
import { COMMAND } from '../../src/drivers/zk-standalone/codes.js';
import { TCP_FRAMES, untcp } from '../../src/drivers/zk-standalone/codec.js';
import { history, keyOf } from './rig.js';
import { codes, follow, open, truth, zkRig } from './zk-standalone-rig.js';

describe('following', () => {
  test.each([10, 12, 14, 32, 36, 37, 52, 104])('events of %i bytes arrive once, acknowledged', async (eventBytes) => {
    const rig = zkRig({ simulatorOptions: { eventBytes, recordBytes: eventBytes < 32 ? 16 : 40 } });
    // Short events hold 16 bits only.
    const userId = eventBytes === 12 || eventBytes >= 32 ? '20250017' : '42';
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    // More than the simulator sends without an acknowledgement.
    for (let index = 0; index < 20; index += 1) {
      rig.terminal.punch(userId);
      await watch.pass(1500);
    }
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    expect([...watch.seen.values()].filter((punch) => punch.source === 'realtime').length).toBe(20);
    expect(watch.drained.length).toBe(1);
    await watch.stop();
  });

  test('a record without an event is found by comparing the counter', async () => {
    const rig = zkRig({ options: { recountMinutes: 2 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    await watch.pass(30_000);
    expect(watch.seen.has('42 2026-09-10 08:00:11')).toBe(false);
    await watch.pass(120_000);
    expect(watch.seen.has('42 2026-09-10 08:00:11')).toBe(true);
    await watch.stop();
  });

  test('a counter that never agrees has the log read less and less often, and hides no record that is added', async () => {
    const rig = zkRig({ faults: { 'wrong-count': '3' }, options: { recountMinutes: 1 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(3 * 3_600_000);
    expect(watch.drained.length).toBeGreaterThan(5);
    expect(watch.drained.length).toBeLessThan(15);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    await watch.pass(120_000);
    expect(watch.seen.has('42 2026-09-10 08:00:11')).toBe(true);
    await watch.stop();
  });

  test('a punch that is both in a read and told live is counted once, so that a later silent one is not hidden', async () => {
    const rig = zkRig({ options: { recountMinutes: 1 }, simulatorOptions: { packetPauseMs: 300 } });
    const connection = await open(rig);
    const watch = follow(rig, connection);
    await watch.pass(30_000);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    const counted = (): number =>
      createFramer(TCP_FRAMES)
        .push(Buffer.concat(connection.sent))
        .filter((cut) => cut.kind === 'frame' && untcp(cut.bytes).command === COMMAND.GET_FREE_SIZES).length;
    // The comparison asks twice, then the read once more; the punch falls between that answer and the copy of the log.
    const before = counted();
    while (counted() < before + 3) await watch.pass(50);
    await watch.pass(100);
    const told = rig.terminal.punch('20250018');
    await watch.pass(20_000);
    expect(watch.seen.has(keyOf(told))).toBe(true);
    expect(watch.drained.length).toBe(2);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:12' as WallTime });
    await watch.pass(120_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    await watch.stop();
  });

  test('a log that shrank begins a new epoch and is read again', async () => {
    const rig = zkRig({ options: { recountMinutes: 1 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.setFault('seq-reset', '');
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    await watch.pass(120_000);
    expect(watch.drained).toEqual([0, 1]);
    expect(watch.seen.has('42 2026-09-10 08:00:11')).toBe(true);
    expect(codes(rig.findings)).toContain('epoch-changed');
    await watch.stop();
  });

  test('a shrunken log is noticed across sessions by the cursor', async () => {
    const rig = zkRig();
    const first = await rig.run(rig.readAll());
    rig.terminal.setFault('seq-reset', '');
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.pages.at(-1)?.cursor).toEqual({ count: 0, epoch: 1, first: null, ring: false });
    expect(codes(second.findings)).toContain('epoch-changed');
  });

  test('a terminal that died silently is noticed within a minute', async () => {
    const rig = zkRig();
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.setFault('no-answer', '');
    await watch.pass(60_000);
    expect(watch.failure()).toMatchObject({ code: 'link-silent' });
    await watch.stop();
  });

  test('a quiet terminal is left alone but for the probe, for hours', async () => {
    const rig = zkRig({ options: { recountMinutes: 60 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(2 * 3_600_000);
    expect(watch.failure()).toBeNull();
    expect(watch.drained.length).toBe(1);
    rig.terminal.punch('42');
    await watch.pass(2000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    await watch.stop();
  });

  test.each([10, 14])(
    'an id too long for an event of %i bytes comes as the slot, and is joined',
    async (eventBytes) => {
      const rig = zkRig({ simulatorOptions: { eventBytes } });
      const watch = follow(rig, await open(rig));
      await watch.pass(10_000);
      const made = rig.terminal.punch('20250018');
      await watch.pass(5000);
      expect(watch.seen.get(keyOf(made))).toMatchObject({ deviceUserId: '20250018', source: 'realtime' });
      await watch.stop();
    },
  );

  test('a short id that could be two people is left to the log', async () => {
    // Slot 2 belongs to person 3, and there is a person 2: an event that says 2 may mean either.
    const users = [
      { id: '2', name: 'A' },
      { id: '3', name: 'B' },
    ];
    const rig = zkRig({
      users,
      records: history(4, users),
      simulatorOptions: { eventBytes: 10 },
      options: { recountMinutes: 1 },
    });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.punch('2');
    await watch.pass(20_000);
    expect([...watch.seen.values()].filter((punch) => punch.source === 'realtime')).toEqual([]);
    await watch.pass(60_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    await watch.stop();
  });

  test.each(['', 'silent'])('where events are refused (%s), the counter alone finds new punches', async (how) => {
    const rig = zkRig({ options: { recountMinutes: 1 }, faults: { 'refuse-events': how } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    const made = rig.terminal.punch('42');
    await watch.pass(90_000);
    expect(watch.seen.get(keyOf(made))?.source).toBe('poll');
    await watch.stop();
  });

  test('a full ring keeps its count, so it is read again once an hour', async () => {
    const rig = zkRig({ simulatorOptions: { recordCapacity: 60 }, options: { recountMinutes: 10 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    await watch.pass(20 * 60_000);
    expect(watch.drained.length).toBe(1);
    await watch.pass(60 * 60_000);
    expect(watch.seen.has('42 2026-09-10 08:00:11')).toBe(true);
    await watch.stop();
  });

  test('a clock that jumped years back makes punches of years ago, and they arrive', async () => {
    const rig = zkRig();
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.setFault('clock-jump', String(-5 * 365 * 86_400_000));
    const made = rig.terminal.punch('42');
    await watch.pass(5000);
    expect(made.wallTime < '2022').toBe(true);
    expect(watch.seen.has(keyOf(made))).toBe(true);
    await watch.stop();
  });
});

describe('epochs', () => {
  test('a ring that has gone round: the count stands still while punches happen, and everything is read again, once', async () => {
    const rig = zkRig({ simulatorOptions: { recordCapacity: 60 }, options: { recountMinutes: 1 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    for (let index = 0; index < 5; index += 1) {
      rig.terminal.punch('42');
      await watch.pass(30_000);
    }
    await watch.pass(120_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    expect(watch.drained).toEqual([0, 1]);
    expect(rig.findings.filter((finding) => finding.code === 'epoch-changed')).toHaveLength(1);
    // A record that no event told is found when the ring is read again.
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    await watch.pass(61 * 60_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    expect(watch.drained.slice(0, 3)).toEqual([0, 1, 2]);
    await watch.stop();
  });

  test('a log that becomes a ring while we listen', async () => {
    const rig = zkRig({ options: { recountMinutes: 1 } });
    const watch = follow(rig, await open(rig));
    await watch.pass(10_000);
    rig.terminal.setFault('small-ring', '');
    const made = rig.terminal.punch('20250017');
    await watch.pass(120_000);
    expect(watch.seen.get(keyOf(made))?.source).toBe('poll');
    expect(watch.drained).toEqual([0, 1]);
    await watch.stop();
  });

  test('a ring that goes round between two sessions, and a log that was cleared and filled beyond its old size', async () => {
    const ring = zkRig({ simulatorOptions: { recordCapacity: 60 } });
    const first = await ring.run(ring.readAll());
    ring.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    const second = await ring.run(ring.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.pages.at(-1)?.cursor).toMatchObject({ count: 60, epoch: 1 });
    const third = await ring.run(ring.readAll(second.pages.at(-1)?.cursor ?? null));
    expect(third.pages.at(-1)?.cursor).toEqual(second.pages.at(-1)?.cursor);

    const cleared = zkRig();
    const before = await cleared.run(cleared.readAll());
    cleared.terminal.setFault('seq-reset', '');
    for (const record of history(90, [{ id: '7', name: 'New' }])) cleared.terminal.addRecord(record);
    const after = await cleared.run(cleared.readAll(before.pages.at(-1)?.cursor ?? null));
    expect(after.pages.at(-1)?.cursor).toMatchObject({ count: 90, epoch: 1 });
    expect(new Set([...before.punches, ...after.punches].map(keyOf)).size).toBe(150);
  });

  test('a log that only grows stays in its epoch, and its cursor holds no person', async () => {
    const rig = zkRig();
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:11' as WallTime });
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.pages.at(-1)?.cursor).toMatchObject({ count: 61, epoch: 0 });
    expect(JSON.stringify(second.pages.at(-1)?.cursor)).not.toContain('20250017');
    expect(codes(rig.findings)).not.toContain('epoch-changed');
  });

  test('an event that is told again and again is one punch, and no sign of a ring', async () => {
    const rig = zkRig({ options: { recountMinutes: 1 }, faults: { 'repeat-events': '' } });
    const connection = await open(rig);
    const watch = follow(rig, connection);
    await watch.pass(10_000);
    rig.terminal.punch('42');
    await watch.pass(10 * 60_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    expect(watch.drained).toEqual([0]);
    await watch.stop();
  });
});

test.each([{}, { lose: '' }, { repeat: '1' }, { reorder: '2' }])('following over datagrams with %o', async (faults) => {
  const rig = zkRig({
    datagrams: true,
    faults: faults,
    options: { recountMinutes: 2 },
    simulatorOptions: { smallAnswerBytes: 0, packetBytes: 200 },
  });
  const watch = follow(rig, await open(rig));
  await watch.pass(30_000);
  for (let index = 0; index < 30; index += 1) {
    rig.terminal.punch('20250018');
    await watch.pass(20_000);
  }
  await watch.pass(5 * 60_000);
  expect(watch.failure()).toBeNull();
  expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
  // Where no event was lost, the log was read once and never again.
  if (!('lose' in faults)) expect(watch.drained).toEqual([0]);
  await watch.stop();
});

test('a terminal on UDP that was switched off is noticed within a minute', async () => {
  const rig = zkRig({ datagrams: true });
  const watch = follow(rig, await open(rig));
  await watch.pass(10_000);
  rig.terminal.setFault('lose', '1');
  await watch.pass(60_000);
  expect(watch.failure()).toMatchObject({ code: 'link-silent' });
  await watch.stop();
});
