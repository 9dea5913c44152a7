/**
 * One whole read of a ZKTeco terminal by one client, in a process of its own: `node clients.mjs CLIENT PORT`. Prints one line of JSON:
 * the time from the first byte to the last record, and the records as `{ id, wall }` compared with what the simulator holds.
 * The peers are used as their READMEs show: createSocket, getAttendances.
 */
/* global AbortController */
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { systemClock } from '../../dist/core/time.js';
import { HISTORY_END, simulatedHistory } from '../../dist/demo/people.js';
import { zkStandalone } from '../../dist/drivers/zk-standalone/driver.js';

const HOST = '127.0.0.1';
const TIMEOUT_MS = 10_000;
const require = createRequire(import.meta.url);
const two = (value) => String(value).padStart(2, '0');

/** A Date, or its text, to the terminal's own words; run with TZ=UTC. */
function wallOf(told) {
  const at = new Date(told);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

async function ours(port) {
  const socket = connect({ host: HOST, port, noDelay: true });
  const wire = {
    clock: systemClock(),
    note: () => undefined,
    zone: 'Asia/Shanghai',
    host: null,
    dial: null,
    nextCall: null,
  };
  const punches = [];
  const session = await zkStandalone.open(socket, zkStandalone.options.parse({}), wire, new AbortController().signal);
  await session.identify();
  for await (const page of session.pages(null, { follow: false })) {
    punches.push(...page.punches);
    await session.confirm(page);
  }
  await session[Symbol.asyncDispose]();
  socket.destroy();
  return () => punches.map((one) => `${one.deviceUserId} ${one.wallTime}`);
}

async function peer(name, port) {
  const Client = require(name);
  const client = new Client(HOST, port, TIMEOUT_MS, 0);
  // They talk to the console as they go.
  console.error = () => undefined;
  await client.createSocket();
  const { data, err } = await client.getAttendances();
  await client.disconnect();
  const told = () =>
    data.map((one) => `${one.deviceUserId ?? one.user_id} ${wallOf(one.recordTime ?? one.record_time)}`);
  return Object.assign(told, { error: err ? String(err.message ?? err) : undefined });
}

const [, , name, port, count, users] = process.argv;
const began = performance.now();
const told = await (name === 'rollcall' ? ours(Number(port)) : peer(name, Number(port)));
const ms = performance.now() - began;
const keys = told();
const truth = new Set(
  simulatedHistory(Number(count), Number(users), HISTORY_END).map((one) => `${one.userId} ${one.wallTime}`),
);
const right = new Set(keys.filter((key) => truth.has(key))).size;
process.stdout.write(`${JSON.stringify({ ms, records: keys.length, right, error: told.error })}\n`, () =>
  process.exit(0),
);
