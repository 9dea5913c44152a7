/** What is special to Hikvision terminals: three paths to one event, lost events, learned firmware, logins that lock, consent. */
import { describe, expect, test } from 'vitest';
import type { PunchPage } from '../../src/drivers/driver.js';
import { hikvisionIsapi, type HikDriver } from '../../src/drivers/hikvision-isapi/driver.js';
import type { HikTerminal } from '../../src/drivers/hikvision-isapi/simulator.js';
import { createRig, history, keyOf, readPages, type Connection, type Rig, type RigOptions } from './rig.js';

const authPassword = 'Class-1234';
const pushKey = 'Zm9vYmFyYmF6MTIz';
const forever = new AbortController().signal;

function bench(extra: RigOptions = {}): { rig: Rig<unknown>; terminal: HikTerminal } {
  const rig = createRig(hikvisionIsapi as HikDriver & { options: never }, {
    records: history(5),
    ...extra,
    options: { authPassword, ...extra.options },
  });
  return { rig, terminal: rig.terminal as HikTerminal };
}

interface Following {
  readonly connection: Connection;
  readonly pages: PunchPage[];
  readonly seen: () => string[];
  readonly stop: () => Promise<void>;
}

/** Follows until `stop`; every page is confirmed unless `hold` says so. */
async function follow(
  rig: Rig<unknown>,
  hold: (page: PunchPage) => Promise<void> = async () => Promise.resolve(),
): Promise<Following> {
  const connection = await rig.run(rig.connect());
  const pages: PunchPage[] = [];
  const work = (async () => {
    for await (const page of connection.session.pages(null, { follow: true })) {
      pages.push(page);
      await hold(page);
      await connection.session.confirm(page);
    }
  })();
  const ended = work.then(
    () => 'ended',
    () => 'failed',
  );
  await rig.run(rig.clock.sleep(3000, forever));
  return {
    connection,
    pages,
    seen: () => pages.flatMap((page) => page.punches.map(keyOf)),
    stop: async () => {
      connection.abort();
      await rig.run(ended, 120_000);
      await rig.run(connection.close(), 120_000);
      expect(rig.clock.sleepers).toBe(0);
    },
  };
}
const wait = (rig: Rig<unknown>, ms: number): Promise<void> => rig.run(rig.clock.sleep(ms, forever));
const searches = (terminal: HikTerminal): number => terminal.asked.filter((one) => one.endsWith('/AcsEvent')).length;

