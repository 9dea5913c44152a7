/**
 * A full read of 100 000 records over TCP on 127.0.0.1 from one simulated terminal, by us and by node-zklib and zkteco-js, each in a
 * process of its own, in turns. Three manners of the terminal: packets of 4096 bytes 20 ms apart, each surely alone in its read;
 * packets of 1008 bytes 4 ms apart, some of which a busy machine reads together; and packets joined by the network. Both peers take
 * what one read gives for one packet. Whoever does not end within the deadline is
 * ended and not tried again in that manner. `right` counts records that the terminal really holds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, main, median, PEERS, peerModule, ratio, rssMb } from './measure.mjs';

const USERS = 500;
const DEADLINE_MS = 120_000;
const SAMPLE_MS = 50;
const MANNERS = [
  { name: 'gentle', arguments: ['--set', 'packetBytes=4096', '--set', 'packetPauseMs=20'] },
  { name: 'paced', arguments: ['--set', 'packetBytes=1008', '--set', 'packetPauseMs=4'] },
  { name: 'joined', arguments: ['--set', 'packetBytes=1008', '--set', 'packetPauseMs=0', '--fault', 'coalesce'] },
];

async function startTerminal(port, records, manner) {
  const arguments_ = ['simulate', 'terminal', '--driver', 'zk-standalone', '--reach', `tcp://127.0.0.1:${port}`]
    .concat(['--users', String(USERS), '--records', String(records)])
    .concat(manner.arguments);
  const child = spawn(process.execPath, [main, ...arguments_], { stdio: ['ignore', 'pipe', 'ignore'] });
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error('the simulated terminal did not start'))),
  ]);
  return child;
}

/** One child to its end or to the deadline: its last line, its time, and the most memory it was seen to hold. */
async function watched(arguments_, lineOf) {
  const began = performance.now();
  const child = spawn(process.execPath, arguments_, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TZ: 'UTC' },
  });
  let last = '';
  let count = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = line;
    count += 1;
  });
  let ended = false;
  const end = once(child, 'close').then(() => (ended = true));
  let rss = 0;
  while (!ended && performance.now() - began < DEADLINE_MS) {
    rss = Math.max(rss, rssMb(child.pid));
    await Promise.race([end, delay(SAMPLE_MS)]);
  }
  if (!ended) {
    child.kill('SIGKILL');
    await end;
    return { failed: `no end within ${DEADLINE_MS / 1000} s`, rss };
  }
  const ms = performance.now() - began;
  try {
    return { ...lineOf(JSON.parse(last), count, ms), rss };
  } catch {
    return { failed: `ended without a result after ${(ms / 1000).toFixed(0)} s`, rss };
  }
}

const CLIENT = new URL('clients.mjs', import.meta.url).pathname;
const byClient = (name) => (port, records) =>
  watched([CLIENT, name, String(port), String(records), String(USERS)], (line) => line);

/** The command as a person uses it: every punch printed as JSON. */
const byCommand = (port) =>
  watched(
    [main, 'pull', '--driver', 'zk-standalone', '--reach', `tcp://127.0.0.1:${port}`, '--json'],
    ({ decoded, complete }, lines, ms) => ({ ms, records: decoded, right: complete ? lines - 2 : 0 }),
  );

function tell(manner, records, { name, runs }, base) {
  const good = runs.filter((run) => run.failed === undefined);
  const head = `pull ${records} records, ${manner.padEnd(6)}: ${name.padEnd(12)}`;
  const rss = `peak RSS ${Math.max(...runs.map((run) => run.rss))
    .toFixed(0)
    .padStart(4)} MiB`;
  if (good.length === 0) return `${head} ${runs[0]?.failed}   ${rss}`;
  const ms = median(good.map((run) => run.ms));
  const { records: got, right, error } = good.at(-1);
  const took = `${(ms / 1000).toFixed(2).padStart(7)} s`;
  if (right === records && got === records) return `${head} ${took} (${ratio(ms, base)})   ${rss}   all records`;
  return `${head} ${took} (given up)   ${rss}   ${got} records, ${right} of them right${error === undefined ? '' : `: ${error}`}`;
}

export async function benchPull(records, rounds) {
  const clients = [
    { name: 'rollcall', read: byClient('rollcall') },
    { name: 'rollcall pull', read: byCommand },
    ...PEERS.filter((name) => peerModule(name) !== null).map((name) => ({ name, read: byClient(name) })),
  ];
  for (const manner of MANNERS) {
    const port = await freePort();
    const terminal = await startTerminal(port, records, manner);
    const rows = clients.map((client) => ({ ...client, runs: [] }));
    try {
      for (let round = 0; round < rounds; round += 1)
        for (const row of rows) {
          const before = row.runs.at(-1);
          if (before?.failed !== undefined || (before && before.right < records)) continue;
          row.runs.push(await row.read(port, records));
          // The terminal takes one session at a time and needs a moment to see that the last one is gone.
          await delay(300);
        }
    } finally {
      terminal.kill('SIGKILL');
    }
    const base = median(rows[0].runs.map((run) => run.ms ?? Infinity));
    for (const row of rows) console.log(tell(manner.name, records, row, base));
  }
}
