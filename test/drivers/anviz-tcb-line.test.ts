/** Anviz terminals on a real serial line: pseudo terminals, the real serial room, real time. */
import { mkdtempSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { parseReach, type Reach } from '../../src/core/reach.js';
import { systemClock, type WallTime } from '../../src/core/time.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { createAnvizBus, type AnvizBus, type AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import type { Cursor, Finding, PunchPage, SimulatedPunch } from '../../src/drivers/driver.js';
import { createLinks, type Links } from '../../src/links/open.js';
import { createPtyPair, type PtyPair } from '../links/pty.js';
import { needs } from '../support/needs.js';
import { benchWire, history, keyOf, SECRET_FREE_USERS, SITE_ZONE } from './rig.js';

const socat = needs('socat');
const clock = systemClock();
const serial = (path: string): Reach => parseReach(`serial://${path}?baud=115200`);

function createTerminal(
  address: number,
  records: readonly SimulatedPunch[],
  faults: Readonly<Record<string, string>> = {},
): AnvizTerminal {
  return anvizTcb.simulate({
    serial: `TEST000${address}`,
    zone: SITE_ZONE,
    world: clock,
    wire: clock,
    users: SECRET_FREE_USERS,
    records,
    faults: new Map(Object.entries(faults)),
    options: { address },
    seed: address,
  });
}

/** What a gateway keeps of one terminal: punches by identity, and the cursor. */
interface Kept {
  readonly punches: Map<string, number>;
  cursor: Cursor | null;
  serial: string | null;
}

const createKept = (): Kept => ({ punches: new Map(), cursor: null, serial: null });

describe.skipIf(!socat.available)(`Anviz terminals on a serial line ${socat.reason}`, () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const createOurLinks = (): Links => {
    const links = createLinks({ clock, log: silentLog() });
    closing.push(() => links.close());
    return links;
  };

  /** The terminals' end: serves the bus on the other end of the cable. */
  const plugIn = async (bus: AnvizBus, dir: string, name: string): Promise<PtyPair> => {
    const pair = await createPtyPair(join(dir, `${name}-gateway`), join(dir, `${name}-device`));
    const theirs = createLinks({ clock, log: silentLog() });
    const stop = new AbortController();
    const link = await theirs.open(serial(pair.device), stop.signal);
    link.on('error', () => undefined);
    const served = bus.serve(link, stop.signal);
    closing.push(async () => {
      stop.abort();
      await served;
      await theirs.close();
      await pair.unplug();
    });
    return pair;
  };

  /** One visit as the intake makes it: open, identify, read, store, confirm, hang up. */
  const visit = async (
    links: Links,
    reach: Reach,
    address: number,
    kept: Kept,
    findings: Finding[],
    onPage: (page: PunchPage) => Promise<void> = async () => undefined,
  ): Promise<void> => {
    const stop = new AbortController();
    await using link = await links.open(reach, stop.signal);
    const options = anvizTcb.options.parse({
      address,
      silenceMs: 40,
      answerTimeoutMs: 300,
      pageTimeoutMs: 300,
      gapMs: 5,
    });
    const wire = benchWire(clock, (finding: Finding) => findings.push(finding));
    await using session = await anvizTcb.open(link, options, wire, stop.signal);
    kept.serial = (await session.identify()).serial;
    for await (const page of session.pages(kept.cursor, { follow: true })) {
      await onPage(page);
      for (const punch of page.punches) kept.punches.set(keyOf(punch), (kept.punches.get(keyOf(punch)) ?? 0) + 1);
      kept.cursor = page.cursor ?? kept.cursor;
      await session.confirm(page);
    }
  };

  it('two on one bus, behind an adapter that echoes, with noise: each is read by its address, nothing is mixed up', async () => {
    const records = history(120);
    const one = createTerminal(1, records.slice(0, 60), { echo: '', 'line-noise': '4' });
    const two = createTerminal(2, records.slice(60), { 'line-noise': '4', fragment: '7' });
    const pair = await plugIn(createAnvizBus([one, two]), mkdtempSync(join(tmpdir(), 'bus-')), 'a');
    const links = createOurLinks();
    const kept = [createKept(), createKept()] as const;
    const findings: Finding[] = [];
    // Both want the line at once; they get it one after the other.
    await Promise.all([
      visit(links, serial(pair.gateway), 1, kept[0], findings),
      visit(links, serial(pair.tty), 2, kept[1], findings),
    ]);
    expect(kept.map((one) => one.serial)).toEqual(['TEST0001', 'TEST0002']);
    expect([...kept[0].punches.keys()]).toEqual(one.records().map(keyOf));
    expect([...kept[1].punches.keys()]).toEqual(two.records().map(keyOf));
    expect([one.newRecords(), two.newRecords(), one.realTime(), two.realTime()]).toEqual([0, 0, false, false]);
    expect(findings.some((finding) => finding.code === 'noise')).toBe(true);

    two.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:00' as WallTime });
    await Promise.all([
      visit(links, serial(pair.tty), 2, kept[1], findings),
      visit(links, serial(pair.gateway), 1, kept[0], findings),
    ]);
    expect([...kept[1].punches.keys()]).toEqual(two.records().map(keyOf));
    expect([...kept[0].punches.values()].every((times) => times === 1)).toBe(true);
  });

  it('cable pulled in the middle and put back under another name: nothing lost, nothing doubled', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cable-'));
    const byId = join(dir, 'usb-adapter-if00-port0');
    const terminal = createTerminal(1, history(120));
    const bus = createAnvizBus([terminal]);
    const before = await plugIn(bus, dir, 'before');
    symlinkSync(before.tty, byId);
    const links = createOurLinks();
    const kept = createKept();
    let pages = 0;
    await expect(
      visit(links, serial(byId), 1, kept, [], async () => {
        pages += 1;
        if (pages !== 2) return;
        // The next name is taken before the old one is free, so that it must be another.
        await plugIn(bus, dir, 'after');
        unlinkSync(byId);
        await before.unplug();
        terminal.addRecord({ userId: '42', wallTime: '2026-09-10 08:00:00' as WallTime });
      }),
    ).rejects.toMatchObject({ name: 'GatewayError', code: 'link-closed' });
    expect(kept.punches.size).toBe(50);
    await expect(visit(links, serial(byId), 1, kept, [])).rejects.toMatchObject({ code: 'serial-missing' });

    symlinkSync(join(dir, 'after-gateway'), byId);
    await visit(links, serial(byId), 1, kept, []);
    expect([...kept.punches.keys()].sort()).toEqual(terminal.records().map(keyOf).sort());
    expect(terminal.records()).toHaveLength(121);
    expect(terminal.newRecords()).toBe(0);
    // And after that only what is new.
    const again = createKept();
    again.cursor = kept.cursor;
    await visit(links, serial(byId), 1, again, []);
    expect(again.punches.size).toBe(0);
  });
});
