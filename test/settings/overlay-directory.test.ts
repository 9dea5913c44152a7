/** A `conf.d` that cannot be listed is a fault like any other: a gateway that runs must survive a reload with it. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFiles, type SettingsFault } from '../../src/settings/files.js';

test('a conf.d that is no directory is told, and nothing is thrown', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-conf-'));
  const main = join(dir, 'gateway.yaml');
  writeFileSync(main, 'site: { name: A }\n');
  writeFileSync(join(dir, 'conf.d'), '');
  const faults: SettingsFault[] = [];
  expect(readFiles(main, faults, new Set())).not.toBeNull();
  expect(faults).toMatchObject([{ unit: null, severity: 'error', code: 'settings-unreadable' }]);
});
