import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import iconv from 'iconv-lite';
import { describe, expect, test } from 'vitest';
import { runExportAttendance, runExportList } from '../../src/commands/export-attendance.js';
import { exportCommands } from '../../src/commands/export-commands.js';
import { runExportMonthly, runExportTemplate } from '../../src/commands/export-monthly.js';
import { guarded, type Console } from '../../src/commands/console.js';
import { openStore } from '../../src/store/database.js';
import { loadOrCreateSigningKey } from '../../src/store/keys.js';
import { csvBytes } from '../../src/sheets/write-csv.js';
import { readSheetFile } from '../../src/sheets/sheet-file.js';
import { by, classText, documentOf, FULL_DAY, nameOf, punch } from '../classes/class-fixture.js';
import { openClassroom, type Classroom } from './classroom.js';

const CLASS = 'BT2026-031';

interface Ran {
  readonly code: number;
  readonly row: Readonly<Record<string, unknown>>;
  readonly said: string;
}

async function run(work: (io: Console) => Promise<number>): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Console = {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    json: true,
    tty: false,
  };
  const code = await guarded(io, () => work(io));
  expect(out).toHaveLength(1);
  return { code, row: JSON.parse(out[0] ?? '{}') as Record<string, unknown>, said: [...out, ...err].join('\n') };
}

/** A class of three whose Monday is over. */
function taught(): Classroom & { readonly out: string } {
  const room = openClassroom();
  const text = classText({ head: 'approval: 昆人社培〔2026〕31号\nregionalClassNo: NM-2026-7' });
  room.open((_, classes) => classes.importText('c.yaml', text, by));
  room.take(...FULL_DAY.map((time) => punch('2026-09-07', time)));
  room.settle('2026-09-09', '23:45');
  const out = join(room.dataDir, '..', 'out');
  mkdirSync(out);
  return { ...room, out };
}

const table = (room: ReturnType<typeof taught>, over: Partial<Parameters<typeof runExportAttendance>[0]> = {}) =>
  run((io) =>
    runExportAttendance(
      {
        ...{ config: room.config, class: CLASS, variant: 'times' as const, format: 'xlsx' as const },
        ...{ out: room.out, force: false, from: '2026-09-07', to: '2026-09-08' },
        ...over,
      },
      room.options,
      io,
    ),
  );

describe('export attendance', () => {
  test('one file of the owner alone, whose name, output and words name no person', async () => {
    const room = taught();
    const { code, row, said } = await table(room);
    expect(code).toBe(0);
    const file = join(room.out, `学员考勤表_${CLASS}_2026-09-07_2026-09-08.xlsx`);
    expect(row).toMatchObject({ kind: 'export', file, people: 3, days: 2, sheets: 3, status: 'final', classNo: CLASS });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(row.sha256).toBe(createHash('sha256').update(readFileSync(file)).digest('hex'));
    expect(readdirSync(room.out)).toHaveLength(1);
    for (const index of [1, 2, 3])
      for (const secret of [nameOf(index), documentOf(index)]) expect(said).not.toContain(secret);
    const sheet = await readSheetFile(file, '考勤表1');
    expect(sheet.rows[4]?.cells.slice(1, 4).map(({ text }) => text)).toEqual([
      ...[nameOf(1), `150203********${documentOf(1).slice(-4)}`, '08:20'],
    ]);
  });

  test('a file that is there stays, unless it is said to be replaced', async () => {
    const room = taught();
    const { row } = await table(room);
    const refused = await table(room);
    expect([refused.code, refused.row.error]).toEqual([2, 'export-file-exists']);
    const forced = await table(room, { force: true, madeBy: 'A01' });
    expect(forced.code).toBe(0);
    expect(forced.row.sha256).not.toBe(row.sha256);
    expect(readdirSync(room.out)).toHaveLength(1);
    for (const variant of ['marks', 'summary'] as const) expect((await table(room, { variant })).code).toBe(0);
    expect(readdirSync(room.out)).toHaveLength(3);
  });

  test('writes nothing into the data, and works while another process holds the store', async () => {
    const room = taught();
    using store = openStore({ dir: room.dataDir, clock: room.clock, software: 'test' });
    const head = store.head();
    const keys = readdirSync(join(room.dataDir, 'keys'));
    expect((await table(room)).code).toBe(0);
    expect(store.head()).toEqual(head);
    expect(readdirSync(join(room.dataDir, 'keys'))).toEqual(keys);
  });

  test('the QR is signed where the gateway has a key, and says so where it has none', async () => {
    const room = taught();
    expect((await table(room)).said).toMatch(/未签名|unsigned|not signed/i);
    loadOrCreateSigningKey(room.dataDir, 'gateway');
    expect((await table(room, { force: true })).said).not.toMatch(/未签名|unsigned/i);
  });

  test('by the regional number; a class that has none, or is not there, is refused', async () => {
    const room = taught();
    const { row } = await table(room, { class: 'NM-2026-7', by: 'regional' });
    expect(row.file).toContain('NM-2026-7');
    expect((await table(room, { class: 'NOPE' })).row).toMatchObject({ error: 'class-unknown' });
    expect((await table(room, { from: '2026-9-7' })).row).toMatchObject({ error: 'bad-argument' });
    expect((await table(room, { out: join(room.out, 'no', 'where.xlsx') })).row).toMatchObject({
      error: 'export-file-failed',
    });
  });

  test('without the key of the names nothing is written, and the remedy is told', async () => {
    const room = taught();
    renameSync(join(room.dataDir, 'keys', 'kek'), join(room.dataDir, 'kek-elsewhere'));
    const { code, row, said } = await table(room);
    expect([code, row.error]).toEqual([2, 'names-sealed']);
    expect(said).toContain('user of the service');
    expect(readdirSync(room.out)).toEqual([]);
  });

  test('a table with days to come is provisional, and says so', async () => {
    const { row, said } = await table(taught(), { to: '2026-09-11' });
    expect(row.status).toBe('provisional');
    expect(said).toContain('临时');
  });
});

