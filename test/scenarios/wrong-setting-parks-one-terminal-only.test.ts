/** A terminal whose entry cannot be understood is parked with its fault on the page; the other one is read and delivered. */
import { expect, test } from 'vitest';
import { openSite } from '../support/harness.js';

test('an unknown option', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone' },
      { id: 'shop', driver: 'anviz-tcb', options: { adress: 1 } },
    ],
  });
  await site.start();
  site.station('hall').terminal.punch(site.people[0] ?? '');
  site.station('shop').terminal.punch(site.people[1] ?? '');
  await site.run(20_000);
  await site.until('delivered', () => site.delivered());
  const { terminals, punches } = site.gateway().status();
  expect(punches).toBe(1);
  const [hall, shop] = terminals;
  expect(hall).toMatchObject({ id: 'hall', state: 'live', trouble: null });
  expect(shop).toMatchObject({ id: 'shop', state: 'parked', trouble: { code: 'key-unknown' } });
  expect(shop?.trouble?.zh).toContain('adress');
});

test('a wrong comm key', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone', simulatorOptions: { commKey: 4711 } },
      { id: 'shop', driver: 'anviz-tcb' },
    ],
  });
  await site.start();
  site.station('shop').terminal.punch(site.people[1] ?? '');
  await site.run(60_000);
  const [hall, shop] = site.gateway().status().terminals;
  expect(hall).toMatchObject({ state: 'parked', trouble: { code: 'auth-refused' } });
  // A wrong key counts towards a lock of the terminal: it is not tried again and again.
  expect(
    site
      .gateway()
      .status()
      .units.find((unit) => unit.name === 'terminal:hall')?.restarts,
  ).toBe(1);
  expect(shop).toMatchObject({ state: 'waiting', trouble: null });
  expect(site.gateway().store.punchCount()).toBe(1);
});
