/** A backlog is sealed a few batches at a time: between them the page, the terminals and the platform get their turns (P10). */
import { expect, test } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { systemClock } from '../../src/core/time.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createSeal } from '../../src/flows/seal.js';
import { openStore } from '../../src/store/database.js';
import { generateSigningKeyPem, signerFromPem } from '../../src/uplink/envelope.js';
import { DEFAULT_FIELD_SET } from '../../src/uplink/records.js';
import { punch, tempDir } from '../store/fixtures.js';

const BATCHES = 8;

test('while eight batches wait, no more than two are sealed between two turns of the event loop', async () => {
  const wire = systemClock();
  const store = openStore({ dir: tempDir(), clock: wire, software: 'test', log: silentLog() });
  store.transact((tx) => {
    for (let index = 0; index < BATCHES * 500; index += 1) tx.addPunch(punch(index));
  });
  const signer = signerFromPem(generateSigningKeyPem());
  const over = new AbortController();
  const seal = createSeal({
    ...{ upstream: 'city', gw: 'gw7k2m9q4t', aud: 'city-150200', store, clock: wire, wire },
    ...{ fields: DEFAULT_FIELD_SET, signer: () => signer, lingerMs: 0 },
    ...{ journalBell: createDoorbell(wire), outboxBell: createDoorbell(wire) },
  });
  const ended = seal.unit.run(over.signal).catch(() => undefined);
  const heads: number[] = [0];
  while ((heads.at(-1) ?? 0) < BATCHES) {
    heads.push(store.upstream('city')?.headSeq ?? 0);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  over.abort(new Error('enough'));
  await ended;
  store[Symbol.dispose]();
  const steps = heads.slice(1).map((head, index) => head - (heads[index] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(2);
});
