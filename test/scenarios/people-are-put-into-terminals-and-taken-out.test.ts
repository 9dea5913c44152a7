/**
 * Roster to terminal (R32): who is on a roster is put into the terminals of the class, nobody whom somebody else enrolled is
 * overwritten or removed, names that were corrected are corrected there, another terminal gets everybody again, and dying in
 * between changes nothing of that.
 */
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { terminalUsers } from '../../src/classes/enrolment.js';
import { personName, userId } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { terminalOf } from '../support/journal.js';
import { makeOf, MAKES, type Make } from '../support/makes.js';
import { classText, SITE_CLASS, SITE_DATE, type SiteOptions } from '../support/site-files.js';
import type { Site } from '../support/site.js';

const HOUR = 3_600_000;
const TEACHER = { id: '9001', name: '南宫' };

/** State, reason and whether the gateway wrote it, of everybody in a terminal. */
const rowsOf = (site: Site, id: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    terminalUsers(site.gateway().store, id).map((row) => [
      row.deviceUserId,
      `${row.state}${row.reason === null ? '' : ` ${row.reason}`}${row.putByUs ? ', ours' : ''}`,
    ]),
  );
const peopleIn = (site: Site, id: string): readonly string[] =>
  site
    .station(id)
    .terminal.users()
    .map((one) => `${one.id} ${one.name}`)
    .sort();
const enrolled = (site: Site, id: string): number =>
  site.life() === null ? 0 : Number(terminalOf(site, id).details.enrolled);
