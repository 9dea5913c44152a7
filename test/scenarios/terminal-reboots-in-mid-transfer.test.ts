/** A terminal restarts, or its wire breaks, in the middle of its log: read from where it was, every record once (P1, P2). */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { deviceStates, storedCount, terminalOf } from '../support/journal.js';
import { MAKES } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';

const RECORDS = simulatedHistory(120, 10, '2026-09-09' as LocalDate);
const HOUR = 3_600_000;

/** Where the simulator knows no restart of its own, the wire breaks in the middle. */
const restartOf = (driver: string): Readonly<Record<string, string>> =>
  driver === 'dahua-asi' || driver === 'fcard-http'
    ? { 'drop-after-n-bytes': '3000' }
    : { 'reboot-mid-transfer': driver === 'hanvon-faceid' ? '5' : '1' };

test.each(MAKES)('$name', { timeout: 60_000 }, async (make) => {
  await using site = await openSite({
    terminals: [{ ...make, id: 'hall', records: RECORDS, faults: restartOf(make.driver) }],
  });
  await site.start();
  await site.until('everything', () => storedCount(site) === 120, HOUR);
  await site.until('drained', () => terminalOf(site).details.lastDrainedAt !== null, HOUR);
  expect(terminalOf(site).trouble).toBeNull();
  // Who calls by HTTP, or was dialled by it, comes back with the next request and was never away.
  const states = deviceStates(site);
  const connected = !/^(?:zk-push|fcard-http|dahua-asi|hikvision-isapi|aiface-ws|zk-standalone)$/.test(make.driver);
  if (connected) expect(states).toEqual(['online', 'offline', 'online']);
  else expect(states.filter((one) => one !== 'online' && one !== 'offline')).toEqual([]);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
