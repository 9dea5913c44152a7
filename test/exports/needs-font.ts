/** Whether the font of Debian's fonts-noto-cjk is here; in CI a missing one is a failure, not a skip. */
import { existsSync } from 'node:fs';
import type { Need } from '../support/needs.js';

export const NOTO = '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc';

const found = existsSync(NOTO);
if (!found && process.env.CI !== undefined) throw new Error('CI must install fonts-noto-cjk');

export const notoNeed: Need = { available: found, reason: found ? '' : 'skipped: fonts-noto-cjk is not installed' };
