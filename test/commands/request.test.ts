/** `rollcall request …` and `rollcall import online`, as they are typed: what they write, what they refuse, what they never print. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runImportClass } from '../../src/commands/import-class.js';
import { runImportOnline, type ImportOnlineArguments } from '../../src/commands/import-online.js';
import {
  runRequestDecide,
  runRequestLeave,
  runRequestList,
  runRequestMakeup,
  runRequestReview,
  type RequestOptions,
} from '../../src/commands/request.js';
import type { Console } from '../../src/commands/console.js';
import type { GatewayError } from '../../src/core/errors.js';
import { openStore } from '../../src/store/database.js';
import { at, classText, documentOf, punch } from '../classes/class-fixture.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock } from '../support/fake-clock.js';

const SETTINGS = `site: { name: 东河校区, room: "301" }
dataDir: data
terminals:
  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }
`;

let dir = '';
let config = '';
let [out, err]: [string[], string[]] = [[], []];
let options: RequestOptions;
const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json: true, tty: false };
const people: Console = { ...io, json: false };

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-request-'));
  config = join(dir, 'gateway.yaml');
  mkdirSync(join(dir, 'devices'));
  writeFileSync(config, SETTINGS, { mode: 0o600 });
  writeFileSync(join(dir, 'class.yaml'), classText());
  writeFileSync(join(dir, 'report.pdf'), 'paper');
  const clock = createFakeClock(at('2026-09-07', '07:00'));
  options = { drivers: [sampleDriver], env: {}, version: 'test', clock, devicesDir: join(dir, 'devices') };
  await runImportClass(join(dir, 'class.yaml'), config, options, people);
  clock.jump(14 * 3_600_000);
  [out, err] = [[], []];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const ask = () => ({
  ...{ config, class: 'BT2026-031', trainee: 'T001', date: '2026-09-07', evidence: [join(dir, 'report.pdf')] },
  ...{ frame: [], by: 'S01', text: '欧阳青禾的考勤机断电' },
});
const makeup = () => ({ ...ask(), slot: 'am_in', reason: 'devicefault', except: [] });

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as GatewayError).code;
  }
  return 'none';
}

const lines = (): readonly Record<string, unknown>[] =>
  out.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);

test('a make-up is asked for, listed beside the daemon, and approved by another person', () => {
  expect(runRequestMakeup(makeup(), options, io)).toBe(0);
  const [row] = lines();
  const sha256 = createHash('sha256').update('paper').digest('hex');
  expect(row).toMatchObject({
    ...{ classNo: 'BT2026-031', traineeNo: 'T001', date: '2026-09-07', place: 'AM_IN', state: 'open' },
    ...{ reason: 'deviceFault', reasonZh: '考勤机故障', evidence: [{ kind: 'document', sha256 }], requestedBy: 'S01' },
  });
  const id = String(row?.id);
  {
    // As while the daemon runs: looking works, writing is refused.
    using store = openStore({ dir: join(dir, 'data'), clock: options.clock ?? createFakeClock(0), software: 'test' });
    expect(store.head().n).toBeGreaterThan(0);
    expect(runRequestList({ config, open: true }, options, io)).toBe(0);
    expect(lines()).toMatchObject([{ id }]);
    expect(runRequestList({ config, texts: true }, options, io)).toBe(0);
    expect(lines()).toMatchObject([{ id, text: '欧阳青禾的考勤机断电', decisionText: null }]);
    expect(refusal(() => runRequestDecide({ config, ids: [id], verdict: 'approved', by: 'S02' }, options, io))).toBe(
      'store-locked',
    );
  }
  expect(refusal(() => runRequestDecide({ config, ids: [id], verdict: 'approved', by: 'S01' }, options, io))).toBe(
    'request-second-person',
  );
  expect(runRequestDecide({ config, ids: [id], verdict: 'approved', by: 'S02' }, options, io)).toBe(0);
  expect(lines()).toMatchObject([{ id, state: 'approved', decidedBy: 'S02' }]);
  expect(runRequestList({ config, open: true, class: 'BT2026-031' }, options, people)).toBe(0);
  expect([out, err.at(-1)]).toEqual([[], '没有申请。 No requests.']);
  expect(runRequestList({ config }, options, people)).toBe(0);
  expect(out.join()).toMatch(/已批准 approved {2}补签 make-up {2}BT2026-031 {2}T001/);
  expect(out.join() + err.join()).not.toContain('青禾');
});

test('the wizard asks for everybody at once and says how many', () => {
  const all = { ...makeup(), trainee: undefined, allMissing: true, except: ['T002'] };
  expect(runRequestMakeup(all, options, io)).toBe(0);
  expect(lines().map((row) => row.traineeNo)).toEqual(['T001', 'T003']);
  expect(err.join()).toContain('已提出 2 个申请');
  expect(runRequestMakeup(all, options, io)).toBe(0);
  expect(err.join()).toContain('没有需要申请的学员');
});

test('leave and reviews', () => {
  expect(runRequestLeave({ ...ask(), reason: 'sick' }, options, io)).toBe(0);
  expect(lines().map((row) => row.place)).toEqual(['AM', 'PM']);
  const over = { offsetMs: null, offsetAgeMs: null, effective: null, delivery: 'backfill' as const };
  const store = openStore({ dir: join(dir, 'data'), clock: options.clock ?? createFakeClock(0), software: 'test' });
  const n = store.transact((tx) => tx.addPunch(punch('2026-09-07', '08:21', { over }))) ?? 0;
  store[Symbol.dispose]();
  const review = { ...ask(), punch: n, time: '08:21', reason: 'clockUnknown' };
  expect(refusal(() => runRequestReview({ ...review, time: '8.21' }, options, io))).toBe('bad-argument');
  expect(runRequestReview(review, options, io)).toBe(0);
  expect(lines()).toMatchObject([{ kind: 'review', place: String(n), effective: '2026-09-07T00:21:00.000Z' }]);
});

test('wrong words are refused with the nearest right one', () => {
  const wrong = (over: object): string => refusal(() => runRequestMakeup({ ...makeup(), ...over }, options, io));
  expect(wrong({ slot: 'AM' })).toBe('bad-argument');
  expect(wrong({ reason: 'deviceFalt' })).toBe('bad-argument');
  expect(wrong({ trainee: undefined })).toBe('bad-argument');
  expect(wrong({ allMissing: true })).toBe('bad-argument');
  expect(wrong({ date: '7.9.2026' })).toBe('bad-argument');
  expect(wrong({ evidence: [join(dir, 'none.pdf')] })).toBe('file-unreadable');
  writeFileSync(config, 'site: 3\n', { mode: 0o600 });
  expect(runRequestMakeup(makeup(), options, io)).toBe(2);
});

const importOnline = (text: string, over: Partial<ImportOnlineArguments> = {}): Promise<number> => {
  const file = join(dir, 'hours.csv');
  writeFileSync(file, text);
  const args = { file, config, class: 'BT2026-031', origin: '包头网校', map: [], by: 'S01', ...over };
  return runImportOnline(args, options, io, new AbortController().signal);
};

test('online hours of a table are imported once, people found by number or document', async () => {
  const text = `学员编号,身份证号,日期,课程,学习时长(分钟)\nT001,,2026-09-07,第一课,90\n,${documentOf(2)},2026-09-07,第一课,45\n`;
  expect(await importOnline(text, { dryRun: true })).toBe(0);
  expect(lines().at(-1)).toMatchObject({ ok: true, result: 'checked', records: 2 });
  expect(await importOnline(text)).toBe(0);
  expect(lines().at(-1)).toMatchObject({ ok: true, result: 'imported', records: 2, trainees: 2, minutes: 135 });
  expect(await importOnline(text)).toBe(0);
  expect(lines().at(-1)).toMatchObject({ ok: true, result: 'same' });
  expect(err.join()).not.toContain(documentOf(2));
});

test('every fault of a table is told by row, and nothing is imported', async () => {
  const text = `学员编号,日期,课程,分钟\nT001,2026-09-07,一,90\nT009,2026-09-07,一,90\nT001,2026-09-09,一,90\n`;
  expect(await importOnline(text)).toBe(2);
  expect(await importOnline(text.replace('T009', 'T003'))).toBe(2);
  expect(lines()).toContainEqual(expect.objectContaining({ row: 4, en: '2026-09-09 is still to come' }));
  await expect(importOnline(text, { class: 'X' })).rejects.toMatchObject({ code: 'request-class' });
  await expect(importOnline(text, { map: ['x'] })).rejects.toMatchObject({ code: 'bad-argument' });
  using store = openStore({ dir: join(dir, 'data'), clock: options.clock ?? createFakeClock(0), software: 'test' });
  expect(store.touchedDays(10)).toEqual([]);
});
