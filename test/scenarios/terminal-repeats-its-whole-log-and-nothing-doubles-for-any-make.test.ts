/** Whatever makes a terminal bring everything again (a position forgotten, a terminal that lost its marks): every record is stored once (P2). */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { storedCount, terminalOf } from '../support/journal.js';
import { makeOf, MAKES } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';

const HOUR = 3_600_000;
const RECORDS = simulatedHistory(60, 10, '2026-09-09' as LocalDate);
/** FC-8x00 by HTTP brings each record once, and can not be asked for it again. */
const ASKED = MAKES.filter((one) => one.driver !== 'fcard-http');

test.each(ASKED)('$name, whose reading position was forgotten', { timeout: 60_000 }, async (make) => {
  await using site = await openSite({ terminals: [{ ...make, id: 'hall', records: RECORDS }] });
  const { terminal } = site.station('hall');
  const repeated = (): number => Number(terminalOf(site).details.repeated);
  await site.start();
  await site.until('read', () => storedCount(site) === 60, HOUR);
  for (const person of site.people.slice(0, 2)) {
    terminal.punch(person);
    await site.run(30_000);
  }
  await site.until('live ones', () => storedCount(site) === 62, HOUR);
  site.gateway().store.transact((tx) => tx.forgetCursors());
  site.kill();
  await site.until('all of it again', () => site.life() !== null && repeated() >= 60, HOUR);
  expect(storedCount(site)).toBe(62);
  await site.run(60_000);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});

test.each([
  { name: 'zk-push', simulatorOptions: { backlog: 'all', postLines: 20 }, faults: { 'duplicate-body': '3' } },
  { name: 'aiface-ws', simulatorOptions: { pushBacklog: true }, faults: { 'duplicate-record': '' } },
  { name: 'fcard-http', faults: { 'duplicate-record': '' } },
  { name: 'fcard', faults: { 'duplicate-record': '' } },
  { name: 'anviz-tcb', faults: { 'duplicate-record': '' } },
  { name: 'hanvon-faceid', faults: { 'duplicate-record': '' } },
  { name: 'dahua-asi', faults: { 'duplicate-record': '' } },
  { name: 'hikvision-isapi that pushes too', faults: { 'duplicate-record': '2' } },
])('$name, which tells records twice', { timeout: 60_000 }, async ({ name, ...more }) => {
  const make = makeOf(name);
  const simulatorOptions = { ...make.simulatorOptions, ...more.simulatorOptions };
  await using site = await openSite({
    terminals: [{ ...make, ...more, simulatorOptions, id: 'hall', records: RECORDS }],
  });
  await site.start();
  await site.until('read', () => storedCount(site) === 60, HOUR);
  site.station('hall').terminal.punch(site.people[0] ?? '');
  site.station('hall').drop();
  await site.until('and a live one', () => storedCount(site) === 61, HOUR);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(storedCount(site)).toBe(61);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
