/** At the address answers another serial number than the settings name: nothing of it is stored, and the page says which one it is. */
import { expect, test } from 'vitest';
import { openSite } from '../support/harness.js';

test('a swapped terminal', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone', serial: 'CKQ0000002', settings: { serial: 'CKQ0000001' } },
      { id: 'shop', driver: 'anviz-tcb' },
    ],
  });
  await site.start();
  site.station('hall').terminal.punch(site.people[0] ?? '');
  site.station('shop').terminal.punch(site.people[1] ?? '');
  await site.run(60_000);
  const { terminals, punches } = site.gateway().status();
  expect(punches).toBe(1);
  expect(site.gateway().store.punchCount('CKQ0000002')).toBe(0);
  expect(terminals[0]).toMatchObject({ state: 'parked', trouble: { code: 'other-terminal' } });
  expect(terminals[0]?.trouble?.en).toContain('CKQ0000002');
  expect(terminals[1]).toMatchObject({ state: 'waiting', trouble: null });
});

test('without a number in the settings a swap is accepted and told', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone', serial: 'CKQ0000001' },
      { id: 'spare', driver: 'zk-standalone', serial: 'CKQ0000002' },
    ],
  });
  site.station('spare').pull();
  await site.start();
  await site.until('live', () => site.gateway().status().terminals[0]?.state === 'live');
  site.swap('hall', 'spare');
  site.station('spare').terminal.punch(site.people[0] ?? '');
  await site.until('read', () => site.gateway().store.punchCount('CKQ0000002') === 1);
  const rebound = site
    .gateway()
    .store.facts(0, 1000, 'event')
    .filter((fact) => fact.kind === 'event' && fact.data.state === 'DEVICE_REBOUND');
  expect(rebound).toMatchObject([{ data: { before: 'CKQ0000001', deviceSn: 'CKQ0000002', terminal: 'hall' } }]);
});
