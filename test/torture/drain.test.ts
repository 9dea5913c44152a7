/**
 * The torture: 200 000 punches from a terminal to the platform while daemon, platform and broker are killed in turn, twelve
 * times and more (upstream §22, item 2). Nothing may be lost, nothing stored twice, and nothing wait at the end.
 * `TORTURE_SEED=n` repeats a run, `TORTURE_RECORDS=n` makes a shorter one, `TORTURE_TRACE=1` tells of each kill.
 */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { needs } from '../support/needs.js';
import { campaign, inTurn, seededRandom } from './campaign.js';
import { openTown } from './town.js';

const mosquitto = needs('mosquitto');
const RECORDS = Number(process.env.TORTURE_RECORDS ?? 200_000);
const SEED = Number(process.env.TORTURE_SEED ?? randomInt(2 ** 31));
const ROUNDS = 5;

test.skipIf(!mosquitto.available)(
  `${RECORDS} punches arrive once each while daemon, platform and broker are killed ${ROUNDS * 3} times ${mosquitto.reason}`,
  async () => {
    await using town = await openTown({ records: RECORDS, users: 500, terminal: ['packetPauseMs=0'] });
    const truth = await town.truth();
    expect(new Set(truth).size, 'the terminal itself must hold different punches').toBe(RECORDS);

    const kills = inTurn(ROUNDS, seededRandom(SEED));
    const report = await campaign(town, {
      ...{ seed: SEED, records: RECORDS, kills, killsByReading: 6, deadlineMs: 780_000 },
    });
    const pending = (await town.status())?.pendingRecords;
    expect(await town.daemon.stop()).toEqual({ code: 0, signal: null });
    const verified = await town.verify();
    for (const platform of town.platforms) expect(await platform.stop()).toEqual({ code: 0, signal: null });
    const { identities, counts, chain } = town.received();

    const { seconds, resends, whileReading, whileDraining } = report;
    const answers = town.answerMs();
    const p95 = answers[Math.floor(answers.length * 0.95)] ?? 0;
    console.log(
      `torture: seed ${SEED}, ${RECORDS} punches in ${counts.batches} batches, kills ${JSON.stringify(report.kills)} ` +
        `(${whileReading} while reading, ${whileDraining} while draining), ${resends} resend timers, ${seconds.toFixed(1)} s ` +
        `(${Math.round(RECORDS / seconds)} punches/s), daemon ready in ${town.readyMs.join(', ')} ms, ` +
        `/readyz p95 ${p95} ms, slowest ${answers.at(-1) ?? 0} ms`,
    );
    expect(pending, 'outbox').toBe(0);
    expect(identities.length, 'lost, or stored twice').toBe(truth.length);
    expect(identities.every((one, index) => one === truth[index])).toBe(true);
    expect(counts).toMatchObject({ punches: RECORDS, repeated: 0, quarantined: 0, early: 0, parked: 0, forks: 0 });
    expect(chain).toMatchObject({ ok: true, faults: [] });
    expect(chain.epochs.length, 'no database was ever begun anew').toBe(1);
    expect(verified.code, verified.tail).toBe(0);
    expect(JSON.parse(verified.line)).toMatchObject({ ok: true, batches: counts.batches, firstFault: null });
    expect(whileReading, 'kills while the terminal was read').toBeGreaterThanOrEqual(3);
    expect(whileDraining, 'kills while something was unacknowledged').toBeGreaterThanOrEqual(12);
    expect(Math.max(...town.readyMs), 'ready after a kill').toBeLessThanOrEqual(10_000);
  },
);
