/** The list of faults that a driver declares is what its simulator understands and what its README tells. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WIRE_FAULTS } from '../../src/drivers/faults.js';
import { DRIVERS } from '../../src/drivers/index.js';

const drivers = join(new URL('../../', import.meta.url).pathname, 'src', 'drivers');
const ASKED = /(?:faults\.(?:has|get)\(|faultFires\(state, |faultNumber\(state, |number\()'([a-z-]+)'/g;
const SWITCHED = /^ {4}case '([a-z-]+)':$/gm;

const namesIn = (file: string, pattern: RegExp): readonly string[] =>
  [...readFileSync(file, 'utf8').matchAll(pattern)].map((match) => match[1] ?? '');

test('the faults of the wire are those it asks for', () => {
  expect(new Set(namesIn(join(drivers, 'faults.ts'), ASKED))).toEqual(new Set(WIRE_FAULTS));
});

describe.each(DRIVERS)('$name', (driver) => {
  const folder = join(drivers, driver.name);

  test('its simulator understands exactly the faults it declares', () => {
    const files = readdirSync(folder).filter((file) => /^(?:simulator|device).*\.ts$/.test(file));
    const asked = files.flatMap((file) => namesIn(join(folder, file), ASKED));
    const switched = files
      .filter((file) => file === 'simulator-state.ts')
      .flatMap((file) => namesIn(join(folder, file), SWITCHED));
    expect(new Set([...WIRE_FAULTS, ...asked, ...switched])).toEqual(new Set(driver.faults));
  });

  test('its README names each of them', () => {
    const told = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(driver.faults.filter((fault) => !told.includes(`\`${fault}\``))).toEqual([]);
  });
});
