/**
 * Every driver's simulator at once, each in a process of its own on its real transport, with random faults, against the
 * daemon as it is delivered: every punch that was given is stored exactly once, memory stays flat, the page of state is right.
 * `npm run test:terminals`; `MINUTES=n` (10), `SEED=n` repeats a run, `TERMINALS_TRACE=file` writes down each fault.
 */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { needs } from '../support/needs.js';
import { attend } from './attend.js';
import { openClassroom } from './classroom.js';
import { FLEET } from './fleet.js';
import { play } from './play.js';

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

test.skipIf(!socat.available)(
  `a terminal that keeps records back is found out ${socat.reason}`,
  { timeout: 600_000 },
  async () => {
    const seat = FLEET.find(({ driver }) => driver === 'hanvon-faceid');
    if (!seat) throw new Error('no such terminal');
    await using room = await openClassroom({ records: 40, seed: 1 });
    await room.tell(seat, { do: 'fault', name: 'truncate-dataset', value: '3' });
    const plan = { seed: 1, lengthMs: 5000, punchMs: 2000, faultMs: 1000, faultForMs: 1000, faultsAtOnce: 0 };
    const { wrong } = await play(room, { plan, drainMs: 20_000 });
    expect(wrong.filter((one) => one.startsWith(`${seat.id}:`))).toEqual([
      expect.stringMatching(/read-incomplete.* 3 not stored/s),
    ]);
  },
);
