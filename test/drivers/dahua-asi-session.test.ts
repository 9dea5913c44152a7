/** What is special to Dahua terminals: paging by time, the event stream and when the history is read, wrong zones, people, locked accounts. */
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import type { Api } from '../../src/drivers/dahua-asi/api.js';
import { parseLines, type Group } from '../../src/drivers/dahua-asi/codec.js';
import { dahuaAsi } from '../../src/drivers/dahua-asi/driver.js';
import { pagesByTime } from '../../src/drivers/dahua-asi/finder.js';
import type { DahuaTerminal } from '../../src/drivers/dahua-asi/simulator.js';
import type { Cursor, PunchPage, PunchRecord } from '../../src/drivers/driver.js';
import { benchWire, createRig, history, keyOf, readPages, type Connection, type Rig, type RigOptions } from './rig.js';

type DahuaRig = Rig<unknown> & { readonly terminal: DahuaTerminal };

const newRig = (more: RigOptions = {}): DahuaRig =>
  createRig(dahuaAsi, { records: history(40), ...more }) as unknown as DahuaRig;

const pause = (rig: DahuaRig, ms: number): Promise<void> =>
  rig.run(rig.clock.sleep(ms, new AbortController().signal), ms + 60_000);
const keys = (punches: readonly PunchRecord[]): string[] => [...new Set(punches.map(keyOf))].sort();
const made = (rig: DahuaRig): string[] => [...new Set(rig.terminal.records().map(keyOf))].sort();
const readings = (rig: DahuaRig): number => rig.terminal.asked.filter((one) => one === 'recordFinder.cgi find').length;
const codes = (rig: DahuaRig): string[] => rig.findings.map(({ code }) => code);

interface Following {
  readonly connection: Connection;
  readonly pages: PunchPage[];
  readonly punches: () => PunchRecord[];
  readonly ended: Promise<unknown>;
  readonly end: () => Promise<void>;
}

/** A session that follows until it is told to end. */
async function following(rig: DahuaRig, after: Cursor | null = null): Promise<Following> {
  const connection = await rig.run(async () => {
    const opened = await rig.connect();
    await opened.session.identify();
    return opened;
  });
  const pages: PunchPage[] = [];
  const ended = readPages(connection, after, { follow: true }, (all) => {
    pages.push(...all.slice(pages.length));
    return false;
  }).catch((error: unknown) => error);
  return {
    connection,
    pages,
    punches: () => pages.flatMap((page) => [...page.punches]),
    ended,
    async end() {
      connection.abort();
      await rig.run(ended);
      await rig.run(connection.close());
    },
  };
}

const allAtOnce = (count: number) =>
  history(
    count,
    Array.from({ length: count }, (_, index) => ({ id: String(1000 + index), name: '' })),
  ).map((record) => ({
    ...record,
    wallTime: '2026-09-01 08:00:00' as WallTime,
  }));

