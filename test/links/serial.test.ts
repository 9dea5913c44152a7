import { mkdtempSync, symlinkSync, unlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { parseReach, type Reach } from '../../src/core/reach.js';
import { systemClock } from '../../src/core/time.js';
import { createLinks, type Links } from '../../src/links/open.js';
import { needs } from '../support/needs.js';
import { createPtyPair, type PtyPair } from './pty.js';

const socat = needs('socat');
const never = new AbortController().signal;
const serial = (path: string, query = 'baud=9600'): Reach => parseReach(`serial://${path}?${query}`);

const nextChunk = async (link: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    link.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    link.once('error', reject);
  });
const nextError = async (link: Duplex): Promise<unknown> => new Promise((resolve) => link.once('error', resolve));

describe('serial reach without hardware', () => {
  it('says serial-missing for a port that is not there, and what to do for one that is no port', async () => {
    const links = createLinks({ clock: systemClock(), log: silentLog() });
    await expect(links.open(serial('/dev/rollcall-none'), never)).rejects.toMatchObject({
      code: 'serial-missing',
      kind: 'retry',
    });
    await expect(links.open(serial('/etc/hostname'), never)).rejects.toMatchObject({ code: 'link-refused' });
    await links.close();
  });
});

describe.skipIf(!socat.available)(`serial line on pseudo terminals ${socat.reason}`, () => {
  let pairs: PtyPair[] = [];
  let opened: Links[] = [];

  const pair = async (name: string, dir = mkdtempSync(join(tmpdir(), 'pty-'))): Promise<PtyPair> => {
    const made = await createPtyPair(join(dir, `${name}-gateway`), join(dir, `${name}-device`));
    pairs.push(made);
    return made;
  };
  const createBoth = (): [Links, Links] => {
    const both: [Links, Links] = [
      createLinks({ clock: systemClock(), log: silentLog() }),
      createLinks({ clock: systemClock(), log: silentLog() }),
    ];
    opened.push(...both);
    return both;
  };

  afterEach(async () => {
    for (const links of opened) await links.close();
    for (const one of pairs) await one.unplug();
    opened = [];
    pairs = [];
  });

  it('carries bytes both ways and taps them', async () => {
    const [ours, theirs] = createBoth();
    const line = await pair('a');
    const device = await theirs.open(serial(line.device), never);
    const link = await ours.open(serial(line.gateway), never);
    const asked = nextChunk(device);
    link.write('ask');
    expect(await asked).toBe('ask');
    const answered = nextChunk(link);
    device.write('answer');
    expect(await answered).toBe('answer');
    expect(ours.tap.snapshot(`serial://${line.gateway}?baud=9600`).entries.map((entry) => entry.direction)).toEqual([
      'to-device',
      'from-device',
    ]);
    await link[Symbol.asyncDispose]();
  });

  it('leases a shared line in order of asking, through any of its names, and forgets what came in between', async () => {
    const [ours, theirs] = createBoth();
    const line = await pair('a');
    const device = await theirs.open(serial(line.device), never);
    const first = await ours.open(serial(line.gateway), never);
    const order: string[] = [];
    const open = async (name: string, path: string): Promise<Duplex & AsyncDisposable> => {
      const link = await ours.open(serial(path), never);
      order.push(name);
      return link;
    };
    const second = open('second', line.tty);
    // An asker queues after one path look-up; ours, begun later, ends later.
    for (let look = 0; look < 3; look += 1) await realpath(line.gateway);
    const third = open('third', line.gateway);
    for (let look = 0; look < 3; look += 1) await realpath(line.gateway);
    const impatient = new AbortController();
    const refused = ours.open(serial(line.gateway), impatient.signal);
    const refusal = expect(refused).rejects.toThrow('enough');
    impatient.abort(new Error('enough'));
    await refusal;
    expect(order).toEqual([]);

    const late = nextChunk(first);
    device.write('late answer');
    await late;
    await first[Symbol.asyncDispose]();
    const two = await second;
    expect(order).toEqual(['second']);
    const heard: string[] = [];
    two.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')));
    const fresh = nextChunk(two);
    device.write('fresh');
    await fresh;
    expect(heard.join('')).toBe('fresh');
    await two[Symbol.asyncDispose]();
    const three = await third;
    expect(order).toEqual(['second', 'third']);
    await three[Symbol.asyncDispose]();
  });

  it('refuses a second user with other parameters, and takes them when the line is free', async () => {
    const [ours] = createBoth();
    const line = await pair('a');
    const first = await ours.open(serial(line.gateway), never);
    await expect(ours.open(serial(line.tty, 'baud=19200'), never)).rejects.toMatchObject({
      code: 'line-conflict',
      kind: 'settings',
    });
    await first[Symbol.asyncDispose]();
    const second = await ours.open(serial(line.tty, 'baud=19200'), never);
    await second[Symbol.asyncDispose]();
  });

  it('says serial-in-use when another program holds the port', async () => {
    const [ours, theirs] = createBoth();
    const line = await pair('a');
    await ours.open(serial(line.gateway), never);
    await expect(theirs.open(serial(line.tty), never)).rejects.toMatchObject({ code: 'serial-in-use' });
  });

  it('gives the port back a moment after the last lease', async () => {
    const ours = createLinks({ clock: systemClock(), log: silentLog(), serialLingerMs: 1 });
    const [, theirs] = createBoth();
    opened.push(ours);
    const line = await pair('a');
    const link = await ours.open(serial(line.gateway), never);
    await link[Symbol.asyncDispose]();
    for (;;) {
      const taken = await theirs.open(serial(line.gateway), never).catch((error: unknown) => error as { code: string });
      if (!('code' in taken)) break;
      expect(taken.code).toBe('serial-in-use');
    }
  });

  it('ends the lease when the adapter is pulled, wakes who waits, and finds the port again under another name', async () => {
    const [ours, theirs] = createBoth();
    const dir = mkdtempSync(join(tmpdir(), 'pty-'));
    const byId = join(dir, 'by-id');
    const before = await pair('before', dir);
    symlinkSync(before.tty, byId);
    const link = await ours.open(serial(byId), never);
    const waiting = ours.open(serial(byId), never);
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'serial-missing' });
    const pulled = nextError(link);
    const other = await pair('after', dir);
    expect(other.tty).not.toBe(before.tty);
    unlinkSync(byId);
    await before.unplug();
    expect(await pulled).toMatchObject({ code: 'link-closed', kind: 'retry' });
    await outcome;

    symlinkSync(other.tty, byId);
    const device = await theirs.open(serial(other.device), never);
    const again = await ours.open(serial(byId), never);
    const answered = nextChunk(again);
    device.write('back');
    expect(await answered).toBe('back');
  });

  it('notices a port that vanished while it was kept open between leases', async () => {
    const [ours] = createBoth();
    const dir = mkdtempSync(join(tmpdir(), 'pty-'));
    const line = await pair('a', dir);
    const link = await ours.open(serial(line.gateway), never);
    await link[Symbol.asyncDispose]();
    await line.unplug();
    await expect(ours.open(serial(line.gateway), never)).rejects.toMatchObject({ code: 'serial-missing' });
    const back = await pair('a', dir);
    const again = await ours.open(serial(back.gateway), never);
    expect(again.destroyed).toBe(false);
  });

  it('close ends leases and turns waiters away', async () => {
    const [ours] = createBoth();
    const line = await pair('a');
    const link = await ours.open(serial(line.gateway), never);
    const waiting = ours.open(serial(line.gateway), never);
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'link-closed' });
    await new Promise((resolve) => setImmediate(resolve));
    await ours.close();
    await outcome;
    expect(link.destroyed).toBe(true);
  });
});
