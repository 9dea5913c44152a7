/** A rig with a terminal of zk-standalone, and a watcher that follows its live punches in the background. */
import type { Finding, PunchRecord } from '../../src/drivers/driver.js';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import { createRig, history, keyOf, readPages, type Connection, type Rig, type RigOptions } from './rig.js';

export type ZkRig = ReturnType<typeof zkRig>;
export const zkRig = (options: RigOptions = {}) => createRig(zkStandalone, { records: history(60), ...options });
export const keys = (punches: readonly PunchRecord[]): string[] => [...new Set(punches.map(keyOf))].sort();
export const truth = (rig: ZkRig): string[] => [...new Set(rig.terminal.records().map(keyOf))].sort();
export const codes = (findings: readonly Finding[]): string[] =>
  [...new Set(findings.map((finding) => finding.code))].sort();

export async function open<Options>(rig: Rig<Options>): Promise<Connection> {
  return rig.run(async () => {
    const connection = await rig.connect();
    await connection.session.identify();
    return connection;
  });
}

/** Follows in the background; `until` waits for a number of different punches. */
export function follow(rig: ZkRig, connection: Connection) {
  const seen = new Map<string, PunchRecord>();
  const drained: (string | number | boolean | null | undefined)[] = [];
  let error: unknown = null;
  const done = readPages(connection, null, { follow: true }, (pages) => {
    const page = pages.at(-1);
    for (const punch of page?.punches ?? []) seen.set(keyOf(punch), punch);
    if (page?.drained) drained.push(page.cursor?.epoch);
    return false;
  }).catch((thrown: unknown) => (error = thrown));
  return {
    seen,
    drained,
    failure: () => error,
    pass: (ms: number) => rig.run(rig.clock.sleep(ms, new AbortController().signal), 2 * ms),
    async stop() {
      connection.abort();
      await rig.run(done);
      await rig.run(connection.close());
    },
  };
}
