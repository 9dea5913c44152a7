/**
 * Another terminal stands where one stood: accepted and told where the settings name no serial number, refused and shown where
 * they do. A caller with another number belongs to nobody until somebody adopts it. Nothing is mixed up with the one before.
 */
import { expect, test } from 'vitest';
import { openSite } from '../support/harness.js';
import { deviceStates, eventsOf, storedCount, terminalOf } from '../support/journal.js';
import { MAKES, makeOf } from '../support/makes.js';
import { callsGateway, reachKindOf } from '../support/station.js';

const HOUR = 3_600_000;
const calls = (make: (typeof MAKES)[number]): boolean => reachKindOf({ ...make, id: '' }).endsWith('-listen');
const DIALLED = MAKES.filter((one) => !calls(one) && !callsGateway({ ...one, id: '' }));

test.each(DIALLED)(
  '$name: without a number in the settings it is accepted and told',
  { timeout: 60_000 },
  async (make) => {
    await using site = await openSite({
      terminals: [
        { ...make, id: 'hall', serial: 'SIM-000000000001' },
        { ...make, id: 'spare', serial: 'SIM-000000000002' },
      ],
    });
    site.station('spare').pull();
    await site.start();
    site.station('hall').terminal.punch(site.people[0] ?? '');
    await site.until('read', () => storedCount(site) === 1, HOUR);
    const repeated = site.station('hall').terminal.records()[0];
    site.swap('hall', 'spare');
    // The same person in the same second at the other one: two punches of two terminals.
    if (repeated) site.station('spare').terminal.addRecord(repeated);
    site.station('spare').terminal.punch(site.people[1] ?? '');
    await site.until('read', () => site.gateway().store.punchCount('SIM-000000000002') === 2, HOUR);
    expect(site.gateway().store.punchCount('SIM-000000000001')).toBe(1);
    expect(eventsOf(site, 'device').filter((one) => one.data.state === 'DEVICE_REBOUND')).toMatchObject([
      { data: { before: 'SIM-000000000001', deviceSn: 'SIM-000000000002', terminal: 'hall' } },
    ]);
    expect(terminalOf(site).details.serial).toBe('SIM-000000000002');
  },
);

test.each(DIALLED)(
  '$name: with a number in the settings it is refused and shown',
  { timeout: 60_000 },
  async (make) => {
    await using site = await openSite({
      terminals: [
        { ...make, id: 'hall', serial: 'SIM-000000000002', settings: { serial: 'SIM-000000000001' } },
        { id: 'shop', driver: 'anviz-tcb' },
      ],
    });
    await site.start();
    site.station('hall').terminal.punch(site.people[0] ?? '');
    site.station('shop').terminal.punch(site.people[1] ?? '');
    await site.until('the other one is read', () => storedCount(site) === 1, HOUR);
    await site.run(120_000);
    expect(terminalOf(site)).toMatchObject({ state: 'parked', trouble: { code: 'other-terminal' } });
    expect(terminalOf(site).trouble?.zh).toContain('SIM-000000000002');
    expect(site.gateway().store.punchCount('SIM-000000000002')).toBe(0);
  },
);

test.each(['zk-push', 'aiface-ws', 'fcard that calls', 'fcard-http'])(
  '%s: a caller with another number belongs to nobody, and keeps its records',
  { timeout: 60_000 },
  async (name) => {
    await using site = await openSite({
      terminals: [
        { ...makeOf(name), id: 'hall', serial: 'SIM-000000000002', settings: { serial: 'SIM-000000000001' } },
      ],
    });
    await site.start();
    site.station('hall').terminal.punch(site.people[0] ?? '');
    await site.run(180_000);
    expect(storedCount(site)).toBe(0);
    expect(terminalOf(site).state).toBe('awaiting-call');
    const { unclaimed } = site.gateway().status();
    expect(unclaimed).toMatchObject([{ driver: makeOf(name).driver, serial: 'SIM-000000000002' }]);
    expect(deviceStates(site)).toEqual([]);
  },
);

test('an Anviz terminal that calls and says no number is told when another one calls', async () => {
  const make = makeOf('anviz-tcb that calls');
  await using site = await openSite({
    terminals: [
      { ...make, id: 'hall', serial: 'SIM-0001', settings: { serial: undefined } },
      { ...make, id: 'spare', serial: 'SIM-0002', reach: 'tcp', calls: true },
    ],
  });
  site.station('spare').pull();
  await site.start();
  site.station('hall').terminal.punch(site.people[0] ?? '');
  await site.until('read', () => storedCount(site) === 1, HOUR);
  site.swap('hall', 'spare');
  site.station('spare').terminal.punch(site.people[1] ?? '');
  await site.until('the other', () => site.gateway().store.punchCount('SIM-0002') === 1, HOUR);
  expect(deviceStates(site)).toContain('DEVICE_REBOUND');
});
