import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { needs } from '../support/needs.js';

const here = new URL('../../systemd/', import.meta.url).pathname;
const analyze = needs('systemd-analyze');
const UNITS = ['rollcall.service', 'rollcall-check.service', 'rollcall-check.timer'];

/** The units with the node of this machine in them, so that only the units themselves are judged. */
function copyOfUnits(edit: (text: string) => string = (text) => text): string {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-units-'));
  for (const unit of UNITS) {
    cpSync(join(here, unit), join(dir, unit));
    const text = readFileSync(join(here, unit), 'utf8').replaceAll('/usr/bin/node', process.execPath);
    writeFileSync(join(dir, unit), edit(text));
  }
  return dir;
}

function exposure(file: string): number {
  const result = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', file], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  const level = /exposure level for \S+ (\d+\.\d+)/.exec(result.stdout)?.[1];
  return level === undefined ? Number.NaN : Number(level);
}

function complaints(dir: string): string {
  const files = UNITS.map((unit) => join(dir, unit));
  const result = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8', timeout: 60_000 });
  return result.stderr
    .split('\n')
    .filter((line) => line.includes('rollcall'))
    .join('\n');
}

describe(`units ${analyze.reason}`, () => {
  test.skipIf(!analyze.available)('the sandbox of the daemon is at most 2.0', () => {
    expect(exposure(join(here, 'rollcall.service'))).toBeLessThanOrEqual(2.0);
    expect(exposure(join(here, 'rollcall-check.service'))).toBeLessThanOrEqual(2.0);
    const bare = copyOfUnits((text) =>
      text.replace(/^(?:Protect|Restrict|Capability|SystemCall|NoNew|Private).*$/gm, ''),
    );
    expect(exposure(join(bare, 'rollcall.service'))).toBeGreaterThan(5);
  });

  test.skipIf(!analyze.available)('systemd understands every line', () => {
    expect(complaints(copyOfUnits())).toBe('');
    expect(complaints(copyOfUnits((text) => text.replace('[Service]', '[Service]\nProtectSytem=strict')))).toContain(
      'ProtectSytem',
    );
  });
});

test('the unit keeps what the program relies on', () => {
  const unit = readFileSync(join(here, 'rollcall.service'), 'utf8');
  for (const line of [
    'Type=notify',
    'NotifyAccess=all',
    'WatchdogSec=60',
    'Restart=always',
    'UMask=0077',
    'StateDirectory=rollcall',
    'StateDirectoryMode=0700',
    'SupplementaryGroups=dialout',
    'DevicePolicy=closed',
    'DeviceAllow=char-ttyUSB rw',
    'DeviceAllow=char-ttyACM rw',
    'DeviceAllow=char-ttyS rw',
  ]) {
    expect(unit.split('\n')).toContain(line);
  }
  // The JIT compiler of V8 dies under it, and a start that fails on wrong settings would keep the page from showing them.
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute|^ExecStartPre/m);
});
