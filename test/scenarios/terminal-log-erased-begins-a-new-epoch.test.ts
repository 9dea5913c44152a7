/** Somebody erases a terminal's log, or its numbers begin again: told as a new epoch, nothing lost of what is new, nothing doubled. */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { deviceStates, storedCount, terminalOf } from '../support/journal.js';
import { MAKES } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';

const HOUR = 3_600_000;
/** Hanvon records have no numbers, and FC-8x00 by HTTP sends each record once. */
const NUMBERED = MAKES.filter((one) => one.driver !== 'hanvon-faceid' && one.driver !== 'fcard-http');

test.each(NUMBERED)('$name', { timeout: 60_000 }, async (make) => {
  const records = simulatedHistory(60, 10, '2026-09-09' as LocalDate);
  await using site = await openSite({ terminals: [{ ...make, id: 'hall', records }] });
  const { terminal } = site.station('hall');
  await site.start();
  await site.until('read', () => storedCount(site) === 60, HOUR);
  await site.run(60_000);
  // The harness keeps in mind what the log held.
  site.given();
  terminal.setFault('seq-reset', '');
  // Some look at their log only when a session begins, or every hour.
  if (make.driver === 'aiface-ws' || make.driver === 'zk-standalone') site.station('hall').drop();
  if (make.driver === 'anviz-tcb') await site.run(120_000);
  await site.run(30_000);
  for (const person of site.people) {
    terminal.punch(person);
    site.given();
    await site.run(5000);
  }
  await site.until('what is new', () => storedCount(site) === 63, 2 * HOUR);
  await site.until('told', () => deviceStates(site).includes('epoch-changed'), 2 * HOUR);
  expect(deviceStates(site).filter((one) => one === 'epoch-changed').length).toBeLessThan(3);
  expect(Number(terminalOf(site).details['found:epoch-changed'])).toBeGreaterThan(0);
  await site.run(HOUR);
  expect(storedCount(site)).toBe(63);
  expect(terminalOf(site).trouble).toBeNull();
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
