/** A record of 30 February: kept as told, without an instant, counted in `/readyz` and told in the journal; the others are not disturbed. */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { eventsOf, punchesOf, storedCount, terminalOf } from '../support/journal.js';
import { MAKES } from '../support/makes.js';
import { SITE_CLASS } from '../support/site-files.js';

const HOUR = 3_600_000;
/** Anviz counts seconds and can tell no date that does not exist; FC-8x00 by HTTP is asked once more for such a record. */
const CAPABLE = MAKES.filter((one) => one.driver !== 'anviz-tcb' && one.driver !== 'fcard-http');

test.each(CAPABLE)('$name', { timeout: 60_000 }, async (make) => {
  const records = simulatedHistory(20, 10, '2026-09-09' as LocalDate);
  await using site = await openSite({
    terminals: [{ ...make, id: 'hall', records, faults: { 'impossible-date': '' } }],
  });
  await site.start();
  const odd = () => punchesOf(site).filter((one) => one.instant === null);
  await site.until('the odd one', () => odd().length > 0 && storedCount(site) >= 20, HOUR);
  expect(odd()[0]?.wallTime).toMatch(/02-30|-00|13-|:6|:7|:8|:9|[A-F]/);
  expect(Number(terminalOf(site).details['found:impossible-date'])).toBeGreaterThan(0);
  const told = eventsOf(site, 'device').filter((one) => one.data.state === 'impossible-date');
  expect(told.length).toBe(odd().length);
  expect(terminalOf(site).trouble).toBeNull();

  site.station('hall').terminal.setFault('impossible-date', null);
  site.station('hall').terminal.punch(site.people[0] ?? '');
  await site.until(
    'the next one',
    () => punchesOf(site).some((one) => one.traineeNo === 'T0001' && one.wallTime.startsWith('2026-09-10')),
    HOUR,
  );
  await site.until('credit goes on', () => site.gateway().store.creditsOf(SITE_CLASS).length > 0, HOUR);
  await site.until('delivered', () => site.delivered(), HOUR);
  const { ledger } = site.city;
  expect(ledger.punches('gwsce2nar1q')).toHaveLength(storedCount(site));
});

test('the clock of a terminal shows a date that does not exist', async () => {
  await using site = await openSite({
    terminals: [{ id: 'hall', driver: 'anviz-tcb', faults: { 'impossible-date': '' } }],
  });
  await site.start();
  await site.until('told', () => eventsOf(site, 'device').some((one) => one.data.state === 'clock-odd'), HOUR);
  await site.run(120_000);
  // It is polled every few seconds; the journal is told once.
  expect(eventsOf(site, 'device').filter((one) => one.data.state === 'clock-odd')).toHaveLength(1);
  expect(Number(terminalOf(site).details['found:clock-odd'])).toBeGreaterThan(10);
  expect(terminalOf(site).details.offsetMs).toBeNull();
});
