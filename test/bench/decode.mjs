/**
 * 100 000 records of 40 bytes in memory: our decoding to punches beside the loops of node-zklib and zkteco-js over their own
 * `decodeRecordData40`, on the same bytes, in turns in one process. We make more of a record: method, direction, raw bytes, a text
 * that keeps impossible dates; they make a Date, or its text, and drop ids beyond nine characters.
 */
import { zkStandalone } from '../../dist/drivers/zk-standalone/driver.js';
import { makePunch } from '../../dist/drivers/zk-standalone/punches.js';
import { decodeAttendance, encodeAttendance } from '../../dist/drivers/zk-standalone/records.js';
import { HISTORY_END, simulatedHistory } from '../../dist/demo/people.js';
import { median, PEERS, peerModule, ratio } from './measure.mjs';

const RECORD_BYTES = 40;
const ROUNDS = 9;
const MODULES = { 'node-zklib': 'node-zklib/utils.js', 'zkteco-js': 'zkteco-js/src/helper/utils.js' };

const { encoding } = zkStandalone.options.parse({});

function ours(data) {
  const punches = [];
  for (let at = 0; at + RECORD_BYTES <= data.length; at += RECORD_BYTES) {
    const record = decodeAttendance(data.subarray(at, at + RECORD_BYTES), false, encoding);
    punches.push(makePunch(record, { users: null, directionMap: undefined, source: 'poll' }).punch);
  }
  return punches;
}

/** The loop of their getAttendances. */
const peer =
  ({ decodeRecordData40 }) =>
  (data) => {
    let recordData = data;
    const records = [];
    while (recordData.length >= RECORD_BYTES) {
      const record = decodeRecordData40(recordData.subarray(0, RECORD_BYTES));
      records.push({ ...record, ip: '127.0.0.1' });
      recordData = recordData.subarray(RECORD_BYTES);
    }
    return records;
  };

export function benchDecode(count) {
  const data = Buffer.concat(
    simulatedHistory(count, 500, HISTORY_END).map(({ userId, wallTime }, index) =>
      encodeAttendance({ uid: index % 500, userId, verify: 15, state: 0, wallTime }, RECORD_BYTES),
    ),
  );
  const rows = [{ name: 'rollcall', decode: ours, ms: [] }];
  for (const name of PEERS) {
    const found = peerModule(MODULES[name]);
    if (found) rows.push({ name, decode: peer(found), ms: [] });
  }
  for (let round = 0; round < ROUNDS + 1; round += 1)
    for (const row of rows) {
      const began = performance.now();
      const { length } = row.decode(data);
      // The first round warms up.
      if (round > 0) row.ms.push(performance.now() - began);
      if (length !== count) throw new Error(`${row.name} decoded ${length} of ${count} records`);
    }
  const base = median(rows[0].ms);
  for (const { name, ms } of rows)
    console.log(
      `decode ${count} records: ${name.padEnd(12)} ${median(ms).toFixed(0).padStart(5)} ms (${ratio(median(ms), base)})   ` +
        `best ${Math.min(...ms).toFixed(0)} ms`,
    );
}