describe('history', () => {
  test('a second with more records than a page is read by asking for more', async () => {
    const rig = newRig({
      records: allAtOnce(30),
      options: { pageRecords: 10 },
      simulatorOptions: { pageRecordsMax: 1024, rpc: false },
    });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(made(rig));
    expect(pages.at(-1)).toMatchObject({ drained: true, count: { announced: 30, decoded: 30 } });
  });

  test('where paging by time comes to no end, JSON-RPC gives the rest', async () => {
    const rig = newRig({ records: allAtOnce(30), simulatorOptions: { pageRecordsMax: 10 } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(made(rig));
    expect(pages.at(-1)?.drained).toBe(true);
    expect(rig.terminal.asked).toContain('/RPC2_Login');
  });

  test('without JSON-RPC the missing records are told, and the read is not taken for complete', async () => {
    const rig = newRig({ records: allAtOnce(30), simulatorOptions: { pageRecordsMax: 10, rpc: false } });
    const { pages } = await rig.run(rig.readAll());
    expect(pages.at(-1)).toMatchObject({ drained: false, count: { announced: 30, decoded: 10 } });
    expect(codes(rig)).toContain('count-mismatch');
    expect(pages.at(-1)?.cursor).toMatchObject({ incomplete: true });
  });

  test('records that were announced and never come are told', async () => {
    const rig = newRig({ faults: { 'wrong-count': '2' } });
    const { pages } = await rig.run(rig.readAll());
    expect(pages.at(-1)).toMatchObject({ drained: false, count: { announced: 42, decoded: 40 } });
  });

  test('what is missing stays missing in later readings, while it is announced', async () => {
    const rig = newRig({ faults: { 'wrong-count': '2' } });
    const first = await rig.run(rig.readAll());
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.pages.at(-1)).toMatchObject({ drained: false, count: { announced: 42, decoded: 40 } });
    expect(second.pages.at(-1)?.cursor).toMatchObject({ incomplete: true });
    rig.terminal.setFault('wrong-count', null);
    const third = await rig.run(rig.readAll(second.pages.at(-1)?.cursor ?? null));
    expect(third.pages.at(-1)).toMatchObject({ drained: true, count: { announced: 40, decoded: 40 } });
  });

  test('a record of the future within a page does not hide the pages after it', async () => {
    const groupOf = (recNo: number, seconds: number): Group => ({
      fields: { RecNo: String(recNo), CreateTime: String(seconds) },
      raw: new Uint8Array(),
    });
    const log = Array.from({ length: 25 }, (_, index) => groupOf(index, index === 4 ? 9_000_000 : 1000 + index));
    const secondsOf = ({ fields }: Group): number => Number(fields.CreateTime);
    const api = {
      get: async (path: string) => {
        const query = new URL(path, 'http://terminal').searchParams;
        const found = log.filter((group) => secondsOf(group) >= Number(query.get('StartTime') ?? 0)).slice(0, 10);
        const lines = found.flatMap((group, index) =>
          Object.entries(group.fields).map(([key, value]) => `records[${index}].${key}=${value}`),
        );
        return { ok: true, status: 200, body: new Uint8Array(), lines: parseLines(Buffer.from(lines.join('\n'))) };
      },
    } as unknown as Api;
    const seen = new Set<string>();
    const isNew = ({ fields }: Group): boolean =>
      !seen.has(fields.RecNo ?? '') && seen.add(fields.RecNo ?? '').size > 0;
    for await (const page of pagesByTime(api, null, 10, secondsOf, isNew)) expect(page.length).toBeGreaterThan(0);
    expect(seen.size).toBe(25);
  });

  test('a later session begins where the last one ended', async () => {
    const rig = newRig({
      records: history(2000),
      simulatorOptions: { pageRecordsMax: 1024 },
      options: { overlapHours: 1 },
    });
    const first = await rig.run(rig.readAll());
    const asked = readings(rig);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-01-01 09:00:00' as WallTime });
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.punches.map(keyOf)).toContain('42 2026-01-01 09:00:00');
    expect(second.punches.length).toBeLessThan(100);
    expect(second.pages.at(-1)).toMatchObject({ drained: true, count: { announced: 2001, decoded: 2001 } });
    expect(readings(rig) - asked).toBeLessThanOrEqual(3);
  });

  test('a clock that was set back hides no record: the count does not add up, and everything is read', async () => {
    const rig = newRig();
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2019-01-01 09:00:00' as WallTime });
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.punches.map(keyOf)).toContain('42 2019-01-01 09:00:00');
    expect(codes(rig)).toContain('gap');
  });

  test.each([1, 50])('a log that was cleared is a new epoch (%i new records)', async (count) => {
    const rig = newRig();
    const first = await rig.run(rig.readAll());
    rig.terminal.clearLog();
    for (let index = 0; index < count; index += 1)
      rig.terminal.addRecord({
        userId: '42',
        wallTime: `2026-01-0${1 + (index % 9)} 09:00:${String(10 + index)}` as WallTime,
      });
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(keys(second.punches)).toEqual(made(rig));
    expect(codes(rig)).toContain('epoch-changed');
  });

  test('an impossible date keeps its text', async () => {
    const rig = newRig({ faults: { 'impossible-date': '' } });
    expect((await rig.run(rig.readAll())).punches.map(({ wallTime }) => wallTime)).toContain('2025-02-30 08:05:30');
  });

  test('refusals count as records and are no punches', async () => {
    const rig = newRig();
    rig.terminal.refuse('42');
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(made(rig));
    expect(pages.at(-1)?.count).toEqual({ announced: 41, decoded: 41 });
  });
});

