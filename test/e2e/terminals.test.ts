/** The short form of `npm run test:terminals`: all eleven simulators at once, a fixed seed, faults that heal quickly. */
import { test } from 'vitest';
import { attend } from '../terminals/attend.js';
import { needs } from '../support/needs.js';

const socat = needs('socat');

test.skipIf(!socat.available)(
  `eleven terminals at once, with faults: every punch is stored once ${socat.reason}`,
  { timeout: 420_000 },
  () =>
    attend({
      records: 60,
      plan: { seed: 20_260_901, lengthMs: 30_000, punchMs: 3000, faultMs: 8000, faultForMs: 5000, faultsAtOnce: 1 },
      drainMs: 180_000,
    }),
);