const importClass = (site: Site, options: SiteOptions, change: Record<string, unknown> = {}): void => {
  const text = stringify({ ...(parse(classText(options)) as object), ...change });
  site.gateway().classes.importText('class.yaml', text, { importedBy: 'test', source: 'class.yaml' });
};
const all = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${userId(at)} ${personName(at)}`);
const options = (...terminals: SiteOptions['terminals']): SiteOptions => ({
  people: 4,
  terminals,
  dates: [SITE_DATE, '2026-09-11'],
  // A day of the world is long.
  healthMs: 60_000,
});

test.each(MAKES)('$name: put when the class comes, taken out when it is over', { timeout: 60_000 }, async (make) => {
  const plan = options({ ...make, id: 'hall', users: [TEACHER, { id: userId(3), name: personName(3) }] });
  await using site = await openSite(plan);
  await site.start();
  await site.until('everybody', () => enrolled(site, 'hall') === 4, 2 * HOUR);
  expect(peopleIn(site, 'hall')).toEqual([...all(4), `${TEACHER.id} ${TEACHER.name}`].sort());
  expect(rowsOf(site, 'hall')).toEqual({
    [userId(0)]: 'enrolled, ours',
    [userId(1)]: 'enrolled, ours',
    [userId(2)]: 'enrolled, ours',
    [userId(3)]: 'enrolled',
  });
  await site.goTo('00:10', '2026-09-12' as LocalDate);
  const gone = (): boolean => Object.values(rowsOf(site, 'hall')).every((one) => one.startsWith('removed'));
  await site.until('nobody of the class', gone, 3 * HOUR);
  // Who was there before stays there.
  expect(peopleIn(site, 'hall')).toEqual([`${userId(3)} ${personName(3)}`, `${TEACHER.id} ${TEACHER.name}`].sort());
});

const TWO: readonly (readonly [Make, Make])[] = [
  [makeOf('zk-standalone'), makeOf('fcard-http')],
  [makeOf('anviz-tcb'), makeOf('zk-push')],
  [makeOf('hikvision-isapi'), makeOf('fcard')],
  [makeOf('hanvon-faceid'), makeOf('dahua-asi')],
];

test.each(TWO.map(([one, two]) => ({ one, two })))(
  '$one.name and $two.name: somebody else under that number, no room, a corrected name',
  { timeout: 60_000 },
  async ({ one, two }) => {
    const stranger = { id: userId(1), name: '司马青' };
    const plan = options({ ...one, id: 'gate', users: [stranger] }, { ...two, id: 'room', users: [] });
    await using site = await openSite(plan);
    site.station('room').terminal.setFault('memory-full', '');
    await site.start();
    await site.until('three at the gate', () => enrolled(site, 'gate') === 3, 2 * HOUR);
    const full = (): boolean => Number(terminalOf(site, 'room').details.enrolFailed) === 4;
    await site.until('no room', full, 2 * HOUR);
    expect(rowsOf(site, 'gate')[userId(1)]).toBe('failed other-name');
    expect(peopleIn(site, 'gate')).toContain(`${userId(1)} 司马青`);
    for (const row of Object.values(rowsOf(site, 'room'))) expect(row).toMatch(/^failed (?:full|user-refused)$/);
    expect(peopleIn(site, 'room')).toEqual([]);

    site.station('room').terminal.setFault('memory-full', null);
    await site.until('room for all', () => enrolled(site, 'room') === 4, 3 * HOUR);
    expect(peopleIn(site, 'room')).toEqual(all(4));

    const roster = (parse(classText(plan)) as { roster: { name: string }[] }).roster;
    importClass(site, plan, {
      roster: roster.map((member, at) => (at === 0 ? { ...member, name: '欧阳文' } : member)),
      corrections: [{ traineeNo: 'T0001', reason: '姓名笔误', requestedBy: 'A1', approvedBy: 'S1' }],
    });
    const renamed = (id: string): boolean => peopleIn(site, id).includes(`${userId(0)} 欧阳文`);
    await site.until('the corrected name', () => renamed('gate') && renamed('room'), 3 * HOUR);
    expect(peopleIn(site, 'gate')).toContain(`${userId(1)} 司马青`);
    await site.until('noted', () => enrolled(site, 'room') === 4 && enrolled(site, 'gate') === 3, HOUR);
  },
);

test('another terminal at the same place gets everybody again', { timeout: 60_000 }, async () => {
  for (const name of ['zk-standalone', 'hikvision-isapi', 'dahua-asi']) {
    const plan = options({ ...makeOf(name), id: 'hall', users: [] }, { ...makeOf(name), id: 'spare', users: [] });
    await using site = await openSite(plan);
    site.station('spare').pull();
    await site.start();
    await site.until('everybody', () => enrolled(site, 'hall') === 4, 2 * HOUR);
    site.swap('hall', 'spare');
    await site.until('everybody again', () => peopleIn(site, 'spare').length === 4, 2 * HOUR);
    expect(peopleIn(site, 'spare')).toEqual(all(4));
    const noted = (): boolean =>
      terminalUsers(site.gateway().store, 'hall').every(
        (row) => row.state === 'enrolled' && row.putByUs && row.deviceSn === 'SIM-SPARE',
      );
    await site.until('noted', noted, HOUR);
  }
});

test(
  'killed around every commit of the work: the same people in the terminal, the same notes',
  { timeout: 90_000 },
  async () => {
    const plan = options({ ...makeOf('aiface-ws'), id: 'hall', users: [TEACHER] });
    for (let at = 1; at <= 12; at += 1) {
      await using site = await openSite(plan);
      site.watch = (place, count) => place === 'before' && count === at;
      await site.start();
      await site.until('everybody', () => enrolled(site, 'hall') === 4, 2 * HOUR);
      expect(site.crashes()).toBe(1);
      expect(peopleIn(site, 'hall')).toEqual([...all(4), `${TEACHER.id} ${TEACHER.name}`].sort());
      await site.goTo('00:10', '2026-09-12' as LocalDate);
      await site.until('nobody of the class', () => peopleIn(site, 'hall').length === 1, 3 * HOUR);
    }
  },
);

test('where the terminal is only read, people are to be enrolled by hand', async () => {
  const plan = options({ ...makeOf('zk-standalone'), id: 'hall', users: [{ id: userId(0), name: personName(0) }] });
  await using site = await openSite({
    ...plan,
    terminals: plan.terminals.map((one) => ({ ...one, without: ['users.write'] as const })),
  });
  await site.start();
  await site.until('looked at', () => Number(terminalOf(site).details.enrolFailed) === 3, 2 * HOUR);
  expect(rowsOf(site, 'hall')).toMatchObject({ [userId(0)]: 'enrolled', [userId(1)]: 'failed by-hand' });
  expect(site.station('hall').terminal.users()).toHaveLength(1);
  site.station('hall').terminal.addUser({ id: userId(1), name: personName(1) });
  await site.until('found', () => enrolled(site, 'hall') === 2, 3 * HOUR);
  expect(site.gateway().classes.get(SITE_CLASS)).not.toBeNull();
});
