/** A class file that lacks nearly everything, a roster from a GBK CSV and a timetable from a workbook become a class that is taught, ends and is sealed; a late punch changes nothing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import iconv from 'iconv-lite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openClasses, type Classes } from '../../src/classes/classes.js';
import { runClassActivate } from '../../src/commands/class-activate.js';
import { runClassNote, runClassSeal } from '../../src/commands/class-close.js';
import type { ClassOptions } from '../../src/commands/class-desk.js';
import { runClassList, runClassShow } from '../../src/commands/class-show.js';
import type { Console } from '../../src/commands/console.js';
import { runImportClass } from '../../src/commands/import-class.js';
import { runImportRoster, runImportTimetable } from '../../src/commands/import-sheet.js';
import { GatewayError } from '../../src/core/errors.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { verifyDataDir } from '../../src/store/check.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { at, documentOf, FULL_DAY, nameOf, preset, punch, ZONE } from '../classes/class-fixture.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { textBook } from '../sheets/workbooks.js';
import { createFakeClock } from '../support/fake-clock.js';

const CLASS = 'BT2026-031';
const SETTINGS = `site: { name: 东河校区, room: "301" }
dataDir: data
terminals:
  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }
`;
const CLASS_FILE = `cityClassNo: ${CLASS}
name: 电工第三期
institution: 昆区实训学校
occupation: { code: "6-31-01-03", name: 电工, level: 四级 }
period: { from: 2026-09-29, to: 2026-10-01 }
plannedHours: 24
room: A301
terminals: [{ terminal: gate }]
teachers: [{ teacherNo: J1, name: 南宫老师傅 }]
`;
const DATES = ['2026-09-29', '2026-09-30', '2026-10-01'] as const;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-life-'));
  mkdirSync(join(dir, 'devices'));
  writeFileSync(join(dir, 'gateway.yaml'), SETTINGS, { mode: 0o600 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Said {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: string;
}

function createSite() {
  const clock = createFakeClock(at('2026-09-20', '09:00'));
  const config = join(dir, 'gateway.yaml');
  const options: ClassOptions = {
    drivers: [sampleDriver],
    env: {},
    version: 'test',
    clock,
    devicesDir: join(dir, 'devices'),
  };
  const said = async (work: (io: Console) => Promise<number>, json = false): Promise<Said> => {
    const [out, err]: [string[], string[]] = [[], []];
    const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json, tty: false };
    return { code: await work(io), out, err: err.join('\n') };
  };
  const file = (name: string, bytes: string | Uint8Array): string => {
    writeFileSync(join(dir, name), bytes);
    return join(dir, name);
  };
  const sheet = { class: CLASS, config, map: [], dryRun: false };
  const never = new AbortController().signal;
  const withStore = <T>(work: (store: Store, classes: Classes) => T): T => {
    using store = openStore({ dir: join(dir, 'data'), clock, software: 'test' });
    const policies = { get: () => preset.policy, names: ['baotou-2023'] };
    return work(store, openClasses(store, { clock, zone: ZONE, policies }));
  };
  /** What the daemon does with punches: keeps them, and computes until it rests. */
  const teach = (...punches: readonly PunchFact[]): void =>
    withStore((store, classes) => {
      store.transact((tx) => {
        for (const one of punches) {
          tx.addPunch(one);
          for (const day of classes.daysTouchedBy(one)) tx.touchDay({ ...day, cause: 'punch' });
        }
      });
      const unit = createCreditUnit({
        ...{ store, classes, clock, bell: createDoorbell(clock), next: { ring: () => undefined } },
        lastDrainedAt: () => clock.now(),
      });
      while (unit.step());
    });
  const goTo = (date: string, time: string): void => clock.jump(at(date, time) - clock.now());
  return { config, options, said, file, sheet, never, withStore, teach, goTo, clock };
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing thrown',
    (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
  );

const quoted = (rows: readonly (readonly string[])[]): string => rows.map((row) => row.join(',') + '\r\n').join('');
const people = (...who: readonly number[]): Uint8Array =>
  iconv.encode(
    quoted([
      ['学员编号', '姓名', '身份证号', '联系电话'],
      ...who.map((no) => [`T00${no}`, nameOf(no), documentOf(no), '']),
    ]),
    'gbk',
  );
