/**
 * A terminal is away for half an hour around the morning's beginning and the people who came in meanwhile have no punch: the day says
 * that there was an outage. A make-up that one person asks for and another approves makes a new version of a final day, with its cause,
 * and the platform gets it; what was said before stays.
 */
import { expect, test } from 'vitest';
import { openRequests } from '../../src/classes/requests.js';
import { addDays } from '../../src/core/time.js';
import type { JsonValue } from '../../src/rules/facts.js';
import { inflate } from '../../src/uplink/batch.js';
import { GW } from '../support/city.js';
import { openSite } from '../support/harness.js';
import { makeOf } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';
import type { Site } from '../support/site.js';
import { SITE_CLASS, SITE_DATE } from '../support/site-files.js';

const ID = `${SITE_CLASS}/T0002/${SITE_DATE}`;

/** Revisions of the day that the platform has, in order. */
function revisionsThere(site: Site): readonly Readonly<Record<string, JsonValue>>[] {
  const { ledger } = site.city;
  const ep = ledger.openEpoch(GW)?.ep ?? '';
  return ledger.batchLines(GW, ep).flatMap((jws) => {
    const payload = inflate(Buffer.from(jws.split('.')[1] ?? '', 'base64url'), 'a batch');
    const { recs } = JSON.parse(Buffer.from(payload).toString('utf8')) as {
      readonly recs: readonly Readonly<Record<string, JsonValue>>[];
    };
    return recs.filter((one) => one.k === 'credit' && one.id === ID);
  });
}

const stateOf = (site: Site, id: string): string | undefined =>
  site
    .gateway()
    .status()
    .terminals.find((one) => one.id === id)?.state;

test.each(['zk-standalone', 'anviz-tcb that calls'])('%s', { timeout: 90_000 }, async (make) => {
  const tomorrow = addDays(SITE_DATE, 1);
  await using site = await openSite({
    people: 2,
    healthMs: 30_000,
    dates: [SITE_DATE, tomorrow],
    terminals: [{ ...makeOf(make), id: 'hall' }],
  });
  const [one = '', two = ''] = site.people;
  const hall = site.station('hall');
  await site.start();
  await site.until('read', () => stateOf(site, 'hall') === 'live');
  await site.goTo('08:10');
  hall.terminal.punch(one);
  await site.run(15_000);
  hall.pull();
  await site.run(35 * 60_000);
  hall.plug();
  await site.until('back', () => stateOf(site, 'hall') === 'live');
  for (const time of ['12:02', '13:50', '17:33']) {
    await site.goTo(time);
    for (const person of [one, two]) {
      hall.terminal.punch(person);
      await site.run(3000);
    }
  }
  await site.goTo('23:31');
  const store = (): ReturnType<typeof site.gateway>['store'] => site.gateway().store;
  await site.until('the day is final', () => store().credit(ID)?.state === 'final' && site.delivered());
  const first = store().credit(ID);
  expect(first?.result).toMatchObject({
    version: 1,
    flags: ['AM:MISSING_IN', 'AM:OUTAGE'],
    dayResult: { totalHours: 4, hoursFromMakeup: 0 },
  });
  expect(store().credit(`${SITE_CLASS}/T0001/${SITE_DATE}`)?.result.flags).toEqual([]);

  await site.goTo('07:30', tomorrow);
  const clock = site.life()?.clock;
  if (!clock) throw new Error('the gateway is dead');
  const requests = openRequests(store(), { clock });
  const evidence = [{ kind: 'document' as const, sha256: 'd'.repeat(64) }];
  const ask = { classNo: SITE_CLASS, date: SITE_DATE, slot: 'AM_IN' as const, requestedBy: 'S01', evidence };
  const made = requests.makeupForMissing({ ...ask, reason: 'deviceFault', text: '考勤机断线' });
  expect(made.map((row) => row.traineeNo)).toEqual(['T0002']);
  requests.decide(
    made.map((row) => row.id),
    'approved',
    'S02',
  );
  await site.until('the new version is delivered', () => store().credit(ID)?.n !== first?.n && site.delivered());
  expect(store().credit(ID)?.result).toMatchObject({
    ...{ version: 2, supersedes: 1, cause: 'makeup', flags: ['AM:MAKEUP', 'AM:OUTAGE'] },
    dayResult: { totalHours: 8, hoursFromMakeup: 4, hoursByPunch: 4 },
  });
  const there = revisionsThere(site);
  expect(there.at(-1)).toMatchObject({ totalHours: 8, cause: 'makeup', state: 'final', version: 2 });
  expect(there.map((rev) => rev.rev)).toEqual(there.map((_, at) => at + 1));
  await site.goTo('23:31', tomorrow);
  await site.run(70_000);
  await site.until('results delivered', () => site.delivered());
  expect(await brokenPromises(site)).toEqual([]);
});