describe('export list, monthly and template', () => {
  test('the list as CSV in GB18030 holds what the workbook holds', async () => {
    const room = taught();
    const base = { config: room.config, class: CLASS, out: room.out, force: false };
    const list = (format: 'xlsx' | 'csv') =>
      run((io) => runExportList({ ...base, format, encoding: 'gb18030' }, room.options, io));
    const csv = await list('csv');
    const lines = iconv
      .decode(readFileSync(String(csv.row.file)), 'gb18030')
      .trim()
      .split('\r\n');
    expect(lines[0]).toBe(
      '市编号,学员编号,姓名,证件号码（脱敏）,打卡课时,补签课时,线上课时,累计课时,总课时,出勤率%,出勤线 ≥80%,结业考试线 ≥95%,备注',
    );
    expect(lines[1]).toBe(
      `${CLASS},T001,${nameOf(1)},150203********${documentOf(1).slice(-4)},8,0,0,8,40,20,未达到,未达到,`,
    );
    const xlsx = await list('xlsx');
    const sheet = await readSheetFile(String(xlsx.row.file), null);
    expect(sheet.rows.map(({ cells }) => cells.map(({ text }) => text).join(','))).toContain(
      (lines[1] ?? '').replace(/,$/, ''),
    );
    expect(JSON.stringify(sheet.rows)).not.toMatch(/passed|"合格/);
  });

  test('the figures of a month, with a mark before the bytes of UTF-8', async () => {
    const room = taught();
    const base = { config: room.config, month: '2026-09', out: room.out, force: false, encoding: 'utf-8' as const };
    const csv = await run((io) => runExportMonthly({ ...base, format: 'csv' }, room.options, io));
    expect(csv.row).toMatchObject({ from: '2026-08-26', to: '2026-09-25', totals: { classes: 1, enrolled: 3 } });
    const bytes = readFileSync(join(room.out, '月度统计_2026-09.csv'));
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    const [head = '', row = '', sum = ''] = bytes.toString('utf8').split('\r\n');
    expect(head).toContain('批准人数,在册人数,到课人数');
    expect(row).toContain(`${CLASS},NM-2026-7,电工第三期`);
    expect(sum).toMatch(/^合计/);
    const xlsx = await run((io) => runExportMonthly({ ...base, format: 'xlsx' }, room.options, io));
    expect((await readSheetFile(String(xlsx.row.file), null)).sheetName).toBe('月度统计 2026-09');
    const wrong = await run((io) => runExportMonthly({ ...base, month: '2026-13', format: 'csv' }, room.options, io));
    expect([wrong.code, wrong.row.error]).toEqual([2, 'bad-argument']);
  });

  test('nothing stored yet: said, and no file', async () => {
    const room = openClassroom();
    const out = join(room.dataDir, '..', 'month.csv');
    const base = { config: room.config, month: '2026-09', out, force: false, encoding: 'utf-8' as const };
    const { code, row } = await run((io) => runExportMonthly({ ...base, format: 'csv' }, room.options, io));
    expect([code, row.error]).toEqual([2, 'export-nothing']);
    expect(existsSync(out)).toBe(false);
  });

  test('templates by name, with the nearest name for a slip', async () => {
    const room = taught();
    const target = { out: room.out, force: false };
    const { row } = await run((io) => runExportTemplate('roster', target, io));
    expect(row).toMatchObject({ template: 'roster', file: join(room.out, 'roster.xlsx') });
    expect((await run((io) => runExportTemplate('rooster', target, io))).said).toContain('did you mean "roster"');
  });
});

describe('a CSV', () => {
  test('quotes what needs it, and nothing becomes a formula', () => {
    const text = Buffer.from(
      csvBytes([['a,b', 'say "x"', 'two\nlines', ' x', '=1+1', '-2', null, -2, 'ok']], 'utf-8'),
    ).toString('utf8');
    expect(text).toBe(`\ufeff"a,b","say ""x""","two\nlines"," x",'=1+1,'-2,,-2,ok\r\n`);
  });
});

test('every export has an example in its help', () => {
  const exports = exportCommands(new Command(), []);
  expect(exports.commands.map((one) => one.name()).sort()).toEqual([
    'attendance',
    'list',
    'monthly',
    'template',
    'trainee',
  ]);
  for (const one of exports.commands) {
    let help = '';
    one.configureOutput({ writeOut: (text) => void (help += text) });
    one.outputHelp();
    expect(help).toContain(`rollcall export ${one.name()}`);
  }
});