const plan = (rooms: readonly string[]): Uint8Array =>
  textBook([
    ['日期', '时段', '课时', '内容', '授课教师', '教室'],
    ...DATES.flatMap((date, index) =>
      ['上午', '下午'].map((half) => [date, half, '4', '安全用电', 'J1', rooms[index] ?? 'A301']),
    ),
  ]);

test('draft, roster by GBK CSV, timetable by XLSX, ready, active, taught, ended, sealed, and a late punch', async () => {
  const site = createSite();
  const { config, options, said, file, sheet, never } = site;
  const importClass = (io: Console) => runImportClass(file('class.yaml', CLASS_FILE), config, options, io);
  const activate = (io: Console) =>
    runClassActivate(CLASS, { config, by: 'S01', approval: '昆人社培〔2026〕31号' }, options, io);

  // A number that nobody has made a draft of takes no table: it may be mistyped.
  const roster = file('花名册.csv', people(1, 2));
  expect(await codeOf(said((io) => runImportRoster(roster, sheet, options, io, never)))).toBe('class-unknown');

  const drafted = await said(importClass);
  expect([drafted.code, drafted.out[0]]).toEqual([0, expect.stringContaining('草稿 draft v1')]);
  expect(drafted.out.slice(2).map((line) => line.split(':')[0])).toEqual(['  ? timetable', '  ? roster']);
  expect(await codeOf(said(activate))).toBe('class-not-ready');

  // The difference first, then the roster itself.
  const tried = await said((io) => runImportRoster(roster, { ...sheet, dryRun: true }, options, io, never));
  expect(tried.out).toContain('  + 新增学员 added: T001, T002');
  expect(JSON.parse((await said((io) => runClassShow(CLASS, config, options, io), true)).out[0] ?? '')).toMatchObject({
    state: 'draft',
    drafts: [{ version: 1 }],
  });
  const enrolled = await said((io) => runImportRoster(roster, { ...sheet, by: 'A01' }, options, io, never), true);
  expect(JSON.parse(enrolled.out[0] ?? '')).toMatchObject({
    ok: true,
    version: 2,
    trainees: 2,
    missing: ['timetable'],
  });

  const timetable = file('课程表.xlsx', plan([]));
  const planned = await said((io) => runImportTimetable(timetable, sheet, options, io, never));
  expect(planned.out[0]).toContain('待启用 ready v3');
  expect(planned.err).toContain('2026-10-01');
  expect(planned.err).toContain('法定节假日');
  expect((await said((io) => runClassList(config, options, io))).out[0]).toMatch(/BT2026-031 {2}待启用 ready/);

  const active = await said(activate);
  expect(active.out[0]).toContain('已导入 / imported');

  // After activation a change of plan needs a reason, and a changed name another person's approval.
  const moved = file('课程表2.xlsx', plan(['A301', 'B102']));
  expect(await codeOf(said((io) => runImportTimetable(moved, sheet, options, io, never)))).toBe(
    'class-change-unexplained',
  );
  const change = { ...sheet, reason: '教室维修', by: 'A01', approvedBy: 'S01' };
  const changed = await said((io) => runImportTimetable(moved, change, options, io, never));
  expect(changed.out).toContain('  ~ 更改日期 dates changed: 2026-09-30');
  const renamed = file(
    '更正.csv',
    Buffer.from(iconv.decode(Buffer.from(people(1, 2)), 'gbk').replace(nameOf(1), '司马青木')),
  );
  expect(await codeOf(said((io) => runImportRoster(renamed, sheet, options, io, never)))).toBe('class-identity-locked');
  const correction = { ...sheet, correctionReason: '姓名笔误', requestedBy: 'A01', approvedBy: 'S01' };
  expect((await said((io) => runImportRoster(renamed, correction, options, io, never))).out).toContain(
    '  ~ 更改学员 changed: T001 (name)',
  );

  for (const date of DATES) {
    site.goTo(date, '18:30');
    site.teach(...FULL_DAY.map((time) => punch(date, time)));
  }
  expect(await codeOf(said((io) => runClassSeal(CLASS, { config, by: 'S01' }, options, io)))).toBe('class-not-ended');
  site.goTo('2026-10-03', '08:00');
  expect(await codeOf(said((io) => runImportTimetable(timetable, change, options, io, never)))).toBe('class-past-date');
  site.teach();
  const note = { config, by: 'A01', date: '2026-09-30', text: '下午停电十分钟' };
  expect((await said((io) => runClassNote(CLASS, note, options, io))).code).toBe(0);
  const sealed = await said((io) => runClassSeal(CLASS, { config, by: 'S01' }, options, io));
  expect(sealed.out[0]).toContain('已封存 / sealed · 结果 results 6');

  const before = site.withStore((store) => store.creditsOf(CLASS));
  expect(before.map((one) => [one.traineeNo, one.totalHours]).filter(([, hours]) => hours === 8)).toHaveLength(3);
  site.teach(...FULL_DAY.map((time) => punch('2026-09-30', time, { user: 'T002', received: site.clock.now() })));
  expect(site.withStore((store) => store.creditsOf(CLASS))).toEqual(before);
  expect(await codeOf(said((io) => runImportRoster(roster, sheet, options, io, never)))).toBe('class-sealed');

  const shown = await said((io) => runClassShow(CLASS, config, options, io), true);
  expect(JSON.parse(shown.out[0] ?? '')).toMatchObject({
    state: 'sealed',
    rosters: [
      { version: 1, source: '花名册.csv', importedBy: 'S01' },
      { version: 2, source: '更正.csv', importedBy: 'cli' },
    ],
    timetables: [
      { version: 1, hours: 24, source: '课程表.xlsx' },
      { version: 2, hours: 24, source: '课程表2.xlsx', importedBy: 'A01' },
    ],
    changes: [{ timetableVersion: 2, reason: '教室维修', by: 'A01', approvedBy: 'S01' }],
    notes: [{ no: 1, date: '2026-09-30', text: '下午停电十分钟' }],
    counts: { results: 6, afterSeal: 1 },
    seal: { days: 6, sealedBy: 'S01' },
  });
  expect((await said((io) => runClassShow(CLASS, config, options, io))).out.join('\n')).toContain('封存 sealed');
  expect(shown.out[0]).not.toContain(nameOf(2));
  expect(verifyDataDir(join(dir, 'data'))).toMatchObject({ ok: true });
});

