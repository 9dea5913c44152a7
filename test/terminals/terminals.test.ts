/**
 * Every driver's simulator at once, each in a process of its own on its real transport, with random faults, against the
 * daemon as it is delivered: every punch that was given is stored exactly once, memory stays flat, the page of state is right.
 * `npm run test:terminals`; `MINUTES=n` (10), `SEED=n` repeats a run, `TERMINALS_TRACE=file` writes down each fault.
 */
import { randomInt } from 'node:crypto';
import { test } from 'vitest';
import { needs } from '../support/needs.js';
import { attend } from './attend.js';

const socat = needs('socat');
const MINUTES = Number(process.env.MINUTES ?? 10);
const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));

test.skipIf(!socat.available)(
  `eleven terminals for ${MINUTES} minutes with random faults, seed ${SEED} ${socat.reason}`,
  { timeout: MINUTES * 60_000 + 900_000 },
  () =>
    attend({
      records: 200,
      plan: {
        seed: SEED,
        lengthMs: MINUTES * 60_000,
        punchMs: 4000,
        faultMs: 10_000,
        faultForMs: 15_000,
        faultsAtOnce: 2,
      },
      drainMs: 300_000,
    }),
);
