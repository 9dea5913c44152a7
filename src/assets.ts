/**
 * A step of the build, not of the program: copies what the compiler leaves behind (SQL) from `src/` to the same place in `dist/`,
 * so that both find their files beside themselves. Run as `node dist/assets.js`.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENDINGS = ['.sql'];
const source = fileURLToPath(new URL('../src/', import.meta.url));
const target = fileURLToPath(new URL('./', import.meta.url));

for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
  if (!ENDINGS.some((ending) => name.endsWith(ending))) continue;
  mkdirSync(dirname(join(target, name)), { recursive: true });
  copyFileSync(join(source, name), join(target, name));
}
