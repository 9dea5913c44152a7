/** Working days: golden dates around every exchange of days (调休) of the shipped years, due dates, faults with their lines. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkCalendarText, loadCalendar } from '../../src/calendars.js';
import { addDays, type LocalDate } from '../../src/core/time.js';
import { isWeekend } from '../../src/rules/calendar.js';

const { calendar, faults } = loadCalendar();
const day = (text: string): LocalDate => text as LocalDate;

let dir = '';
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'rollcall-calendar-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('four years are shipped, without a fault', () => {
  expect(faults).toEqual([]);
  expect(calendar.years).toEqual([2023, 2024, 2025, 2026]);
});

/** `w` worked, `-` off: every day from the first date on, as the notices have it. */
test.each([
  ['2023-01-20', 'w-------ww', '春节 2023: Saturday and Sunday after it are worked'],
  ['2023-04-22', '-wwww', '劳动节 2023: Sunday 23 April is worked'],
  ['2023-04-28', 'w-----www-', '劳动节 2023 and Saturday 6 May'],
  ['2023-06-21', 'w---ww', '端午节 2023 and Sunday 25 June'],
  ['2023-09-28', 'w--------ww', '中秋节、国庆节 2023 and the weekend after it'],
  ['2024-02-03', '-wwwwww--------w', '春节 2024: the Sundays 4 and 18 February'],
  ['2024-04-03', 'w---w', '清明节 2024 and Sunday 7 April'],
  ['2024-04-27', '-www-----wwwwww-', '劳动节 2024: 28 April and 11 May are worked'],
  ['2024-06-07', 'w---w', '端午节 2024 with its weekend'],
  ['2024-09-13', 'ww---w', '中秋节 2024 and Saturday 14 September'],
  ['2024-09-28', '-ww-------wwwww-', '国庆节 2024: 29 September and 12 October'],
  ['2025-01-24', 'w-ww--------wwww-', '春节 2025: 26 January and 8 February'],
  ['2025-04-26', '-wwww-----wwww-', '劳动节 2025: 27 April is worked'],
  ['2025-05-30', 'w---w', '端午节 2025'],
  ['2025-09-27', '-www--------www-', '国庆节、中秋节 2025: 28 September and 11 October'],
  ['2025-12-31', 'w---ww', '元旦 2026 and Sunday 4 January'],
  ['2026-02-13', 'ww---------wwwww-', '春节 2026: 14 and 28 February'],
  ['2026-04-03', 'w---w', '清明节 2026'],
  ['2026-04-30', 'w-----wwww-', '劳动节 2026 and Saturday 9 May'],
  ['2026-06-18', 'w---w', '端午节 2026'],
  ['2026-09-19', '-wwwww---www-------www-', '中秋节、国庆节 2026: 20 September and 10 October'],
])('from %s: %s', (from, expected) => {
  const found = Array.from(expected, (_, index) => (calendar.isWorkingDay(addDays(day(from), index)) ? 'w' : '-')).join(
    '',
  );
  expect(found).toBe(expected);
});

test('the number of days off and of weekends worked is that of the notices', () => {
  const allOf = (year: number): readonly LocalDate[] =>
    Array.from({ length: 366 }, (_, index) => addDays(day(`${year}-01-01`), index)).filter((one) =>
      one.startsWith(String(year)),
    );
  const counted = calendar.years.map((year) => [
    allOf(year).filter((one) => calendar.holidayOn(one) !== null).length,
    allOf(year).filter((one) => isWeekend(one) && calendar.isWorkingDay(one)).length,
  ]);
  expect(counted).toEqual([
    [26, 7],
    [28, 8],
    [28, 5],
    [33, 6],
  ]);
});

