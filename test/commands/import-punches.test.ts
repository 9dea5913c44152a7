import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runImportClass } from '../../src/commands/import-class.js';
import { runImportPunches, type ImportPunchesArguments } from '../../src/commands/import-punches.js';
import type { Console } from '../../src/commands/console.js';
import { usbFile } from '../../src/drivers/usb-file/driver.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { openStore } from '../../src/store/database.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock } from '../support/fake-clock.js';
import { at, classText, punch } from '../classes/class-fixture.js';

const SETTINGS = `site: { name: 东河校区, room: "301" }
dataDir: data
terminals:
  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }
  - { id: named, driver: sample-tc, reach: "tcp://192.168.1.21:5010", serial: SN-named }
  - { id: stick, driver: usb-file, reach: "file:///media/usb/log.csv", options: { serial: SN-stick, dateOrder: dmy } }
  - { id: broken, driver: sample-tc, reach: "tcp://192.168.1.22:5010", options: { chanel: 3 } }
`;
const LOG = ['T001', 'T002', 'T009']
  .flatMap((id, index) => [
    `${id}\t2026-09-07 08:0${index}:11\t1\t0\t15\t0`,
    `${id}\t2026-09-07 12:0${index}:12\t1\t1\t15\t0`,
  ])
  .join('\r\n');

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-punches-'));
  mkdirSync(join(dir, 'devices'));
  writeFileSync(join(dir, 'gateway.yaml'), SETTINGS, { mode: 0o600 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const clock = createFakeClock(at('2026-09-08', '07:00'));
const drivers = [sampleDriver, usbFile];
const never = new AbortController().signal;
const dataDir = (): string => join(dir, 'data');

interface Ran {
  readonly code: number;
  readonly out: string[];
  readonly err: string;
  readonly summary: Readonly<Record<string, unknown>>;
}

async function run(
  text: string,
  { json = true, ...over }: Partial<ImportPunchesArguments> & { json?: boolean } = {},
): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json, tty: false };
  const file = join(dir, '1_attlog.dat');
  writeFileSync(file, text);
  const args = {
    file,
    terminal: 'named',
    config: join(dir, 'gateway.yaml'),
    driver: 'usb-file',
    set: [],
    dryRun: false,
  };
  const options = { drivers, env: {}, version: 'test', clock, devicesDir: join(dir, 'devices') };
  const code = await runImportPunches({ ...args, ...over }, options, io, never);
  const last = out.at(-1) ?? '';
  const summary = last.startsWith('{') ? (JSON.parse(last) as Readonly<Record<string, unknown>>) : {};
  return { code, out, err: err.join('\n'), summary };
}

const stored = (): readonly PunchFact[] => {
  using store = openStore({ dir: dataDir(), clock, software: 'test' });
  return store.facts(0, 1000, 'punch') as readonly PunchFact[];
};

describe('rollcall import punches', () => {
  test('stores every punch as backfill under the serial number of the terminal, and nothing the second time', async () => {
    const first = await run(LOG);
    expect([first.code, first.summary]).toEqual([
      0,
      expect.objectContaining({ ok: true, serial: 'SN-named', punches: 6, stored: 6, repeated: 0, refused: 0 }),
    ]);
    expect(stored()).toHaveLength(6);
    expect(stored()[0]).toMatchObject({
      ...{ deviceSn: 'SN-named', terminalId: 'named', deviceUserId: 'T001', wallTime: '2026-09-07 08:00:11' },
      ...{ delivery: 'backfill', source: 'replay', verify: 'face' },
    });
    const again = await run(LOG);
    expect([again.code, again.summary]).toEqual([0, expect.objectContaining({ stored: 0, repeated: 6 })]);
    expect(again.err).toContain('Nothing new: all 6 punches are stored already.');
    expect(stored()).toHaveLength(6);
  });

  test('a longer log of the same terminal adds only what is new', async () => {
    await run(LOG);
    const longer = await run(`${LOG}\r\nT001\t2026-09-07 13:30:00\t1\t0\t15\t0\r\n`);
    expect(longer.summary).toMatchObject({ stored: 1, repeated: 6 });
  });

  test('leaves the days it touches to the credit of the daemon', async () => {
    const io: Console = { out: () => undefined, err: () => undefined, json: false, tty: false };
    writeFileSync(join(dir, 'class.yaml'), classText({ terminals: '[{ terminal: named }]' }));
    const options = { drivers, env: {}, version: 'test', clock, devicesDir: join(dir, 'devices') };
    expect(await runImportClass(join(dir, 'class.yaml'), join(dir, 'gateway.yaml'), options, io)).toBe(0);
    {
      using store = openStore({ dir: dataDir(), clock, software: 'test' });
      for (const day of store.touchedDays(100)) store.transact((tx) => tx.untouchDay(day));
    }
    await run(LOG);
    using store = openStore({ dir: dataDir(), clock, software: 'test' });
    const days = store.touchedDays(100).map((one) => `${one.traineeNo} ${one.date} ${one.cause}`);
    // The day of receipt is looked at as well, in case the date of the log was wrong.
    const dates = ['2026-09-07', '2026-09-08'];
    expect(days.sort()).toEqual(['T001', 'T002'].flatMap((one) => dates.map((date) => `${one} ${date} backfill`)));
  });

  test('a dry run tells the same and writes nothing, beside the daemon too', async () => {
    expect((await run(LOG, { dryRun: true })).summary).toMatchObject({ dryRun: true, new: 6, stored: 0 });
    expect(statSync(dataDir(), { throwIfNoEntry: false })).toBeUndefined();
    await run(LOG.split('\r\n').slice(0, 2).join('\r\n'));
    using store = openStore({ dir: dataDir(), clock, software: 'test' });
    const head = store.head();
    expect((await run(LOG, { dryRun: true })).summary).toMatchObject({ new: 4, repeated: 2 });
    expect(store.head()).toEqual(head);
  });

  test('is refused while the daemon has the store', async () => {
    using store = openStore({ dir: dataDir(), clock, software: 'test' });
    await expect(run(LOG)).rejects.toMatchObject({ code: 'store-locked' });
    expect(store.punchCount()).toBe(0);
  });

  test('names lines that are no punches by number and reason, never by content, and stores the others', async () => {
    const text = LOG.replace('T002\t2026-09-07 08:01:11', '4.2E+17\t2026-09-07 08:01:11').replace(
      'T009\t2026-09-07 08:02:11',
      'T009\tgestern',
    );
    const { code, summary, err } = await run(text);
    expect([code, summary]).toEqual([1, expect.objectContaining({ ok: false, lines: 6, stored: 4, refused: 2 })]);
    expect(err).toMatch(/第 3 行未导入.*Line 3 is no punch/);
    expect(err).toMatch(/第 5 行未导入：没有日期时间/);
    expect(err).not.toMatch(/gestern|4\.2E|T009/);
  });

  test('what is no log is told, and nothing is stored', async () => {
    await expect(run('hello\nworld\n')).rejects.toMatchObject({ code: 'log-file-unknown' });
    await expect(run(LOG, { file: join(dir, 'none.dat') })).rejects.toMatchObject({ code: 'file-unreadable' });
    expect(stored()).toHaveLength(0);
  });

  test('options of the file are given with --set, or stand with the terminal', async () => {
    const csv = '工号;日期时间\n0042;07/09/2026 08:00:01\n';
    const named = await run(csv, { set: ['dateOrder=dmy'] });
    expect(named.summary).toMatchObject({ stored: 1, from: '2026-09-07 08:00:01' });
    const own = await run(csv, { terminal: 'stick' });
    expect(own.summary).toMatchObject({ serial: 'SN-stick', stored: 1 });
  });
});

