/** What the benchmarks share: free ports, memory of a process, medians, and the peers that may not be installed. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';

export const main = new URL('../../dist/main.js', import.meta.url).pathname;
export const PEERS = ['node-zklib', 'zkteco-js'];

/** A module of a peer, or null and its reason on the console: peers are development dependencies. */
export function peerModule(path) {
  try {
    return createRequire(import.meta.url)(path);
  } catch (error) {
    console.log(`${path.padEnd(34)} skipped: ${String(error.message).split('\n')[0]}`);
    return null;
  }
}

export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** MiB of a living process; 0 when it has ended. */
export function rssMb(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
export const ratio = (value, base) => `${(value / base).toFixed(1)}x`;
