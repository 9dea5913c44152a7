/** The attendance table as PDF: read back with poppler, as an office would search, copy and print it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { attendancePdf } from '../../src/exports/attendance-pdf.js';
import type { AttendanceTable } from '../../src/exports/attendance.js';
import { openFonts } from '../../src/exports/fonts.js';
import { needs } from '../support/needs.js';
import { attendanceFixture, DATES, HARD_NAMES } from './fixture.js';
import { notoNeed } from './needs-font.js';

const poppler = needs('pdftotext');
const zbar = needs('zbarimg');
const reason = notoNeed.reason || poppler.reason;

const dir = mkdtempSync(join(tmpdir(), 'rollcall-pdf-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function poppled(program: string, bytes: Uint8Array, ...args: string[]): string {
  const file = join(dir, 'table.pdf');
  writeFileSync(file, bytes);
  const { stdout, status } = spawnSync(program, [...args, file, ...(program === 'pdftotext' ? ['-'] : [])], {
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  return stdout;
}

const pagesOf = (bytes: Uint8Array): readonly string[] =>
  poppled('pdftotext', bytes, '-layout').split('\f').slice(0, -1);
/** Text of a cell may be broken into lines. */
const plain = (text: string): string => text.replace(/\s+/g, '');

const small = attendanceFixture(9);
const signed: AttendanceTable = { ...small, token: `eyJhbGciOiJFZERTQSJ9.${'a'.repeat(560)}.${'b'.repeat(86)}` };

describe.skipIf(!notoNeed.available || !poppler.available)(
  `attendance table as PDF ${reason}`,
  { timeout: 60_000 },
  () => {
    test('a class of sixty is a small file with embedded subsets, and every name can be searched', async () => {
      const table = attendanceFixture();
      const { bytes, pages, unprintable } = await attendancePdf(table, { variant: 'times', fonts: openFonts() });
      expect(bytes.length).toBeLessThan(1_000_000);
      expect(unprintable).toEqual([]);
      const fonts = poppled('pdffonts', bytes).trim().split('\n').slice(2);
      expect(fonts.length).toBeGreaterThan(0);
      for (const font of fonts) expect(font).toMatch(/NotoSansCJKsc-.* yes yes yes/);
      const texts = pagesOf(bytes);
      expect(texts).toHaveLength(pages);
      const all = plain(texts.join(''));
      for (const { maskedDocument } of table.people) expect(all).toContain(maskedDocument);
      for (const name of HARD_NAMES.filter((one) => one.length < 8)) expect(all).toContain(name);
    });

    test('every page says what it is, who signs and which of how many it is', async () => {
      const { bytes, pages } = await attendancePdf(small, { variant: 'times', fonts: openFonts() });
      pagesOf(bytes).forEach((text, index) => {
        expect(text).toContain(`${small.institution} 学员考勤表`);
        expect(text).toContain(small.classNo);
        expect(text).toContain(`第 ${String(index + 1)} 页 共 ${String(pages)} 页`);
        for (const words of [
          '班主任（签字）',
          '培训机构（盖章）',
          '监管人员（签字）',
          small.digest,
          'baotou-2023',
          '图例',
        ])
          expect(text).toContain(words);
      });
    });

    test('at most five class days stand on a sheet, with the sums of each slot below', async () => {
      const { bytes } = await attendancePdf(small, { variant: 'times', fonts: openFonts() });
      const sheets = pagesOf(bytes).filter((text) => text.includes('累计课时'));
      const days = sheets.map((text) => [...text.matchAll(/\d+月\d+日/g)].length);
      expect(days).toEqual([5, 5, 2]);
      for (const sheet of sheets) for (const words of ['应到', '实到', '95%线']) expect(sheet).toContain(words);
      expect(sheets[0]).not.toContain('合格');
    });

    test('times, marks and summary show times, marks and no days', async () => {
      const fonts = openFonts();
      const text = async (variant: 'times' | 'marks' | 'summary'): Promise<string> =>
        pagesOf((await attendancePdf(small, { variant, fonts })).bytes)[0] ?? '';
      expect(await text('times')).toMatch(/\d\d:\d\d/);
      const marks = await text('marks');
      expect(marks).toContain('√');
      expect(marks).not.toMatch(/\d\d:\d\d/);
      const summary = await text('summary');
      expect(summary).toContain('补签课时');
      expect(summary).not.toContain('3月2日');
    });

    test('make-ups with their approver and the notes follow on pages of their own; empty lists say so', async () => {
      const { bytes } = await attendancePdf(small, { variant: 'summary', fonts: openFonts() });
      const [, makeups = '', notes = ''] = pagesOf(bytes);
      expect(makeups).toContain('东方主任');
      expect(notes).toContain('NO_APPROVAL');
      expect(notes).toContain(small.notes[0]?.text);
      const bare = await attendancePdf(
        { ...small, makeups: [], flags: [] },
        { variant: 'summary', fonts: openFonts() },
      );
      expect(
        pagesOf(bare.bytes)
          .slice(1)
          .every((text) => text.includes('无 none')),
      ).toBe(true);
    });

    test('the same table gives the same bytes', async () => {
      const make = async (): Promise<Uint8Array> =>
        (await attendancePdf(small, { variant: 'marks', fonts: openFonts() })).bytes;
      expect(Buffer.from(await make()).equals(Buffer.from(await make()))).toBe(true);
    });

    test('a character that no font has is told by number, column and code point, and marked in the remarks', async () => {
      const name = '王\u{31350}青';
      const people = small.people.map((person) => (person.no === 2 ? { ...person, name } : person));
      const { bytes, unprintable } = await attendancePdf(
        { ...small, people },
        { variant: 'summary', fonts: openFonts() },
      );
      expect(unprintable).toEqual([{ traineeNo: small.people[1]?.traineeNo, column: '姓名', codePoints: ['U+31350'] }]);
      expect(JSON.stringify(unprintable)).not.toContain('青');
      const [text = ''] = pagesOf(bytes);
      expect(text).toContain('王〓青');
      expect(text).toContain('U+31350');
    });

    test('a provisional table says so, in the title and at each open hour', async () => {
      const people = small.people.map((person) => ({
        ...person,
        days: person.days.map((day) => (day.date === DATES[0] ? { ...day, status: 'provisional' as const } : day)),
      }));
      const table: AttendanceTable = { ...small, people, status: 'provisional' };
      const [text = ''] = pagesOf((await attendancePdf(table, { variant: 'times', fonts: openFonts() })).bytes);
      expect(text).toContain('临时');
      expect(text).toMatch(/\d\*/);
    });

    test.skipIf(!zbar.available)(
      `every page carries the QR code, and a scanner reads it from print ${zbar.reason}`,
      async () => {
        const { bytes, pages } = await attendancePdf(signed, { variant: 'summary', fonts: openFonts() });
        const file = join(dir, 'scan.pdf');
        writeFileSync(file, bytes);
        expect(spawnSync('pdftoppm', ['-r', '200', '-png', file, join(dir, 'scan')]).status).toBe(0);
        for (let page = 1; page <= pages; page += 1) {
          const { stdout } = spawnSync('zbarimg', ['--raw', '-q', join(dir, `scan-${String(page)}.png`)], {
            encoding: 'utf8',
          });
          expect(stdout.trim()).toBe(signed.token);
        }
      },
    );
  },
);
