/**
 * Two receivers on one shared subscription and one database: a gateway's batches reach them in any order, one of them dies
 * for good halfway, and the result is the same (upstream §15; §22, item 3).
 */
import { expect, test } from 'vitest';
import { eventually } from '../support/process.js';
import { needs } from '../support/needs.js';
import { openTown } from '../torture/town.js';

const mosquitto = needs('mosquitto');
const RECORDS = 6000;

test.skipIf(!mosquitto.available)(
  `two platform workers share what one gateway sends, and one of them dies ${mosquitto.reason}`,
  { timeout: 120_000 },
  async () => {
    await using town = await openTown({
      ...{ records: RECORDS, users: 100, platforms: 2, terminal: ['packetPauseMs=10'] },
    });
    const [survivor, victim] = town.platforms;
    if (!survivor || !victim) throw new Error('two platforms were asked for');
    await town.daemon.start();
    const until = (what: string, records: number): Promise<unknown> =>
      eventually(
        what,
        60_000,
        async () => {
          const status = await town.status();
          const acknowledged = status === null ? 0 : status.journal.n - status.pendingRecords;
          return status !== null && acknowledged >= records ? status : null;
        },
        { explain: () => town.explain() },
      );
    await until('a third is acknowledged', RECORDS / 3);
    await victim.kill();
    await until('all is acknowledged', RECORDS);
    await eventually('the outbox is empty', 30_000, async () => {
      const status = await town.status();
      return status?.pendingRecords === 0 && status.punches === RECORDS ? true : null;
    });
    const truth = await town.truth();
    expect(await survivor.stop()).toEqual({ code: 0, signal: null });
    const { identities, counts, chain } = town.received();
    expect(identities).toEqual(truth);
    expect(counts).toMatchObject({ punches: RECORDS, repeated: 0, early: 0, parked: 0, forks: 0 });
    expect(chain).toMatchObject({ ok: true, faults: [] });
    expect(await town.daemon.stop()).toEqual({ code: 0, signal: null });
  },
);
