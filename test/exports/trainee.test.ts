/** The record of one trainee: the same hours as the table, every lost lesson with its reason, one page. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AttendanceTable } from '../../src/exports/attendance.js';
import { openFonts } from '../../src/exports/fonts.js';
import { traineePdf } from '../../src/exports/trainee-pdf.js';
import { reasonsOf, traineeRecord, type TraineeRecord } from '../../src/exports/trainee-record.js';
import { addDays } from '../../src/core/time.js';
import type { ExplanationLine } from '../../src/rules/day-credit.js';
import { needs } from '../support/needs.js';
import { attendanceFixture } from './fixture.js';
import { notoNeed } from './needs-font.js';

const dir = mkdtempSync(join(tmpdir(), 'rollcall-trainee-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const table = attendanceFixture(9);
const [first] = table.people;

const lesson = (number: number, code: string, session: 'AM' | 'PM' = 'AM'): ExplanationLine => ({
  ...{ about: 'lesson', session, lesson: number, n: null, code },
  params: {
    start: `${String(7 + number).padStart(2, '0')}:30`,
    end: `${String(7 + number).padStart(2, '0')}:59`,
    in: '08:54',
    lateGrace: 15,
  },
});

function recordOf(from: AttendanceTable, lines: readonly ExplanationLine[] = []): TraineeRecord {
  const record = traineeRecord(from, 'BT26031001', (_, date) => (date === '2026-03-02' ? lines : []), null);
  if (record === null) throw new Error('no such trainee');
  return record;
}

describe('the value', () => {
  test('has the hours of the table, both thresholds, and a digest over all of it', () => {
    const record = recordOf(table);
    expect(record.totalHours).toBe(first?.totalHours);
    expect(record.days.map((day) => day.hours)).toEqual(first?.days.map((day) => day.hours));
    expect(record.thresholds).toEqual({ attendancePercent: 80, examPercent: 95 });
    expect(record.token).toBe(`rollcall:${record.digest}`);
    expect(recordOf(table).digest).toBe(record.digest);
    expect(recordOf({ ...table, room: 'B2' }).digest).not.toBe(record.digest);
    expect(traineeRecord(table, 'nobody', () => [], null)).toBeNull();
  });

  test('is provisional as soon as a day of the person is, whatever the rest of the class is', () => {
    expect(recordOf({ ...table, status: 'provisional' }).status).toBe('final');
    const people = table.people.map((person) => ({
      ...person,
      days: person.days.map((day, index) => (index === 0 ? { ...day, status: 'provisional' as const } : day)),
    }));
    expect(recordOf({ ...table, people, status: 'provisional' }).status).toBe('provisional');
    expect(recordOf({ ...table, status: 'sealed' }).status).toBe('sealed');
  });
});

describe('reasons', () => {
  test('lessons lost in a row for the same reason are one sentence over their whole time', () => {
    const reasons = reasonsOf([1, 2, 3, 4].map((number) => lesson(number, 'LESSON_ABSENT')));
    expect(reasons).toEqual([
      {
        zh: '上午第1–4节 08:30–11:59 不计：签到、签退均无可用的打卡。',
        en: 'Morning, lessons 1–4, 08:30–11:59 do not count: no usable punch to sign in or out.',
      },
    ]);
  });

  test('other reasons, sessions and gaps are sentences of their own; what counts is not told', () => {
    const lines = [
      lesson(1, 'LESSON_LATE'),
      lesson(2, 'LESSON_COUNTED'),
      lesson(3, 'LESSON_LATE'),
      lesson(1, 'LESSON_LATE', 'PM'),
      lesson(2, 'LESSON_NO_OUT', 'PM'),
    ];
    expect(reasonsOf(lines).map(({ zh }) => zh.slice(0, 6))).toEqual([
      '上午第1节 ',
      '上午第3节 ',
      '下午第1节 ',
      '下午第2节 ',
    ]);
  });

  test('caps and punches that were not used are told, repeats are not', () => {
    const line = (about: 'day' | 'punch', code: string): ExplanationLine => ({
      ...{ about, session: null, lesson: null, n: null, code },
      params: { cap: 8, told: '08:20', terminal: 'gate', seconds: 60 },
    });
    const lines = [line('punch', 'PUNCH_DUPLICATE'), line('punch', 'PUNCH_CLOCK_UNTRUSTED'), line('day', 'DAY_CAP')];
    expect(reasonsOf(lines)).toHaveLength(2);
  });
});

const poppler = needs('pdftotext');
const reason = notoNeed.reason || poppler.reason;

describe.skipIf(!notoNeed.available || !poppler.available)(`on paper ${reason}`, { timeout: 60_000 }, () => {
  const textOf = (bytes: Uint8Array): string => {
    const file = join(dir, 'record.pdf');
    writeFileSync(file, bytes);
    return spawnSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }).stdout;
  };

  test('one page with hours by day, totals as fractions, reasons in both languages, and no verdict', async () => {
    const { bytes, pages, unprintable } = await traineePdf(recordOf(table, [lesson(1, 'LESSON_LATE')]), openFonts());
    expect([pages, unprintable]).toEqual([1, []]);
    const text = textOf(bytes);
    for (const day of table.days) expect(text).toContain(day.date);
    for (const words of [
      first?.name,
      first?.maskedDocument,
      'BT26031001',
      '迟到超过 15 分钟宽限',
      'later than the grace',
      '须 73.6/92 课时',
      '须 87.4/92 课时',
      '未签名',
    ])
      expect(text).toContain(words);
    expect(text).not.toMatch(/合格|passed/);
  });

  test('thirty class days still fit on one page', async () => {
    const days = Array.from({ length: 30 }, (_, index) => ({
      ...(table.days[index % 9] ?? first),
      date: addDays(table.from, index),
    })) as AttendanceTable['days'];
    const people = table.people.map((person) => ({
      ...person,
      days: days.map((day, index) => ({ ...person.days[index % 9], date: day.date })),
    })) as AttendanceTable['people'];
    const { pages, bytes } = await traineePdf(recordOf({ ...table, days, people }), openFonts());
    expect(pages).toBe(1);
    expect(textOf(bytes)).toContain(days.at(-1)?.date);
  });

  test('the same record gives the same bytes', async () => {
    const make = async (): Promise<Buffer> => Buffer.from((await traineePdf(recordOf(table), openFonts())).bytes);
    expect((await make()).equals(await make())).toBe(true);
  });
});