test('a table with a fault is told by row and column, and nothing is imported', async () => {
  const { config, options, said, file, sheet, never } = createSite();
  await said((io) => runImportClass(file('class.yaml', CLASS_FILE), config, options, io));
  const twice = file('twice.csv', people(1, 1));
  const refused = await said((io) => runImportRoster(twice, sheet, options, io, never), true);
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/第 3 行/);
  expect(refused.err + refused.out.join('')).not.toContain(documentOf(1));
  expect(refused.out.at(-1)).toContain('"ok":false');
  const wrongTeacher = file(
    'plan.csv',
    quoted([
      ['日期', '时段', '授课教师'],
      ['2026-09-29', '上午', 'J9'],
    ]),
  );
  expect((await said((io) => runImportTimetable(wrongTeacher, sheet, options, io, never))).code).toBe(2);
  const shown = await said((io) => runClassShow(CLASS, config, options, io), true);
  expect(JSON.parse(shown.out[0] ?? '')).toMatchObject({ state: 'draft', drafts: [{ version: 1 }] });
});

test('a supervisor may activate without approval, with a reason; half of the flags is wrong usage', async () => {
  const { config, options, said, file, sheet, never } = createSite();
  await said((io) => runImportClass(file('class.yaml', CLASS_FILE), config, options, io));
  await said((io) => runImportRoster(file('r.csv', people(1)), sheet, options, io, never));
  await said((io) => runImportTimetable(file('t.xlsx', plan([])), sheet, options, io, never));
  const activate = (flags: object) =>
    said((io) => runClassActivate(CLASS, { config, by: 'A01', ...flags }, options, io));
  expect(await codeOf(activate({ unapprovedBy: 'S01' }))).toBe('bad-argument');
  expect(await codeOf(activate({ approval: 'X', unapprovedBy: 'S01', reason: '在途' }))).toBe('bad-argument');
  expect(await codeOf(activate({}))).toBe('class-not-ready');
  expect((await activate({ unapprovedBy: 'S01', reason: '在途' })).code).toBe(0);
  const shown = await said((io) => runClassShow(CLASS, config, options, io));
  expect(shown.out.join('\n')).toContain('UNAPPROVED_CLASS: 由 S01 启用');
  expect(await codeOf(activate({ approval: 'X' }))).toBe('class-already-active');
});
