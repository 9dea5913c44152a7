/**
 * `pull`, `capture`, `decode` and `replay` on every kind of wire, those included on which the terminal calls: simulators in processes of
 * their own. A capture is for strangers: nothing in it may lead to a person.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCapture } from '../../src/links/tap.js';
import { personName } from '../../src/demo/people.js';
import { freePort, startRollcall } from '../support/process.js';
import { expectMasked, identities } from './masked.js';
import { runOnce } from './run-once.js';

let dir = '';
const PASSWORD = 'Class-1234';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-wires-'));
  writeFileSync(join(dir, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Kind {
  readonly driver: string;
  readonly scheme: string;
  /** The terminal has a password. */
  readonly secret?: true;
  /** Conversations that hold random numbers of the gateway cannot be played again. */
  readonly replays: boolean;
}

const KINDS: readonly Kind[] = [
  { driver: 'zk-push', scheme: 'http-listen', replays: false },
  { driver: 'aiface-ws', scheme: 'ws-listen', replays: true },
  { driver: 'anviz-tcb', scheme: 'tcp-listen', replays: true },
  { driver: 'fcard', scheme: 'tcp-listen', replays: false },
  { driver: 'fcard', scheme: 'udp', replays: false },
  { driver: 'hikvision-isapi', scheme: 'http', secret: true, replays: true },
  { driver: 'dahua-asi', scheme: 'http', secret: true, replays: true },
  { driver: 'hanvon-faceid', scheme: 'tcp', replays: true },
  { driver: 'zk-standalone', scheme: 'udp', replays: true },
];

test.each(KINDS)(
  '$driver over $scheme: read, recorded without persons, decoded and played again',
  { timeout: 180_000 },
  async ({ driver, scheme, secret, replays }) => {
    const reach = `${scheme}://127.0.0.1:${await freePort()}`;
    const file = join(dir, `${driver}-${scheme}.cap`);
    const sets = secret ? ['--set', `authPasswordFile=${join(dir, 'password')}`] : [];
    await using terminal = startRollcall('terminal', [
      ...['simulate', 'terminal', '--driver', driver, '--reach', reach, '--records', '40', '--users', '4'],
      ...(secret ? ['--set', `authPassword=${PASSWORD}`] : []),
    ]);
    await terminal.line((line) => line.includes('"ready"'), 60_000);
    const pulled = await runOnce(['capture', file, '--driver', driver, '--reach', reach, '--json', ...sets]);
    expect([pulled.code, pulled.err]).toEqual([
      0,
      expect.stringContaining('names, numbers and passwords are replaced'),
    ]);
    expect(pulled.json[0]).toMatchObject({ kind: 'identity', serial: 'TEST0001' });
    expect(pulled.json.at(-1)).toMatchObject({ kind: 'summary', complete: true, noise: 0 });
    expect(new Set(identities(pulled.json)).size).toBe(40);

    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = Buffer.concat(parseCapture(readFileSync(file, 'utf8')).entries.map((one) => one.bytes));
    const ids = [...new Set(identities(pulled.json).map((one) => one.slice(0, one.indexOf(' '))))];
    const names = Array.from({ length: 4 }, (_, at) => personName(at));
    for (const word of [...ids.filter((id) => id.length > 4), ...names, PASSWORD])
      expect(bytes.includes(word)).toBe(false);

    const decoded = await runOnce(['decode', '--driver', driver, '--json', ...sets, file]);
    expect(decoded.code).toBe(0);
    expectMasked(pulled.json, decoded.json);
    if (!replays) return;
    const replayed = await runOnce(['replay', file, '--json', ...sets]);
    expect([replayed.code, replayed.err]).toEqual([0, expect.not.stringContaining('Error ')]);
    expectMasked(pulled.json, replayed.json);
  },
);