describe('login', () => {
  test('two wrong passwords and not one more: the account stays open', async () => {
    const { rig, terminal } = bench({ options: { authPassword: 'wrong' } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    expect(terminal.wrongTries).toBe(2);
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    expect(terminal.wrongTries).toBe(4);
  });

  test('without a password the terminal is not tried twice', async () => {
    const rig = createRig(hikvisionIsapi, { options: {} });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    expect((rig.terminal as HikTerminal).wrongTries).toBe(0);
  });

  test('nonces that expire in the middle cost nothing', async () => {
    const { rig, terminal } = bench({ records: history(100) });
    const reading = rig.readAll();
    await rig.clock.advance(1);
    terminal.expireNonces();
    expect((await rig.run(reading)).punches).toHaveLength(100);
    expect(terminal.wrongTries).toBe(0);
  });
});

describe('search', () => {
  test('takes what comes, page by page, also when fewer come than were asked for', async () => {
    const { rig, terminal } = bench({
      records: history(65),
      options: { pageRecords: 100 },
      simulatorOptions: { pageMax: 30 },
    });
    const { pages, punches } = await rig.run(rig.readAll());
    expect(pages.map((page) => page.punches.length)).toEqual([30, 30, 5]);
    expect(new Set(punches.map(keyOf)).size).toBe(65);
    expect(searches(terminal)).toBe(3);
  });

  test('a first reading that broke off goes on a little before, another begins with a window', async () => {
    const { rig, terminal } = bench({ records: history(400) });
    const connection = await rig.run(rig.connect());
    const first = await rig.run(readPages(connection, null, { follow: false }, (pages) => pages.length === 8));
    await rig.run(connection.close());
    const before = searches(terminal);
    const rest = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(searches(terminal) - before).toBeLessThan(10);
    expect(new Set([...first.punches, ...rest.punches].map(keyOf)).size).toBe(400);
    expect(rest.pages.at(-1)).toMatchObject({ drained: true, count: { announced: 400, decoded: 400 } });
    const cursor = rest.pages.at(-1)?.cursor ?? null;
    terminal.punch('20250017');
    const window = await rig.run(rig.readAll(cursor));
    expect(window.punches.length).toBeGreaterThan(0);
    expect(window.punches.length).toBeLessThan(400);
    expect(window.punches.map(keyOf)).toContain(
      keyOf(terminal.records().at(-1) ?? { userId: '', wallTime: '' as never }),
    );
  });

  test('a clock that was set back is read from where it stands now', async () => {
    const { rig, terminal } = bench();
    terminal.punch('20250017');
    const { pages } = await rig.run(rig.readAll());
    terminal.setClockOffset(-30 * 86_400_000);
    const past = terminal.punch('20250018');
    const { punches } = await rig.run(rig.readAll(pages.at(-1)?.cursor ?? null));
    expect(punches.map(keyOf)).toContain(keyOf(past));
  });

  test('a log that begins anew is told and read as a whole', async () => {
    const { rig, terminal } = bench({ records: history(50) });
    const { pages } = await rig.run(rig.readAll());
    terminal.setFault('seq-reset', '');
    terminal.addRecord({ userId: '42', wallTime: '2019-01-01 07:00:00' as never });
    terminal.punch('20250018');
    const { punches, findings } = await rig.run(rig.readAll(pages.at(-1)?.cursor ?? null));
    expect(findings.filter(({ code }) => code === 'epoch-changed')).toHaveLength(1);
    expect(punches.map(keyOf)).toContain('42 2019-01-01 07:00:00');
  });

  test('a punch during a search is no log that begins anew', async () => {
    const { rig } = bench({
      records: history(50),
      simulatorOptions: { doorEvents: true },
      faults: { 'interleave-event': '', delay: '1500' },
    });
    const { pages } = await rig.run(rig.readAll());
    const { findings } = await rig.run(rig.readAll(pages.at(-1)?.cursor ?? null));
    expect(findings.map(({ code }) => code)).not.toContain('epoch-changed');
  });

  test('fewer events than announced are a finding', async () => {
    for (const fault of ['wrong-count', 'truncate-dataset']) {
      const { rig } = bench({ faults: { [fault]: '1' } });
      const { findings, pages } = await rig.run(rig.readAll());
      expect(findings.map(({ code }) => code)).toContain('count-mismatch');
      const { count } = pages.at(-1) ?? {};
      expect((count?.announced ?? 0) > (count?.decoded ?? 0)).toBe(true);
    }
  });

  test('what did not come is searched for again, wherever in the log it lies', async () => {
    const old = { userId: '42', wallTime: '2019-06-01 08:00:00' as PunchPage['punches'][number]['wallTime'] };
    const { rig } = bench({ records: [...history(3), old], faults: { 'truncate-dataset': '1' } });
    const first = await rig.run(rig.readAll());
    expect(first.punches).toHaveLength(3);
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.punches.map(keyOf)).toContain(keyOf(old));
    expect(second.pages.at(-1)).toMatchObject({ drained: true, count: { announced: 4, decoded: 4 } });
  });

  test('a terminal that always counts too many is not read from the beginning for ever', async () => {
    const { rig, terminal } = bench({ records: history(400), faults: { 'wrong-count': '' } });
    const { stop } = await follow(rig);
    await wait(rig, 400_000);
    const before = searches(terminal);
    await wait(rig, 65_000);
    // All of it takes fourteen.
    expect(searches(terminal) - before).toBeLessThan(5);
    await stop();
  });

  test('a full memory that drops its oldest events moves none past a first reading that broke off', async () => {
    const { rig, terminal } = bench({ records: history(400) });
    const connection = await rig.run(rig.connect());
    const first = await rig.run(readPages(connection, null, { follow: false }, (pages) => pages.length === 8));
    await rig.run(connection.close());
    terminal.state.events.splice(0, 150);
    for (let index = 0; index < 150; index += 1) terminal.punch('42');
    const rest = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    const got = new Set([...first.punches, ...rest.punches].map(keyOf));
    expect(terminal.records().filter((record) => !got.has(keyOf(record)))).toEqual([]);
  });

  test.each([
    { 'busy-error': '3' },
    { 'error-inside-ok': '1' },
    { 'reboot-mid-transfer': '' },
    { 'duplicate-record': '1' },
  ])('survives %o', async (faults) => {
    const { rig } = bench({ records: history(70), faults });
    expect(new Set((await rig.run(rig.readAll())).punches.map(keyOf)).size).toBe(70);
  });

  test('an error inside status 200 is an error in the end', async () => {
    const { rig } = bench({ faults: { 'error-inside-ok': '' } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'bad-reply' });
  });

  test('impossible dates keep their text', async () => {
    const { rig, terminal } = bench({ records: [], faults: { 'impossible-date': '' } });
    terminal.addRecord({ userId: '42', wallTime: '2026-03-04 08:00:00' as never });
    expect((await rig.run(rig.readAll())).punches.map(keyOf)).toEqual(['42 2026-02-30 08:00:00']);
  });

  test('the form of dates is learned once and kept in the cursor', async () => {
    const { rig, terminal } = bench({ simulatorOptions: { dateForm: 'none', showsDateForm: false } });
    const { pages } = await rig.run(rig.readAll());
    expect(searches(terminal)).toBe(2);
    expect(pages.at(-1)?.cursor).toMatchObject({ form: 'none' });
    await rig.run(rig.readAll(pages.at(-1)?.cursor ?? null));
    expect(searches(terminal)).toBe(3);
  });
});

describe('following', () => {
  test('replayed events are told as such, current ones as they happen', async () => {
    const { rig, terminal } = bench({ simulatorOptions: { replay: 2 } });
    const { pages, stop } = await follow(rig);
    terminal.punch('20250017');
    await wait(rig, 2000);
    const sources = pages.flatMap((page) => page.punches.map(({ source }) => source));
    expect(sources.filter((one) => one === 'replay')).toHaveLength(2);
    expect(sources.at(-1)).toBe('realtime');
    await stop();
  });

  test('an event that was not told leaves a gap, and is searched for at once', async () => {
    const { rig, terminal } = bench({ options: { pollSeconds: 3600 } });
    const { seen, connection, stop } = await follow(rig);
    terminal.punch('20250018');
    await wait(rig, 2000);
    terminal.setFault('lost-event', '1');
    const lost = terminal.punch('20250017');
    await wait(rig, 2000);
    expect(seen()).not.toContain(keyOf(lost));
    const before = searches(terminal);
    terminal.punch('42');
    await wait(rig, 2000);
    expect(connection.findings.filter(({ code }) => code === 'gap')).toHaveLength(1);
    expect(searches(terminal)).toBeGreaterThan(before);
    expect(seen()).toContain(keyOf(lost));
    await stop();
  });

  test('a stream that drops or falls silent is opened again, and a search fills the hole', async () => {
    const { rig, terminal } = bench({ faults: { 'stream-drop': '20' }, options: { pollSeconds: 3600 } });
    const { stop } = await follow(rig);
    await wait(rig, 60_000);
    const streams = (): number => terminal.asked.filter((one) => one.endsWith('/alertStream')).length;
    expect(streams()).toBeGreaterThan(1);
    expect(searches(terminal)).toBeGreaterThan(2);
    terminal.setFault('stream-drop', null);
    terminal.setFault('no-heartbeat', '');
    const before = streams();
    await wait(rig, 150_000);
    expect(streams()).toBeGreaterThan(before);
    await stop();
  });

  test('a terminal that refuses the stream is polled', async () => {
    const { rig, terminal } = bench({ faults: { 'stream-refused': '' } });
    const { seen, connection, stop } = await follow(rig);
    const punch = terminal.punch('20250017');
    await wait(rig, 70_000);
    expect(seen()).toContain(keyOf(punch));
    expect(connection.findings.filter(({ text }) => text.includes('no alert stream'))).toHaveLength(1);
    await stop();
  });

  test('yields empty pages only after the terminal has answered, and ends when it is gone', async () => {
    const { rig, terminal } = bench({ options: { live: 'poll', pollSeconds: 600 } });
    const { pages, stop } = await follow(rig);
    await wait(rig, 100_000);
    expect(pages.filter(({ punches, drained }) => punches.length === 0 && !drained)).toHaveLength(2);
    terminal.setFault('no-answer', '');
    const before = pages.length;
    await wait(rig, 100_000);
    expect(pages.length).toBe(before);
    await stop();
  });
});

describe('push', () => {
  const pushing = (extra: RigOptions = {}) =>
    bench({
      calls: 'too',
      ...extra,
      options: { pushKey, live: 'poll', pollSeconds: 3600, ...extra.options },
      simulatorOptions: { pushKey, ...extra.simulatorOptions },
    });

  test.each(['multipart', 'json', 'xml'] as const)('is taken as %s, with its picture dropped', async (pushForm) => {
    const { rig, terminal } = pushing({ simulatorOptions: { pushForm } });
    const { pages, stop } = await follow(rig);
    const punch = terminal.punch('20250017', { direction: 'out' });
    await wait(rig, 3000);
    const told = pages.flatMap((page) => page.punches).filter(({ source }) => source === 'push');
    expect(told.map(keyOf)).toContain(keyOf(punch));
    expect(told.at(-1)).toMatchObject({ verify: 'face', direction: 'out' });
    expect(told.every(({ raw }) => !Buffer.from(raw).includes(Buffer.from([0xff, 0xd8])))).toBe(true);
    await stop();
  });

  test('is answered only after its page was confirmed', async () => {
    const { rig, terminal } = pushing({ records: [] });
    const gate: { open: () => void } = { open: () => undefined };
    const { pages, stop } = await follow(rig, async (page) => {
      if (page.punches.length > 0) await new Promise<void>((resolve) => (gate.open = resolve));
    });
    terminal.punch('20250017');
    await wait(rig, 3000);
    expect(pages.some(({ punches }) => punches.length === 1)).toBe(true);
    expect(terminal.pushed()).toBe(0);
    gate.open();
    await wait(rig, 1000);
    expect(terminal.pushed()).toBe(1);
    await stop();
  });

  test('of what was stored while we were away is told as such, though it does not say so itself', async () => {
    const { rig, terminal } = pushing({ records: [], options: { live: 'stream' } });
    const { pages, stop } = await follow(rig);
    await wait(rig, 1000);
    const event = terminal.punch('20250017');
    await wait(rig, 3000);
    const source = (): unknown =>
      pages.flatMap((page) => page.punches).find((punch) => keyOf(punch) === keyOf(event))?.source;
    expect(['push', 'realtime']).toContain(source());
    await stop();

    const late = pushing({ records: [] });
    late.terminal.setFault('push-stops', '');
    late.terminal.punch('42');
    await wait(late.rig, 600_000);
    const followed = await follow(late.rig);
    late.terminal.setFault('push-stops', null);
    late.terminal.punch('20250018');
    await wait(late.rig, 3000);
    const pushed = followed.pages.flatMap((page) => page.punches).filter((punch) => punch.source !== 'poll');
    expect(pushed.filter((punch) => punch.deviceUserId === '42').every((punch) => punch.source === 'replay')).toBe(
      true,
    );
    expect(pushed.find((punch) => punch.deviceUserId === '20250018')?.source).toBe('push');
    await followed.stop();
  });

  test('one that is never stored is never answered, and comes again', async () => {
    const { rig, terminal } = pushing({ records: [] });
    let holding = true;
    const { seen, stop } = await follow(rig, async (page) => {
      while (holding && page.punches.length > 0) await rig.clock.sleep(500, forever);
    });
    const punch = terminal.punch('20250017');
    await wait(rig, 60_000);
    expect(terminal.pushed()).toBe(0);
    holding = false;
    await wait(rig, 30_000);
    expect(terminal.pushed()).toBe(1);
    expect(seen()).toContain(keyOf(punch));
    await stop();
  });

  test('a terminal that stops pushing is found out by the search', async () => {
    const { rig, terminal } = pushing({ faults: { 'push-stops': '' }, options: { pollSeconds: 60 } });
    const { seen, connection, stop } = await follow(rig);
    const punch = terminal.punch('20250017');
    await wait(rig, 240_000);
    expect(seen()).toContain(keyOf(punch));
    expect(connection.findings.filter(({ text }) => text.includes('does not push'))).toHaveLength(1);
    await stop();
  });

  test('the slot of the terminal is written with consent only', async () => {
    const pushHost = '192.0.2.2:8089';
    const shy = bench({ calls: 'too', options: { pushKey, pushHost } });
    const first = await follow(shy.rig);
    await first.stop();
    expect(shy.terminal.asked.some((one) => one.includes('httpHosts'))).toBe(false);
    const { rig, terminal } = bench({
      calls: 'too',
      options: { pushKey, pushHost, configurePush: true, live: 'poll' },
    });
    const { seen, stop } = await follow(rig);
    expect(terminal.state.push?.url).toBe(`/hik/${pushKey}`);
    const punch = terminal.punch('20250017');
    await wait(rig, 3000);
    expect(seen()).toContain(keyOf(punch));
    await stop();
    const writes = terminal.asked.filter((one) => one.startsWith('PUT') && one.includes('httpHosts'));
    expect(writes).toHaveLength(1);
  });

  test.each([
    ['POST /hik/abc HTTP/1.1', { is: 'yes', serial: null, key: 'abc' }],
    ['POST http://192.0.2.2:8089/hik/abc HTTP/1.1', { is: 'yes', serial: null, key: 'abc' }],
    ['POST /hi', { is: 'more' }],
    ['POST /hik/abc', { is: 'more' }],
    ['GET /hik/abc HTTP/1.1', { is: 'no' }],
    ['POST /iclock', { is: 'no' }],
    ['POST /hik/../etc HTTP/1.1', { is: 'no' }],
    ['SSH-2.0', { is: 'no' }],
  ] as const)('hears %j', (first, heard) => {
    expect(hikvisionIsapi.called?.hear(Buffer.from(first))).toEqual(heard);
  });
});

describe('clock and people', () => {
  test('a clock kept by NTP is left alone', async () => {
    const { rig, terminal } = bench({ simulatorOptions: { timeMode: 'NTP' } });
    const connection = await rig.run(rig.connect());
    const before = terminal.wallClock();
    await rig.run(connection.session.setClock?.('2027-01-01 00:00:00' as never) ?? Promise.resolve());
    expect(terminal.wallClock().slice(0, 16)).toBe(before.slice(0, 16));
    expect(connection.findings.map(({ code }) => code)).toContain('clock-odd');
    expect(terminal.asked.some((one) => one.startsWith('PUT'))).toBe(false);
    await rig.run(connection.close());
  });

  test('a new name keeps everything else; too long an id and a full memory are told', async () => {
    const { rig, terminal } = bench();
    const connection = await rig.run(rig.connect());
    const { users } = connection.session;
    if (!users) throw new Error('no users');
    const before = terminal.person('20250017');
    await rig.run(users.put({ id: '20250017', name: '张三丰' }));
    expect(terminal.person('20250017')).toEqual({ ...before, name: '张三丰' });
    await expect(rig.run(users.put({ id: 'x'.repeat(33), name: 'y' }))).rejects.toMatchObject({ code: 'user-refused' });
    terminal.setFault('memory-full', '');
    await expect(rig.run(users.put({ id: '777', name: 'y' }))).rejects.toMatchObject({ code: 'terminal-full' });
    await rig.run(connection.close());
  });

  test('long lists come whole', async () => {
    const users = Array.from({ length: 95 }, (_, index) => ({ id: String(1000 + index), name: `N${index}` }));
    const { rig } = bench({ users, records: [] });
    const connection = await rig.run(rig.connect());
    expect(await rig.run(connection.session.users?.list() ?? Promise.resolve([]))).toEqual(users);
    await rig.run(connection.close());
  });
});