describe('a wrong zone', () => {
  test('is taken from the setting before anything is read', async () => {
    const rig = newRig({ simulatorOptions: { zoneMinutes: 0 } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(made(rig));
    expect(codes(rig)).toContain('clock-odd');
    expect(pages.at(-1)?.cursor).toMatchObject({ plainShiftS: -8 * 3600 });
  });

  test('that nobody tells is learned from a live punch, and what was read before keeps its identity', async () => {
    const rig = newRig({ simulatorOptions: { zoneMinutes: 0, zoneTold: false } });
    const session = await following(rig);
    await pause(rig, 20_000);
    const before = keys(session.punches());
    expect(before).not.toEqual(made(rig));
    const { wallTime } = rig.terminal.punch('42');
    await pause(rig, 5000);
    expect(session.punches().at(-1)).toMatchObject({ deviceUserId: '42', wallTime, source: 'realtime' });
    expect(codes(rig)).toContain('clock-odd');
    await session.end();
    const cursor = session.pages.findLast((page) => page.cursor)?.cursor ?? null;
    const again = await rig.run(rig.readAll({ ...cursor, readAt: null }));
    expect(
      keys(again.punches)
        .filter((key) => !key.startsWith(`42 ${wallTime.slice(0, 10)}`))
        .every((key) => before.includes(key)),
    ).toBe(true);
    expect(again.punches.map(keyOf)).toContain(`42 ${wallTime}`);
  });

  test('is not guessed where a person has said what to add', async () => {
    const rig = newRig({ options: { epochShiftMinutes: -480 }, simulatorOptions: { zoneMinutes: 0, zoneTold: false } });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(made(rig));
    expect(codes(rig)).not.toContain('clock-odd');
  });
});

describe('following', () => {
  test('the history rests while the stream is healthy', async () => {
    const rig = newRig({ options: { heartbeatSeconds: 30 } });
    const session = await following(rig);
    await pause(rig, 20_000);
    const asked = readings(rig);
    for (let index = 0; index < 5; index += 1) {
      rig.terminal.punch('42');
      rig.terminal.refuse('20250017');
      await pause(rig, 15 * 60_000);
    }
    expect(readings(rig)).toBe(asked);
    expect(rig.terminal.asked.filter((one) => one.startsWith('eventManager'))).toHaveLength(1);
    expect(keys(session.punches())).toEqual(made(rig));
    const alive = session.pages.filter((page) => page.punches.length === 0 && page.cursor === null && !page.drained);
    expect(alive.length).toBeGreaterThan(60);
    await session.end();
    expect(rig.clock.sleepers).toBe(0);
  });

  test('the last days are read again when their time has come', async () => {
    const rig = newRig({ options: { heartbeatSeconds: 60, fullReadHours: 2 } });
    const session = await following(rig);
    await pause(rig, 20_000);
    const asked = readings(rig);
    await pause(rig, 3_700_000);
    expect(readings(rig)).toBe(asked);
    await pause(rig, 3_700_000);
    expect(readings(rig)).toBeGreaterThan(asked);
    expect(session.pages.filter((page) => page.drained)).toHaveLength(2);
    await session.end();
  });

  test('a stream without heartbeats is given up, and the history read from where it stood', async () => {
    const rig = newRig();
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.setFault('heartbeat-lost', '');
    rig.terminal.setFault('no-events', '');
    rig.terminal.punch('42');
    await pause(rig, 20_000);
    rig.terminal.setFault('heartbeat-lost', null);
    await pause(rig, 20_000);
    expect(rig.terminal.asked.filter((one) => one.startsWith('eventManager')).length).toBeGreaterThan(1);
    expect(keys(session.punches())).toEqual(made(rig));
    expect(session.punches().at(-1)?.source).toBe('poll');
    await session.end();
  });

  test('firmware that tells only of faces and doors has its history read for each', async () => {
    const rig = newRig({ simulatorOptions: { events: 'door' } });
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.punch('42');
    await pause(rig, 6000);
    expect(keys(session.punches())).toEqual(made(rig));
    await session.end();
  });

  test('a gap in the record numbers of events has the history read at once', async () => {
    const rig = newRig({ simulatorOptions: { eventRecNo: true } });
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.punch('42');
    await pause(rig, 5000);
    const asked = readings(rig);
    rig.terminal.setFault('no-events', '');
    rig.terminal.punch('20250017');
    rig.terminal.setFault('no-events', null);
    await pause(rig, 5000);
    expect(readings(rig)).toBe(asked);
    rig.terminal.punch('20250018');
    await pause(rig, 5000);
    expect(readings(rig)).toBeGreaterThan(asked);
    expect(keys(session.punches())).toEqual(made(rig));
    await session.end();
  });

  test('the hourly count finds a punch of which no event came', async () => {
    const rig = newRig();
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.punch('42');
    await pause(rig, 5000);
    rig.terminal.setFault('no-events', '');
    rig.terminal.punch('20250017');
    await pause(rig, 3_700_000);
    expect(keys(session.punches())).toEqual(made(rig));
    await session.end();
  });

  test('record numbers that begin again while following are a new epoch', async () => {
    const rig = newRig({ simulatorOptions: { eventRecNo: true } });
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.setFault('seq-reset', '');
    rig.terminal.punch('42');
    await pause(rig, 10_000);
    expect(codes(rig)).toContain('epoch-changed');
    await session.end();
  });

  test.each([{ 'wrong-length': '' }, { 'gbk-name': '' }, { fragment: '3' }] as const)(
    'a live punch arrives in spite of %o',
    async (faults) => {
      const rig = newRig({ faults });
      const session = await following(rig);
      await pause(rig, 20_000);
      rig.terminal.punch('20250017');
      await pause(rig, 10_000);
      expect(session.punches().at(-1)).toMatchObject({ deviceUserId: '20250017', source: 'realtime' });
      await session.end();
    },
  );

  test('events in the flat form, with both clocks', async () => {
    const rig = newRig({ simulatorOptions: { eventStyle: 'flat', realUtc: true, zoneMinutes: 0 } });
    const session = await following(rig);
    await pause(rig, 20_000);
    const { wallTime } = rig.terminal.punch('42');
    await pause(rig, 10_000);
    expect(session.punches().at(-1)).toMatchObject({ deviceUserId: '42', wallTime, source: 'realtime' });
    await session.end();
  });

  test('without a stream the count is compared, and the session ends when the terminal is gone', async () => {
    const rig = newRig({ simulatorOptions: { events: 'refused' } });
    const session = await following(rig);
    await pause(rig, 20_000);
    rig.terminal.punch('42');
    await pause(rig, 70_000);
    expect(keys(session.punches())).toEqual(made(rig));
    expect(codes(rig)).toContain('odd');
    rig.terminal.setFault('no-answer', '');
    await pause(rig, 200_000);
    expect(await rig.run(session.ended)).toMatchObject({ code: 'link-silent' });
    await session.end();
  });
});

describe('the other side', () => {
  test('a wrong password is tried twice at most, and the account stays open', async () => {
    const rig = newRig({ options: { authPassword: 'wrong' }, simulatorOptions: { authPassword: 'right' } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    expect(rig.terminal.wrongTries).toBeLessThanOrEqual(2);
  });

  test('a missing password is told as such', async () => {
    const rig = newRig({ simulatorOptions: { authPassword: 'right' } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    expect(rig.terminal.wrongTries).toBe(0);
  });

  test('an HTTP server that is another device is named wrong-protocol', async () => {
    const rig = newRig();
    const [ours, theirs] = duplexPair();
    theirs.on('data', () => theirs.write('HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found'));
    const stop = new AbortController();
    const session = await dahuaAsi.open(ours, dahuaAsi.options.parse({}), benchWire(rig.clock), stop.signal);
    await expect(rig.run(session.identify())).rejects.toMatchObject({ code: 'wrong-protocol' });
    stop.abort();
    await session[Symbol.asyncDispose]();
    ours.destroy();
    theirs.destroy();
  });

  test('a busy terminal is asked again in the same session', async () => {
    const rig = newRig({ faults: { 'busy-error': '2' } });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(made(rig));
  });

  test('a terminal that stays busy is told as such, not taken for another device', async () => {
    const rig = newRig({ faults: { 'busy-error': '3' } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'terminal-busy' });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(made(rig));
  });

  test('a clock that jumped is read as it shows', async () => {
    const rig = newRig({ faults: { 'clock-jump': '7200' } });
    const connection = await rig.run(rig.connect());
    expect(await rig.run(connection.session.readClock?.() ?? Promise.resolve(''))).toMatch(/^2026-09-10 10:/);
    await rig.run(connection.close());
  });
});

describe.each([
  ['AccessUser over JSON-RPC', { accessUser: true }],
  ['AccessControlCard by CGI', { accessUser: false, rpc: false }],
])('people: %s', (_name, simulatorOptions) => {
  const withUsers = async (
    rig: DahuaRig,
    work: (users: NonNullable<Connection['session']['users']>) => Promise<void>,
  ): Promise<void> =>
    rig.run(async () => {
      const connection = await rig.connect();
      const { users } = connection.session;
      if (!users) throw new Error('no users');
      try {
        await work(users);
      } finally {
        await connection.close();
      }
    });

  test('an insert whose answer is lost is looked up and not repeated', async () => {
    const rig = newRig({ simulatorOptions, faults: { 'lost-insert': '1' } });
    await withUsers(rig, (users) => users.put({ id: '77', name: '王五' }));
    expect(rig.terminal.users().filter(({ id }) => id === '77')).toEqual([{ id: '77', name: '王五' }]);
    const inserts = rig.terminal.asked.filter((one) => one === 'recordUpdater.cgi insert');
    expect(inserts.length).toBe(simulatorOptions.accessUser ? 0 : 1);
  });

  test('a long name is cut between characters, and told without the name', async () => {
    const rig = newRig({ simulatorOptions });
    await withUsers(rig, (users) => users.put({ id: '77', name: '欧阳'.repeat(9) }));
    expect(rig.terminal.person('77')?.name).toBe('欧阳'.repeat(5));
    expect(JSON.stringify(rig.findings)).toMatch(/32 bytes/);
    expect(JSON.stringify(rig.findings)).not.toMatch(/欧阳/);
  });

  test('a change of the name keeps everything else', async () => {
    const rig = newRig({ simulatorOptions });
    await withUsers(rig, async (users) => {
      await users.put({ id: '77', name: 'A' });
      const before = rig.terminal.person('77')?.more;
      await users.put({ id: '77', name: 'B' });
      expect(rig.terminal.person('77')).toMatchObject({ name: 'B', more: before });
      await users.put({ id: '77', name: 'B' });
    });
  });

  test('a full terminal says so, and the reason holds no person', async () => {
    const rig = newRig({ simulatorOptions, faults: { 'memory-full': '' } });
    const wanted = simulatorOptions.accessUser ? 'terminal-full' : 'user-refused';
    await expect(withUsers(rig, (users) => users.put({ id: '77', name: '王五' }))).rejects.toMatchObject({
      code: wanted,
    });
  });

  test('a list of more than one page is complete', async () => {
    const users = Array.from({ length: 120 }, (_, index) => ({ id: String(1000 + index), name: `N${index}` }));
    const rig = newRig({ simulatorOptions, users });
    await withUsers(rig, async (people) => expect(await people.list()).toEqual(users));
  });
});
