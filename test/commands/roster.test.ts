import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noteTerminalUser, type TerminalUserRow } from '../../src/classes/enrolment.js';
import { openClasses } from '../../src/classes/classes.js';
import { reasonWords, runRoster } from '../../src/commands/roster.js';
import type { Console } from '../../src/commands/console.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock } from '../support/fake-clock.js';
import { at, by, classText, nameOf, preset, ZONE } from '../classes/class-fixture.js';

const SETTINGS = `site: { name: 东河校区, room: "301" }
dataDir: data
terminals:
  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }
  - { id: hall, driver: sample-tc, reach: "tcp://192.168.1.21:5010", roster: off }
`;

let dir = '';
const clock = createFakeClock(at('2026-09-08', '07:00'));
const data = (): string => join(dir, 'data');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-roster-'));
  mkdirSync(join(dir, 'devices'));
  writeFileSync(join(dir, 'gateway.yaml'), SETTINGS, { mode: 0o600 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function run(json = true): { readonly code: number; readonly out: readonly string[]; readonly err: string } {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json, tty: false };
  const options = { drivers: [sampleDriver], env: {}, clock, devicesDir: join(dir, 'devices') };
  return { code: runRoster(join(dir, 'gateway.yaml'), options, io), out, err: err.join('\n') };
}

/** The class of three people, of whom the first two have been dealt with, and one who has left. */
function prepare(): Store {
  const store = openStore({ dir: data(), clock, software: 'test' });
  const classes = openClasses(store, {
    ...{ clock, zone: ZONE, terminals: ['gate', 'hall'] },
    policies: { get: () => preset.policy, names: [preset.policy.id] },
  });
  classes.importText('c.yaml', classText({ terminals: '[{ terminal: gate }, { terminal: hall }]' }), by);
  const row = (no: string, state: TerminalUserRow['state'], reason: string | null): void =>
    noteTerminalUser(store, {
      ...{ terminalId: 'gate', deviceUserId: no, classNo: 'BT2026-031', traineeNo: no, rosterVersion: 1 },
      ...{ state, reason, putByUs: true, deviceSn: 'SN', tries: 0, at: clock.now() },
    });
  row('T001', 'enrolled', null);
  row('T002', 'failed', 'other-name');
  row('T009', 'removed', null);
  return store;
}

describe('rollcall roster', () => {
  test('tells for each person and terminal what became of them, beside the daemon, and writes nothing', () => {
    using store = prepare();
    const head = store.head();
    const { code, out } = run();
    expect(code).toBe(0);
    const rows = out.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map((one) => [one.traineeNo, one.terminal, one.state])).toEqual([
      ['T001', 'gate', 'enrolled'],
      ['T002', 'gate', 'failed'],
      ['T003', 'gate', 'waiting'],
      ['T009', 'gate', 'removed'],
      [undefined, undefined, undefined],
    ]);
    expect(rows[0]).toMatchObject({ classNo: 'BT2026-031', deviceUserId: 'T001', reason: null });
    expect(rows[1]).toMatchObject({
      reason: 'other-name',
      reasonEn: expect.stringContaining('another name') as string,
    });
    expect(rows.at(-1)).toEqual({ kind: 'summary', enrolled: 1, failed: 1, removed: 1, waiting: 1 });
    expect(store.head()).toEqual(head);
  });

  test('masks names, and gives reasons in both languages', () => {
    using store = prepare();
    const said = run(false).out.join('\n');
    expect(store.head().n).toBeGreaterThan(0);
    expect(said).toContain(`${Array.from(nameOf(1))[0] ?? ''}**${Array.from(nameOf(1)).at(-1) ?? ''}`);
    for (const index of [1, 2, 3]) expect(said).not.toContain(nameOf(index));
    expect(said).toMatch(/T002 .*失败 failed {2}（考勤机里这个编号已登记为别的姓名.*this id belongs to another name/);
    expect(reasonWords('strange')).toMatchObject({ zh: expect.stringContaining('strange') as string });
  });

  test('shows numbers only where the key is not within reach', () => {
    prepare()[Symbol.dispose]();
    renameSync(join(data(), 'keys', 'kek'), join(dir, 'kek'));
    const { out, err } = run();
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ traineeNo: 'T001', name: null });
    expect(err).toContain('Names are sealed');
  });

  test('before the first start there is nobody; wrong settings are told', () => {
    expect(run()).toMatchObject({ code: 0, err: expect.stringContaining('Nobody') as string });
    writeFileSync(join(dir, 'gateway.yaml'), 'site: 3\n', { mode: 0o600 });
    expect(run().code).toBe(2);
  });
});
