/** The workbook of the attendance table, read back by the import's reader and printed by LibreOffice. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { linesIn, widthOf } from '../../src/exports/attendance-form.js';
import { attendanceXlsx } from '../../src/exports/attendance-xlsx.js';
import { daySheets, hoursText, onlineText, slotText, thresholdLines } from '../../src/exports/attendance-words.js';
import type { AttendanceTable, TableVariant } from '../../src/exports/attendance.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import type { Sheet } from '../../src/sheets/sheet.js';
import { needs } from '../support/needs.js';
import { attendanceFixture, HARD_NAMES } from './fixture.js';

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const FULL = attendanceFixture();

async function sheet(table: AttendanceTable, variant: TableVariant, name: string): Promise<Sheet> {
  return readSheetBytes(Buffer.from((await attendanceXlsx(table, variant)).bytes), name);
}

const textOf = ({ rows }: Sheet): readonly (readonly string[])[] =>
  rows.map(({ cells }) => cells.map(({ text }) => text));

describe('the sheets', () => {
  test('five class days each, then make-ups, then notes; the same table gives the same bytes', async () => {
    const [one, two] = [await attendanceXlsx(FULL, 'times'), await attendanceXlsx(FULL, 'times')];
    expect(one.sheets).toBe(5);
    expect(Buffer.compare(one.bytes, two.bytes)).toBe(0);
    expect(daySheets(FULL.days).map((days) => days.length)).toEqual([5, 5, 2]);
    const { otherSheets } = await sheet(FULL, 'times', '考勤表1');
    expect(otherSheets).toEqual(['考勤表2', '考勤表3', '补签与请假', '说明']);
  });

  test('title, head line, two rows of heads, and a row for each trainee', async () => {
    const rows = textOf(await sheet(FULL, 'times', '考勤表1'));
    expect(rows[0]?.[0]).toBe(`${FULL.institution} 学员考勤表`);
    for (const words of [
      '班级名称/编号',
      'BT2026-031',
      '职业（工种）及等级',
      '培训起止日期',
      '总课时：92',
      '培训地点',
      '班主任',
    ])
      expect(rows[1]?.[0]).toContain(words);
    expect(rows[2]?.filter((text) => text !== '')).toEqual([
      ...['序号', '姓名', '身份证号（脱敏）', '3月2日', '3月3日', '3月4日', '3月5日', '3月6日'],
      ...['累计课时（全期）', '出勤率（全期）', '学员签名', '备注'],
    ]);
    expect(rows[3]?.slice(3, 8)).toEqual(['上到', '上退', '下到', '下退', '课时']);
    const first = rows[4] ?? [];
    expect(first.slice(0, 4)).toEqual(['1', HARD_NAMES[0], FULL.people[0]?.maskedDocument, '08:54 迟']);
    expect(rows.slice(4, 64).map((row) => row[1])).toEqual(FULL.people.map(({ name }) => name));
    expect(rows.slice(64, 67).map((row) => row[1])).toEqual(['应到', '实到', '出勤率']);
  });

  test('both thresholds with numerator and denominator, and nothing that says passed', async () => {
    const all = (await Promise.all(['考勤表1', '补签与请假', '说明'].map((name) => sheet(FULL, 'times', name))))
      .flatMap(textOf)
      .flat()
      .join('\n');
    for (const line of thresholdLines(FULL)) expect(all).toContain(line);
    expect(all).toContain('80%线达到\n95%线未达到');
    expect(all).toContain('84/92');
    expect(all).not.toMatch(/passed|合格(?!由)|及格/);
    for (const words of [FULL.policy.id, FULL.digest, String(FULL.throughN), '制表人', '监管人员（签字）', '图例'])
      expect(all).toContain(words);
  });

  test('the notes hold every make-up with reason and approver, and every flag in both languages', async () => {
    const makeups = textOf(await sheet(FULL, 'times', '补签与请假')).slice(2);
    expect(makeups).toHaveLength(FULL.makeups.length);
    expect(makeups[0]).toEqual(expect.arrayContaining(['终端故障', '南宫老师', '东方主任']) as unknown);
    const words = textOf(await sheet(FULL, 'times', '说明'));
    expect(words).toContainEqual(['2026-03-02', FULL.people[0]?.traineeNo, HARD_NAMES[0], 'AM:LATE', '迟到', 'late']);
    const noted = words.flat().join('\n');
    for (const { text } of FULL.notes) expect(noted).toContain(text);
  });

  test('a provisional table says so in its title, on every kind of sheet', async () => {
    const open = { ...FULL, status: 'provisional' as const };
    for (const [variant, name] of [
      ['times', '考勤表2'],
      ['marks', '考勤表1'],
      ['summary', '考勤汇总'],
      ['summary', '说明'],
    ] as const)
      expect(textOf(await sheet(open, variant, name))[0]?.[0]).toContain('临时 provisional');
    const [first, ...others] = FULL.people;
    if (first === undefined) throw new Error('nobody');
    const days = first.days.map((day, at) => (at === 0 ? { ...day, hours: 4, status: 'provisional' as const } : day));
    const starred = textOf(await sheet({ ...open, people: [{ ...first, days }, ...others] }, 'times', '考勤表1'));
    expect(starred.flat()).toContain('4*');
    expect(starred.flat().join()).toContain('* 临时结果');
  });

  test('marks only shows no time, and the summary no day', async () => {
    const marks = textOf(await sheet(FULL, 'marks', '考勤表1'))
      .slice(4, 64)
      .flat();
    expect(marks.filter((text) => /^\d\d:\d\d/.test(text))).toEqual([]);
    expect(new Set(marks)).toContain('√');
    const summary = textOf(await sheet(FULL, 'summary', '考勤汇总'));
    expect(summary[2]).toEqual(
      expect.arrayContaining(['打卡课时', '补签课时', '线上课时', '出勤80%线', '考试95%线']) as unknown,
    );
    expect(summary.slice(3, 63).map((row) => row[2])).toEqual(FULL.people.map(({ name }) => name));
  });

  test('a table without make-ups, flags or days of results is still a form', async () => {
    const bare = { ...FULL, makeups: [], flags: [], notes: [], slotTotals: [] };
    expect(textOf(await sheet(bare, 'times', '补签与请假')).flat()).toContain(
      '没有已批准的补签、请假或复核。 None approved.',
    );
    expect(
      textOf(await sheet(bare, 'times', '说明'))
        .flat()
        .join(),
    ).toContain('没有标记和备注');
  });
});

describe('words of a cell', () => {
  const cell = { slot: 'AM_IN' as const, time: '08:52', marks: ['迟' as const] };
  test('time and mark, mark alone, and nothing where nothing is known', () => {
    expect(slotText(cell, 'times')).toBe('08:52 迟');
    expect(slotText(cell, 'marks')).toBe('迟');
    expect(slotText({ ...cell, marks: [] }, 'marks')).toBe('√');
    expect(slotText({ ...cell, time: null, marks: [] }, 'marks')).toBe('');
    expect(slotText(undefined, 'times')).toBe('');
  });

  test('online hours carry their mark, and who was not enrolled a dash', () => {
    const day = { date: FULL.from, slots: [], hours: 8, onlineHours: 8, status: 'final' as const };
    expect(onlineText(day)).toBe('网 8');
    const away = { ...day, hours: null, onlineHours: 0, slots: [{ ...cell, time: null, marks: ['—' as const] }] };
    expect([onlineText(away), hoursText(away)]).toEqual(['—', '—']);
    expect(hoursText({ ...away, slots: [{ ...cell, time: null, marks: [] }] })).toBe('');
  });

  test('a Chinese character is two wide, one outside of the plane as well', () => {
    expect(widthOf('𠮷a·1')).toBe(5);
    expect(linesIn('一二三四五\n六', 6)).toBe(3);
  });
});

const missing = ['soffice', 'pdftotext'].map(needs).find((need) => !need.available);
describe.skipIf(missing !== undefined)(`printed by LibreOffice ${missing?.reason ?? ''}`, () => {
  test(
    'A4 landscape, heads on every page, no trainee lost, one page for the whole width',
    { timeout: 180_000 },
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'rollcall-table-'));
      dirs.push(dir);
      writeFileSync(join(dir, 'table.xlsx'), (await attendanceXlsx(FULL, 'times')).bytes);
      const profile = `-env:UserInstallation=file://${join(dir, 'profile')}`;
      const run = spawnSync('soffice', [profile, '--headless', '--convert-to', 'pdf', '--outdir', dir, 'table.xlsx'], {
        ...{ cwd: dir, encoding: 'utf8', timeout: 150_000 },
      });
      expect(run.status, run.stderr).toBe(0);
      const out = (program: string, ...args: readonly string[]): string =>
        spawnSync(program, args, { cwd: dir, encoding: 'utf8', maxBuffer: 1e8 }).stdout;
      const sizes = [...out('pdfinfo', '-f', '1', '-l', '99', 'table.pdf').matchAll(/size: +(.*)/g)].map(
        ([, size]) => size,
      );
      expect(sizes.length).toBeGreaterThan(8);
      expect(sizes.length).toBeLessThan(20);
      for (const size of sizes.slice(0, -1)) expect(size).toMatch(/^841\.\d+ x 595\.\d+ pts \(A4\)/);
      const pages = out('pdftotext', '-layout', 'table.pdf', '-').split('\f').slice(0, -1);
      const plain = pages.map((page) => page.replace(/\s/g, ''));
      for (const page of plain) {
        expect(page).toContain('包头市昆都仑区启航职业培训学校学员考勤表');
        expect(page).toMatch(/第\d+页共\d+页/);
      }
      const form = plain.filter((page) => page.includes('身份证号（脱敏）'));
      for (const page of form)
        for (const words of ['上到', '上退', '累计课时', '学员签名', '备注']) expect(page).toContain(words);
      const text = form.join('');
      for (const { maskedDocument } of FULL.people) expect(text.split(maskedDocument)).toHaveLength(4);
      expect(text.split('监管人员（签字）')).toHaveLength(4);
    },
  );
});
