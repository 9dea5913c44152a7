/**
 * The battery died and the clock of a terminal shows January 2000: punches keep the time that they were told with, what came live
 * counts by its receipt, and the error of the clock is told (P6, R30). Then somebody sets the clock right.
 */
import { expect, test } from 'vitest';
import { openSite } from '../support/harness.js';
import { eventsOf, punchesOf, storedCount, terminalOf } from '../support/journal.js';
import { MAKES } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_CLASS } from '../support/site-files.js';

const HOUR = 3_600_000;
/** To 8 o'clock on 3 January 2000. */
const TO_2000 = Date.UTC(2000, 0, 3) - Date.UTC(2026, 8, 10, 0, 0, 0);

/** These take their time from the gateway and cannot be asked for it. */
const tellsClock = (driver: string): boolean => driver !== 'zk-push' && driver !== 'fcard-http';

test.each(MAKES)('$name', { timeout: 60_000 }, async (make) => {
  const simulatorOptions = make.driver === 'zk-push' ? { obeysDate: false } : make.simulatorOptions;
  await using site = await openSite({
    terminals: [{ ...make, id: 'hall', ...(simulatorOptions ? { simulatorOptions } : {}) }],
  });
  const { terminal } = site.station('hall');
  await site.start();
  await site.until('drained', () => terminalOf(site).details.lastDrainedAt !== null, HOUR);
  await site.goTo('08:20');
  terminal.punch(site.people[0] ?? '');
  await site.until('a punch of today', () => storedCount(site) === 1, HOUR);

  site.station('hall').drop();
  terminal.setClockOffset(TO_2000);
  await site.run(120_000);
  await site.goTo('12:02');
  terminal.punch(site.people[0] ?? '');
  await site.until('a punch of 2000', () => storedCount(site) === 2, 2 * HOUR);
  const odd = punchesOf(site)[1];
  expect(odd?.wallTime).toMatch(/^2000-01-03 12:02/);
  // One that says nothing for a while may have kept it through an outage: that is for a person to see.
  const live = make.driver !== 'fcard-http';
  expect(odd?.delivery).toBe(live ? 'live' : 'backfill');
  if (!live) expect(odd?.effective).toBeNull();
  // By its receipt, which is minutes later where the terminal is polled.
  else expect(odd?.effective).toBe(Math.floor((odd?.rx ?? 0) / 1000) * 1000);
  if (tellsClock(make.driver)) {
    expect(eventsOf(site, 'clock').map((one) => Math.round(Number(one.data.driftMs) / 60_000))).toEqual([
      Math.round(TO_2000 / 60_000),
    ]);
    expect(Math.round(Number(terminalOf(site).details.offsetMs) / 60_000)).toBe(Math.round(TO_2000 / 60_000));
    expect(odd?.offsetMs).toBe(terminalOf(site).details.offsetMs);
  }
  const credit = () =>
    site
      .gateway()
      .store.creditsOf(SITE_CLASS)
      .find((one) => one.traineeNo === 'T0001');
  await site.until(
    'credited',
    () =>
      (credit()?.result.flags as string[] | undefined)?.includes(live ? 'CLOCK_CORRECTED' : 'CLOCK_UNTRUSTED') === true,
    HOUR,
  );

  terminal.setClockOffset(0);
  site.station('hall').drop();
  await site.run(120_000);
  await site.goTo('13:50');
  terminal.punch(site.people[0] ?? '');
  await site.until(
    'a punch of today again',
    () => punchesOf(site).some((one) => one.wallTime.startsWith('2026-09-10 13:50')),
    2 * HOUR,
  );
  expect(storedCount(site)).toBe(3);
  if (tellsClock(make.driver)) {
    expect(eventsOf(site, 'clock')).toHaveLength(2);
    expect(Math.abs(Number(terminalOf(site).details.offsetMs))).toBeLessThan(2000);
  }
  await site.goTo('23:31');
  await site.run(70_000);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site)).toEqual([]);
});

const SETTABLE = MAKES.filter((one) => tellsClock(one.driver));

test.each(SETTABLE)(
  '$name is set right by the gateway, after everything was read',
  { timeout: 60_000 },
  async (make) => {
    await using site = await openSite({
      terminals: [
        {
          ...make,
          id: 'hall',
          records: [{ userId: '20250001', wallTime: '2026-09-10 07:40:00' as never }],
          settings: { clock: { set: 'auto', maxStepSeconds: 300 } },
        },
      ],
    });
    const { terminal } = site.station('hall');
    terminal.setClockOffset(-120_000);
    await site.start();
    const told = () => eventsOf(site, 'clock').map((one) => one.data.driftMs);
    await site.until('set', () => told().length === 2, HOUR);
    const [before, after] = told();
    expect(Math.abs(Number(before) + 120_000)).toBeLessThanOrEqual(2000);
    expect(Math.abs(Number(after))).toBeLessThanOrEqual(2000);
    // What was read before was read with the clock as it was.
    expect(punchesOf(site)).toHaveLength(1);
    expect(punchesOf(site)[0]?.offsetMs).toBe(before);
    // A step beyond the limit is a person's decision.
    terminal.setClockOffset(TO_2000);
    site.station('hall').drop();
    await site.run(180_000);
    expect(told()).toHaveLength(3);
    expect(terminal.wallClock()).toMatch(/^2000-01-03/);
  },
);
