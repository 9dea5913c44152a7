/** A terminal gives fewer records than it announces: told in `/readyz` and once in the journal, not taken for the end, read again (F10). */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { eventsOf, storedCount, terminalOf } from '../support/journal.js';
import { makeOf } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';

const YESTERDAY = '2026-09-09' as LocalDate;
const HOUR = 3_600_000;

const CASES = [
  { name: 'zk-standalone on UDP', fault: 'truncate-dataset', value: '3', lost: 3 },
  { name: 'anviz-tcb that calls', fault: 'truncate-dataset', value: '3', lost: 3 },
  { name: 'zk-push', fault: 'truncate-dataset', value: '', lost: 1, options: { fullReadHours: 1 } },
  { name: 'aiface-ws', fault: 'wrong-count', value: '', lost: 0 },
  { name: 'hikvision-isapi', fault: 'wrong-count', value: '5', lost: 0 },
  { name: 'fcard', fault: 'truncate-dataset', value: '3', lost: 3 },
  { name: 'fcard on UDP', fault: 'truncate-dataset', value: '3', lost: 3 },
  { name: 'hanvon-faceid', fault: 'truncate-dataset', value: '3', lost: 3 },
  { name: 'dahua-asi', fault: 'wrong-count', value: '3', lost: 0 },
] as const;

test.each(CASES)('$name, $fault', { timeout: 60_000 }, async ({ name, fault, value, lost, ...more }) => {
  const records = simulatedHistory(60, 10, YESTERDAY);
  const terminal = { ...makeOf(name), ...more, id: 'hall', records, faults: { [fault]: value } };
  await using site = await openSite({ terminals: [terminal] });
  await site.start();
  await site.until('told', () => terminalOf(site).trouble?.code === 'read-incomplete', HOUR);
  expect(Number(terminalOf(site).details.announced)).toBeGreaterThan(Number(terminalOf(site).details.decoded));
  expect(terminalOf(site).details.lastDrainedAt).toBeNull();
  expect(storedCount(site)).toBeLessThanOrEqual(60 - lost);
  await site.run(120_000);
  // What goes on is one finding: the number of it is in `/readyz`, and the journal is not filled.
  expect(eventsOf(site, 'count-mismatch').length).toBeGreaterThan(0);
  expect(eventsOf(site, 'count-mismatch').length).toBeLessThan(6);
  site.station('hall').terminal.setFault(fault, null);
  const whole = (): boolean => storedCount(site) === 60 && terminalOf(site).trouble === null;
  await site.until('read whole', whole, 3 * HOUR);
  await site.until('known to be drained', () => terminalOf(site).details.lastDrainedAt !== null, HOUR);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});

test('one that gave too few says it when its page is asked for again: nothing is missing', async () => {
  const records = simulatedHistory(60, 10, YESTERDAY);
  for (const [name, fault] of [
    ['aiface-ws', 'lost-page'],
    ['hikvision-isapi', 'truncate-dataset'],
  ] as const) {
    await using site = await openSite({
      terminals: [{ ...makeOf(name), id: 'hall', records, faults: { [fault]: '1' } }],
    });
    await site.start();
    await site.until('read', () => storedCount(site) === 60, HOUR);
    await site.until('drained', () => terminalOf(site).details.lastDrainedAt !== null, HOUR);
    expect(terminalOf(site).trouble).toBeNull();
    await site.until('delivered', () => site.delivered(), HOUR);
    expect(await brokenPromises(site, { credit: false })).toEqual([]);
  }
});
