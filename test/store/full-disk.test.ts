/** A disk that is really full: a small file system in memory, where mounting is allowed. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/store/database.js';
import { createFakeClock } from '../support/fake-clock.js';
import { punch, tempDir } from './fixtures.js';

function mountSmall(): string | null {
  const dir = tempDir();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', dir]).status !== 0) return null;
  onTestFinished(() => void spawnSync('umount', [dir]));
  return dir;
}

function fill(path: string): void {
  const fd = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1; size = size / 16) {
      const chunk = Buffer.alloc(size);
      for (let full = false; !full;) {
        try {
          writeSync(fd, chunk);
        } catch {
          full = true;
        }
      }
    }
  } finally {
    closeSync(fd);
  }
}

test('on a full disk the reserve lets the store start and take punches; it comes back with space', (context) => {
  const dir = mountSmall();
  if (dir === null) return context.skip('skipped: mounting is not allowed here');
  const options = { dir: join(dir, 'data'), clock: createFakeClock(), software: 'test' };
  const reserve = join(options.dir, 'reserve');
  const first = openStore(options);
  first.transact((tx) => tx.addPunch(punch(0)));
  first.maintain();
  expect(statSync(reserve).size).toBe(16 * 1024 * 1024);
  first[Symbol.dispose]();
  fill(join(dir, 'filler'));
  const second = openStore(options);
  expect(existsSync(reserve)).toBe(false);
  expect(second.transact((tx) => tx.addPunch(punch(1)))).toBe(4);
  fill(join(dir, 'filler2'));
  const more = (): void => {
    for (let index = 0; index < 3000; index += 1) second.transact((tx) => tx.addPunch(punch(100 + index)));
  };
  expect(more).toThrow(expect.objectContaining({ code: 'store-failed', kind: 'storage' }) as Error);
  const { n } = second.head();
  expect(second.facts(n - 1, 1)).toHaveLength(1);
  for (const name of ['filler', 'filler2']) rmSync(join(dir, name));
  expect(second.transact((tx) => tx.addPunch(punch(9000)))).toBe(n + 1);
  second.maintain();
  expect(existsSync(reserve)).toBe(true);
  second[Symbol.dispose]();
});
