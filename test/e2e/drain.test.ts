/**
 * The short form of the torture (test/torture): real processes, one kill of each kind while punches flow, and the platform
 * holds exactly what the terminal holds.
 */
import { expect, test } from 'vitest';
import { campaign } from '../torture/campaign.js';
import { openTown } from '../torture/town.js';
import { needs } from '../support/needs.js';

const mosquitto = needs('mosquitto');
const RECORDS = 5000;
const SEED = 20_260_901;

test.skipIf(!mosquitto.available)(
  `${RECORDS} punches arrive once each while daemon, platform and broker are killed ${mosquitto.reason}`,
  { timeout: 120_000 },
  async () => {
    // A slow terminal, so that there is time to kill while it is read.
    await using town = await openTown({ records: RECORDS, users: 100, terminal: ['packetPauseMs=15'] });
    const truth = await town.truth();
    const report = await campaign(town, {
      ...{ seed: SEED, records: RECORDS, kills: ['broker', 'daemon', 'platform'], killsByReading: 3 },
      deadlineMs: 100_000,
    });
    const pending = (await town.status())?.pendingRecords;
    expect(await town.daemon.stop()).toEqual({ code: 0, signal: null });
    const verified = await town.verify();
    for (const platform of town.platforms) expect(await platform.stop()).toEqual({ code: 0, signal: null });
    const { identities, counts, chain } = town.received();

    expect(report.kills).toEqual({ daemon: 1, platform: 1, broker: 1 });
    expect(report.whileReading).toBeGreaterThanOrEqual(1);
    expect(report.whileDraining).toBe(3);
    expect(pending).toBe(0);
    expect(truth.length).toBe(RECORDS);
    expect(identities).toEqual(truth);
    expect(counts).toMatchObject({ punches: RECORDS, repeated: 0, quarantined: 0, early: 0, parked: 0, forks: 0 });
    expect(chain).toMatchObject({ ok: true, faults: [] });
    expect(chain.epochs.length).toBe(1);
    expect(verified.code, verified.tail).toBe(0);
    expect(Math.max(...town.readyMs), 'ready after a kill').toBeLessThanOrEqual(10_000);
  },
);
