/** The thread that reads: answers, refuses, is ended by deadline and signal, and holds its memory. Uses the thread of the build. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/time.js';
import { readSheet, workerFile } from '../../src/sheets/read-sheet.js';
import { createFakeClock } from '../support/fake-clock.js';
import { bookBytes } from './workbooks.js';

const files = new URL('./files/', import.meta.url).pathname;
const dist = new URL('../../dist/', import.meta.url).pathname;
const clock = systemClock();
const signal = new AbortController().signal;
const dir = mkdtempSync(join(tmpdir(), 'rollcall-sheets-'));
const put = (name: string, bytes: Buffer | string): string => {
  writeFileSync(join(dir, name), bytes);
  return join(dir, name);
};

describe('the reading thread', () => {
  test('is a file of the build, from source and from the build alike', () => {
    expect(workerFile()).toBe(join(dist, 'sheets/sheet-worker.js'));
    expect(existsSync(workerFile())).toBe(true);
  });

  test('gives the table', async () => {
    const sheet = await readSheet(join(files, 'roster-60.xlsx'), { signal, clock });
    expect(sheet).toMatchObject({ format: 'xlsx', sheetName: '花名册', sizeBytes: 7702 });
    expect(sheet.rows).toHaveLength(63);
  });

  test('refuses with code and context, and a name says nothing', async () => {
    await expect(readSheet(put('a.xlsx', '姓名,学号\n"x'), { signal, clock })).rejects.toMatchObject({
      code: 'sheet-quotes',
      kind: 'settings',
    });
    await expect(readSheet(join(dir, 'none.csv'), { signal, clock })).rejects.toMatchObject({
      code: 'sheet-unreadable',
    });
    await expect(readSheet(dir, { signal, clock })).rejects.toMatchObject({ code: 'sheet-unreadable' });
    await expect(
      readSheet(put('big.csv', Buffer.alloc(5 * 1024 * 1024 + 1, 'a')), { signal, clock }),
    ).rejects.toMatchObject({
      code: 'sheet-too-big',
    });
  });

  test('ends at the deadline', async () => {
    const fake = createFakeClock();
    const reading = readSheet(join(files, 'roster-60.xlsx'), { signal, clock: fake });
    const late = expect(reading).rejects.toMatchObject({ code: 'sheet-heavy', context: { limit: '20 s' } });
    await fake.advance(20_000);
    await late;
    expect(fake.sleepers).toBe(0);
  });

  test('ends with its signal', async () => {
    const stop = new AbortController();
    const reading = readSheet(join(files, 'roster-60.xlsx'), { signal: stop.signal, clock });
    const stopped = expect(reading).rejects.toThrow('enough');
    stop.abort(new Error('enough'));
    await stopped;
    await expect(readSheet(join(files, 'none'), { signal: stop.signal, clock })).rejects.toThrow('enough');
  });

  test('a heap that overflows is a refusal, not the end of the program', async () => {
    // A list of short texts that is allowed by its bytes and holds many more objects than a table could.
    const texts = `<si><t>${'</t></si><si><t>'.repeat(900_000)}</t></si>`;
    const error = await readSheet(put('texts.xlsx', bookBytes({ texts })), { signal, clock }).catch(
      (one: unknown) => one,
    );
    expect(error).toMatchObject({ kind: 'settings', code: expect.stringMatching(/^sheet-(?:bomb|heavy)$/) as string });
  });

  test('reading the largest table and the worst bombs stays within 128 MiB', () => {
    const wide = Array.from({ length: 2000 }, (_, row) =>
      Array.from({ length: 64 }, (__, column) => `${row}x${column}`),
    );
    const rows = wide.map(
      (row, index) =>
        `<row r="${index + 1}">${row.map((text) => `<c t="inlineStr"><is><t>${text}</t></is></c>`).join('')}</row>`,
    );
    const paths = [
      put('wide.xlsx', bookBytes({ sheets: [{ data: rows.join('') }] })),
      put('wide.csv', wide.map((row) => row.join(',')).join('\n')),
      put(
        'spaces.xlsx',
        bookBytes({ parts: [{ name: 'xl/worksheets/sheet1.xml', data: `<x>${' '.repeat(40_000_000)}</x>` }] }),
      ),
      put('quote.csv', `"${'a,\n'.repeat(1_700_000)}`),
    ];
    const script = `
      import { readSheet } from ${JSON.stringify(join(dist, 'sheets/read-sheet.js'))};
      import { systemClock } from ${JSON.stringify(join(dist, 'core/time.js'))};
      const options = { signal: new AbortController().signal, clock: systemClock() };
      const before = process.resourceUsage().maxRSS;
      const results = [];
      for (const path of ${JSON.stringify(paths)}) results.push(await readSheet(path, options).then((one) => one.rows.length, (error) => error.code));
      console.log(JSON.stringify({ results, grownMiB: (process.resourceUsage().maxRSS - before) / 1024 }));`;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    const { results, grownMiB } = JSON.parse(ran.stdout) as { results: unknown[]; grownMiB: number };
    expect(results).toEqual([2000, 2000, 'sheet-bomb', 'sheet-quotes']);
    expect(grownMiB).toBeLessThan(128);
  });
});