describe('whose log it is', () => {
  test('a terminal that was never read and has no serial number in the settings needs --serial', async () => {
    await expect(run(LOG, { terminal: 'gate' })).rejects.toMatchObject({ code: 'log-owner-unknown' });
    expect((await run(LOG, { terminal: 'gate', serial: 'SN-gate' })).summary).toMatchObject({ stored: 6 });
    // From now on the gateway knows it.
    expect((await run(LOG, { terminal: 'gate' })).summary).toMatchObject({ serial: 'SN-gate', repeated: 6 });
  });

  test('what was read over a wire before is not stored again', async () => {
    {
      using store = openStore({ dir: dataDir(), clock, software: 'test' });
      store.transact((tx) => {
        tx.setCursor('terminal:gate', { serial: 'SN-gate' });
        tx.addPunch(punch('2026-09-07', '08:00:11'));
      });
    }
    expect((await run(LOG, { terminal: 'gate' })).summary).toMatchObject({ stored: 5, repeated: 1 });
  });

  test('a serial number of somebody else is refused; of two possible ones a person chooses', async () => {
    await expect(run(LOG, { serial: 'SN-other' })).rejects.toMatchObject({ code: 'other-terminal' });
    {
      using store = openStore({ dir: dataDir(), clock, software: 'test' });
      store.transact((tx) => tx.setCursor('terminal:named', { serial: 'SN-before' }));
    }
    await expect(run(LOG)).rejects.toMatchObject({ code: 'log-owner-unknown' });
    expect((await run(LOG, { serial: 'SN-before' })).summary).toMatchObject({ serial: 'SN-before', stored: 6 });
  });

  test('a terminal that nobody knows, or one with a fault, is told', async () => {
    await expect(run(LOG, { terminal: 'namd' })).rejects.toThrow(/did you mean "named"/);
    const broken = await run(LOG, { terminal: 'broken' });
    expect([broken.code, broken.err]).toEqual([2, expect.stringContaining('channel')]);
  });

  test('wrong settings, and a driver that reads no files', async () => {
    await expect(run(LOG, { driver: 'sample-tc' })).rejects.toMatchObject({ code: 'bad-argument' });
    writeFileSync(join(dir, 'gateway.yaml'), 'site: 3\n', { mode: 0o600 });
    expect((await run(LOG)).code).toBe(2);
  });

  test('without --json two lines say it, and no person is named', async () => {
    const { out, err } = await run(LOG, { json: false });
    expect(out).toEqual([
      'named: 序列号 serial SN-named  2026-09-07 08:00:11 – 2026-09-07 12:02:12',
      '  打卡 punches 6 · 新 new 6 · 已有 known 0 · 未导入的行 lines refused 0',
    ]);
    expect(err).toContain('credit is computed when the gateway runs again');
    expect(readFileSync(join(dir, '1_attlog.dat'), 'utf8')).toBe(LOG);
  });
});