describe('the due date of the feedback is the fifth working day after the last class day', () => {
  test.each([
    ['2026-09-11', '2026-09-18', 'an ordinary Friday'],
    ['2026-09-18', '2026-09-24', 'Sunday 20 September is worked'],
    ['2026-09-30', '2026-10-13', 'the National Day week, and Saturday 10 October'],
    ['2026-02-13', '2026-02-27', 'Spring Festival'],
    ['2025-01-27', '2025-02-10', 'Spring Festival 2025, Saturday 8 February is worked'],
    ['2023-04-28', '2023-05-09', 'Labour Day 2023, Saturday 6 May is worked'],
    ['2025-12-29', '2026-01-06', 'over the new year, Sunday 4 January is worked'],
  ])('%s -> %s: %s', (last, due) => {
    expect(calendar.addWorkingDays(day(last), 5)).toEqual({ date: due, fallbackYears: [] });
  });

  test('no days on is the day itself', () => {
    expect(calendar.addWorkingDays(day('2026-10-01'), 0)).toEqual({ date: '2026-10-01', fallbackYears: [] });
  });
});

test('a year without a calendar counts Monday to Friday and says so', () => {
  expect(calendar.addWorkingDays(day('2026-12-29'), 5)).toEqual({ date: '2027-01-05', fallbackYears: [2027] });
  expect(calendar.addWorkingDays(day('2031-10-01'), 1)).toEqual({ date: '2031-10-02', fallbackYears: [2031] });
  expect(calendar.isWorkingDay(day('2031-10-04'))).toBe(false);
});

test('holidays have their names, weekends have none', () => {
  expect(['2026-10-01', '2024-02-10', '2026-10-10', '2026-10-11'].map((one) => calendar.holidayOn(day(one)))).toEqual([
    ...['国庆节', '春节', null, null],
  ]);
});

test('weekends are those of the Gregorian calendar', () => {
  const known = [
    '2000-01-01',
    '2000-02-29',
    '2023-12-31',
    '2024-02-29',
    '2024-03-02',
    '2026-11-22',
    '2100-02-28',
    '2100-03-01',
  ];
  expect(known.map((one) => isWeekend(day(one)))).toEqual([true, false, true, false, true, true, true, false]);
});

const YEAR = `year: 2027
source: { title: 通知, number: 国办发明电〔2026〕1号 }
holidays:
  - { date: 2027-01-01, name: 元旦 }
workdays:
  - 2027-01-03
`;

test('a year added on site wins by its year, and a broken one is told and left out', () => {
  writeFileSync(join(dir, '2027.yaml'), YEAR);
  writeFileSync(join(dir, '2026.yaml'), YEAR);
  const loaded = loadCalendar({ overlay: dir });
  expect(loaded.faults).toMatchObject([{ file: join(dir, '2026.yaml'), line: 1, path: 'year' }]);
  expect(loaded.calendar.years).toEqual([2023, 2024, 2025, 2026, 2027]);
  expect(loaded.calendar.isWorkingDay(day('2027-01-03'))).toBe(true);
  expect(loaded.calendar.isWorkingDay(day('2026-10-10'))).toBe(true);
  expect(loadCalendar({ overlay: join(dir, 'nowhere') }).faults).toEqual([]);
});

test.each([
  [YEAR.replace('workdays:', '  - { date: 2027-01-01, name: 春节 }\nworkdays:'), 5, 'holidays.1.date', 'given-twice'],
  [YEAR.replace('2027-01-03', '2027-01-01'), 6, 'workdays.0', 'given-twice'],
  [YEAR.replace('2027-01-03', '2027-01-04'), 6, 'workdays.0', 'wrong-value'],
  [YEAR.replace('2027-01-03', '2026-01-03'), 6, 'workdays.0', 'wrong-value'],
  [YEAR.replace('2027-01-01', '2028-01-01'), 4, 'holidays.0.date', 'wrong-value'],
  [YEAR.replace('2027-01-01', '2027-02-30'), 4, 'holidays.0.date', 'wrong-value'],
  [YEAR.replace('holidays:', 'holidy:'), 3, 'holidy', 'key-unknown'],
  [YEAR.replace('title: 通知, ', ''), 2, 'source.title', 'key-missing'],
  ['', 1, 'year', 'key-missing'],
])('%j', (text, line, path, code) => {
  const { year, faults: found } = checkCalendarText('2027.yaml', text, 2027);
  expect(year).toBeNull();
  expect(found.map((one) => [one.line, one.path, one.code])).toContainEqual([line, path, code]);
});
