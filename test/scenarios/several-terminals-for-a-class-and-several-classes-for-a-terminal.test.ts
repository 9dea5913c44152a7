/**
 * Two terminals of different makers serve one class, and one of them a second class (R29): a punch at either counts, the same person
 * at both counts once, everybody of both classes is in the shared terminal, and each class has its own credit.
 */
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { documentNumber, personName, userId } from '../../src/demo/people.js';
import { openSite } from '../support/harness.js';
import { storedCount, terminalOf } from '../support/journal.js';
import { makeOf } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';
import { classText, SITE_CLASS, type SiteOptions } from '../support/site-files.js';

const HOUR = 3_600_000;
const OTHER_CLASS = 'SCENE-2026-02';
/** In, out, in, out. */
const SLOTS = ['08:20', '12:02', '13:50', '17:33'];

/** A second class of two other people, with the shared terminal only. */
function otherClass(options: SiteOptions): string {
  const roster = [10, 11].map((at) => ({
    traineeNo: `U${at}`,
    name: personName(at),
    documentNumber: documentNumber(at),
    deviceUserId: userId(at),
  }));
  const first = parse(classText(options)) as Record<string, unknown>;
  const teachers = [{ teacherNo: 'J02', name: '端木清和', qualification: '技师' }];
  return stringify({
    ...first,
    cityClassNo: OTHER_CLASS,
    room: '302',
    terminals: [{ terminal: 'gate' }],
    roster,
    teachers,
  });
}

test.each([
  ['zk-standalone', 'aiface-ws'],
  ['fcard', 'zk-push'],
  ['anviz-tcb', 'hikvision-isapi'],
])('%s and %s', { timeout: 60_000 }, async (gate, room) => {
  const options: SiteOptions = {
    people: 2,
    terminals: [
      { ...makeOf(gate), id: 'gate', users: [] },
      { ...makeOf(room), id: 'room', users: [] },
    ],
  };
  await using site = await openSite(options);
  await site.start();
  site.gateway().classes.importText('other.yaml', otherClass(options), { importedBy: 'test', source: 'other.yaml' });
  const inside = (id: string): unknown => terminalOf(site, id).details.enrolled;
  await site.until('everybody', () => inside('gate') === 4 && inside('room') === 2, 2 * HOUR);
  const ids = (id: string): readonly string[] =>
    site
      .station(id)
      .terminal.users()
      .map((one) => one.id)
      .sort();
  expect(ids('gate')).toEqual([0, 1, 10, 11].map(userId));
  expect(ids('room')).toEqual([0, 1].map(userId));

  for (const [at, time] of SLOTS.entries()) {
    await site.goTo(time);
    // The first one walks past both, the second one uses now this and now that, the third belongs to the other class.
    site.station('gate').terminal.punch(userId(0));
    site.station('room').terminal.punch(userId(0));
    site.station(at % 2 === 0 ? 'gate' : 'room').terminal.punch(userId(1));
    site.station('gate').terminal.punch(userId(10));
    await site.until('all four', () => storedCount(site) === 4 * (at + 1), HOUR / 2);
  }
  await site.run(10_000);
  const hours = (classNo: string): Readonly<Record<string, number>> =>
    Object.fromEntries(
      site
        .gateway()
        .store.creditsOf(classNo)
        .map((one) => [one.traineeNo, one.totalHours]),
    );
  expect(hours(SITE_CLASS)).toEqual({ T0001: 8, T0002: 8 });
  expect(hours(OTHER_CLASS)).toMatchObject({ U10: 8 });
  expect(storedCount(site)).toBe(16);
  await site.goTo('23:31');
  await site.run(70_000);
  await site.until('delivered', () => site.delivered(), HOUR);
  expect(await brokenPromises(site)).toEqual([]);
});
