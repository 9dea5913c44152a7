/** Templates are read back by the import itself: what we hand out must be what we take. */
import { describe, expect, test } from 'vitest';
import { parseOnlineSheet } from '../../src/classes/sheet-online.js';
import { parseRosterSheet } from '../../src/classes/sheet-roster.js';
import { parseTimetableSheet } from '../../src/classes/sheet-timetable.js';
import type { LocalDate } from '../../src/core/time.js';
import { templateXlsx } from '../../src/exports/templates.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { preset } from '../classes/class-fixture.js';

const today = '2026-11-01' as LocalDate;
const period = { from: '2026-09-07' as LocalDate, to: '2026-09-25' as LocalDate };

const sheetOf = async (kind: 'roster' | 'timetable' | 'online') =>
  readSheetBytes(Buffer.from(await templateXlsx(kind)), null);
const codes = (faults: readonly { readonly code: string }[]): readonly string[] => faults.map(({ code }) => code);

describe('a template as it is handed out', () => {
  test.each([
    ['roster', async () => parseRosterSheet(await sheetOf('roster'), { today })],
    [
      'timetable',
      async () => parseTimetableSheet(await sheetOf('timetable'), { policy: preset.policy, period, teachers: [] }),
    ],
    ['online', async () => parseOnlineSheet(await sheetOf('online'), { trainees: new Set() })],
  ])('%s: every head is known, and the example is left out, so nothing is there to import', async (_, parse) => {
    const { faults, notes } = await parse();
    expect(codes(faults)).toEqual(['sheet-no-rows']);
    expect(codes(notes)).toEqual(['sheet-row-skipped']);
  });

  test('the example of the roster is one that the import would take, without its mark', async () => {
    const sheet = await sheetOf('roster');
    const rows = sheet.rows.map((row) =>
      row.no === 2
        ? { ...row, cells: row.cells.map((cell) => ({ ...cell, text: cell.text.replace('示例 ', '') })) }
        : row,
    );
    const { entries, faults } = parseRosterSheet({ ...sheet, rows }, { today });
    expect(faults).toEqual([]);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      traineeNo: '20260001',
      documentType: 'idCard',
      documentNumber: '150203190001011020',
      alternativeMethods: ['card'],
    });
  });

  test('the example of the timetable too', async () => {
    const sheet = await sheetOf('timetable');
    const rows = sheet.rows.map((row) =>
      row.no === 2
        ? { ...row, cells: row.cells.map((cell) => ({ ...cell, text: cell.text.replace('示例 ', '') })) }
        : row,
    );
    const teachers = [{ teacherNo: 'J01', name: '南宫砚秋' }];
    const { days, faults } = parseTimetableSheet({ ...sheet, rows }, { policy: preset.policy, period, teachers });
    expect(faults).toEqual([]);
    expect(days[0]?.sessions[0]).toMatchObject({ id: 'AM', start: '08:30', lessons: 4, teacher: 'J01', room: 'A301' });
  });
});
