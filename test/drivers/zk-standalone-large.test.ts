/** A hundred thousand records, three megabytes, written in three ways: the gateway must hold the same punches. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import { createRig, history, keyOf, readPages } from './rig.js';

const COUNT = 100_000;
const records = history(COUNT);
const digest = (keys: readonly string[]): string => createHash('sha256').update(keys.join('\n')).digest('hex');
const expected = digest(records.map(keyOf));

describe.each([
  { name: 'paced, packet by packet', faults: {}, simulatorOptions: { packetBytes: 1008 } },
  { name: 'joined into large writes', faults: { coalesce: '' }, simulatorOptions: { packetBytes: 65_536 } },
  { name: 'seven bytes at a time', faults: { fragment: '7' }, simulatorOptions: { packetBytes: 4096 } },
] as { name: string; faults: Record<string, string>; simulatorOptions: Record<string, unknown> }[])(
  '100 000 records $name',
  ({ faults, simulatorOptions }) => {
    test('give the same 100 000 punches, in order, in pages of at most a thousand', async () => {
      const rig = createRig(zkStandalone, { records, faults, simulatorOptions });
      const pageSizes: number[] = [];
      const keys: string[] = [];
      const count = await rig.run(async () => {
        const connection = await rig.connect();
        const { pages } = await readPages(connection, null, { follow: false }, (taken) => {
          const page = taken.at(-1);
          pageSizes.push(page?.punches.length ?? 0);
          keys.push(...(page?.punches ?? []).map(keyOf));
          return false;
        });
        await connection.close();
        return pages.at(-1)?.count;
      });
      expect(count).toEqual({ announced: COUNT, decoded: COUNT });
      expect(keys.length).toBe(COUNT);
      expect(digest(keys)).toBe(expected);
      expect(Math.max(...pageSizes)).toBeLessThanOrEqual(1000);
      expect(rig.findings.filter((finding) => finding.code !== 'memory-low')).toEqual([]);
    }, 120_000);
  },
);

test.each([{}, { lose: '0.01', repeat: '0.01', reorder: '0.01' }] as Record<string, string>[])(
  '20 000 records over datagrams with %o are the same 20 000 punches, in order',
  async (faults) => {
    const some = records.slice(0, 20_000);
    const rig = createRig(zkStandalone, { records: some, faults, datagrams: true });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(pages.at(-1)?.count).toEqual({ announced: 20_000, decoded: 20_000 });
    expect(digest(punches.map(keyOf))).toBe(digest(some.map(keyOf)));
  },
  120_000,
);
