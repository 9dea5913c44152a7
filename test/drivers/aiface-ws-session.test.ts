/** What is special to AiFace terminals in a conversation: pushes, lists, clocks, silence. */
import { describe, expect, test } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import { aifaceWs } from '../../src/drivers/aiface-ws/driver.js';
import { createHand, follow, logAnswers, record, type Hand, type Said } from './aiface-ws-rig.js';
import { createRig, history, keyOf, readPages } from './rig.js';

const NONE = { ...logAnswers('getalllog', []), ...logAnswers('getnewlog', []) };
const time = { gettime: () => ({ ret: 'gettime', time: '2025-09-01 08:00:00' }) };
const sent = (hand: Hand, key: 'cmd' | 'ret', name: string): Said[] => hand.said.filter((one) => one[key] === name);

/** A session that has read everything and follows. */
async function following(options: Said = {}, info: Said = {}, confirms?: () => boolean) {
  const hand = await createHand(options);
  hand.answer({ ...NONE, ...time });
  hand.register(info);
  await hand.clock.advance(10);
  const reader = follow(hand, null, confirms);
  await hand.clock.advance(10);
  return { hand, ...reader };
}

const push = (record: readonly Said[], more: Said = {}): Said => ({
  cmd: 'sendlog',
  sn: 'TEST00000001',
  count: record.length,
  logindex: 7,
  record,
  ...more,
});
const punch: Said = { enrollid: 42, time: '2025-09-01 08:00:01', mode: 8, inout: 0, event: 0 };

describe('what it pushes', () => {
  test('is answered after the commit only, with count and logindex as told', async () => {
    let stored = false;
    const { hand, pages } = await following({}, {}, () => stored);
    hand.tell(push([punch], { count: '3', logindex: '1031' }));
    await hand.clock.advance(100);
    expect(pages.at(-1)?.punches).toMatchObject([
      { deviceUserId: '42', source: 'push', verify: 'face', direction: 'in' },
    ]);
    expect(sent(hand, 'ret', 'sendlog')).toEqual([]);
    stored = true;
    const page = pages.at(-1);
    if (page) await hand.session.confirm(page);
    await hand.clock.advance(10);
    expect(sent(hand, 'ret', 'sendlog')).toEqual([{ ret: 'sendlog', result: true, count: 3, logindex: 1031 }]);
    await hand.close();
  });

  test('is one page and one answer however often it is sent while it waits', async () => {
    const hand = await createHand();
    hand.answer({ ...NONE, ...time });
    hand.register();
    for (let time = 0; time < 3; time += 1) hand.tell(push([punch]));
    await hand.clock.advance(10);
    const { pages } = follow(hand);
    await hand.clock.advance(10);
    expect(pages.flatMap((page) => page.punches)).toHaveLength(1);
    expect(sent(hand, 'ret', 'sendlog')).toHaveLength(1);
    await hand.close();
  });

  test('of the door is no punch and is answered all the same; an alarm is a finding', async () => {
    const { hand, pages } = await following();
    hand.tell(push([{ ...punch, enrollid: 0, mode: 0, event: 6 }]));
    await hand.clock.advance(100);
    expect(pages.flatMap((page) => page.punches)).toEqual([]);
    expect(sent(hand, 'ret', 'sendlog')).toHaveLength(1);
    expect(hand.findings.map((finding) => finding.text)).toContain('Event of the door: terminal removed');
    await hand.close();
  });

  test.each([
    [{}, []],
    [{ strangers: 'keep' }, ['99999999', '0']],
    [{ strangers: 'keep', strangerIds: ['5'] }, ['99999999', '0']],
    [{ strangerIds: ['5'] }, ['99999999']],
  ] as const)('of strangers goes where the options %o say', async (options, ids) => {
    const { hand, pages } = await following(options);
    hand.tell(
      push([
        { ...punch, enrollid: 99_999_999 },
        { ...punch, enrollid: 0, image: 'QUJD' },
      ]),
    );
    await hand.clock.advance(100);
    expect(pages.flatMap((page) => page.punches).map((one) => one.deviceUserId)).toEqual(ids);
    expect(sent(hand, 'ret', 'sendlog')).toHaveLength(1);
    await hand.close();
  });

  test('long after it was made is a replay; a photo is dropped and appears nowhere', async () => {
    const { hand, pages } = await following();
    const photo = Buffer.from('face of somebody '.repeat(15_000)).toString('base64');
    hand.tell(
      push([{ ...punch, time: '2025-09-01 07:00:00', name: '张三', image: photo, enrollid: '9007199254740993' }]),
    );
    await hand.clock.advance(100);
    const [told] = pages.flatMap((page) => page.punches);
    expect(told).toMatchObject({ source: 'replay', deviceUserId: '9007199254740993' });
    const raw = Buffer.from(told?.raw ?? []).toString();
    expect(JSON.parse(raw)).toMatchObject({ image: '', name: '', time: '2025-09-01 07:00:00' });
    expect(JSON.stringify([pages, hand.findings, hand.said])).not.toMatch(/张三|ZmFjZSBvZ/);
    await hand.close();
  });

  test('of a new face is answered true and forgotten; a QR code opens nothing', async () => {
    const { hand } = await following();
    hand.tell({ cmd: 'senduser', enrollid: 42, name: 'Li Si', backupnum: 50, admin: 0, record: 'QUJD' });
    hand.tell({ cmd: 'sendqrcode', sn: 'TEST00000001', record: '123456' });
    await hand.clock.advance(100);
    expect(sent(hand, 'ret', 'senduser')).toEqual([{ ret: 'senduser', result: true }]);
    expect(sent(hand, 'ret', 'sendqrcode')).toMatchObject([{ result: true, access: 0 }]);
    expect(JSON.stringify(hand.findings)).not.toContain('Li Si');
    await hand.close();
  });

  test('opens the door only where the options say so', async () => {
    const { hand } = await following({ grantAccess: true });
    hand.tell(push([punch]));
    await hand.clock.advance(100);
    expect(sent(hand, 'ret', 'sendlog')).toMatchObject([{ access: 1 }]);
    await hand.close();
  });
});

describe('lists', () => {
  test('first contact reads from the configured start, page by page, and counts', async () => {
    const hand = await createHand({ since: '2025-08-01' });
    hand.answer(
      logAnswers(
        'getalllog',
        Array.from({ length: 120 }, (_, index) => record(index)),
      ),
    );
    hand.register();
    await hand.clock.advance(10);
    const { pages } = follow(hand);
    await hand.clock.advance(100);
    expect(sent(hand, 'cmd', 'getalllog')).toEqual([
      { cmd: 'getalllog', stn: true, from: '2025-08-01', to: '2099-12-31' },
      { cmd: 'getalllog', stn: false },
      { cmd: 'getalllog', stn: false },
    ]);
    expect(pages.at(-1)).toMatchObject({ drained: true, count: { announced: 120, decoded: 120 } });
    await hand.close();
  });

  test('a wrong count is a finding and no complete read; the list is read again an hour later', async () => {
    const hand = await createHand();
    hand.answer({
      ...time,
      getalllog: () => ({ ret: 'getalllog', result: true, count: 9, from: 0, to: 0, record: [record(1)] }),
    });
    hand.register();
    await hand.clock.advance(10);
    const { pages } = follow(hand);
    await hand.clock.advance(20_000);
    expect(hand.findings.map((finding) => finding.code)).toContain('count-mismatch');
    expect(pages.findLast((page) => page.count)).toMatchObject({ drained: false });
    hand.answer(logAnswers('getalllog', [record(1)]));
    for (let minute = 0; minute < 62; minute += 1) {
      hand.register();
      await hand.clock.advance(60_000);
    }
    expect(pages.findLast((page) => page.count)).toMatchObject({ drained: true, count: { announced: 1, decoded: 1 } });
    await hand.close();
  });

  test('new records are announced in the position before they are asked for, and a lost page is fetched from the whole log', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', records: history(120) });
    const first = await rig.run(rig.readAll());
    const cursor = first.pages.at(-1)?.cursor ?? null;
    expect(cursor).toMatchObject({ complete: true, owedFrom: null });
    for (const one of history(70))
      rig.terminal.addRecord({
        ...one,
        wallTime: one.wallTime.replace('2020', '2026').replace('-01-01', '-09-09') as WallTime,
      });
    rig.terminal.setFault('lost-page', '2');
    const second = await rig.run(rig.readAll(cursor));
    expect(second.pages.some((page) => page.cursor?.owedFrom !== null && page.cursor?.owedFrom !== undefined)).toBe(
      true,
    );
    expect(second.pages.at(-1)).toMatchObject({ drained: true, cursor: { owedFrom: null } });
    expect(second.findings.map((finding) => finding.code)).toContain('resent-page');
    const got = new Set([...first.punches, ...second.punches].map(keyOf));
    expect(rig.terminal.records().filter((one) => !got.has(keyOf(one)))).toEqual([]);
  });

  test('new records that were announced and did not come are owed, also by the next session', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', records: history(10) });
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-09 12:00:00' as WallTime });
    rig.terminal.setFault('wrong-count', '');
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.pages.at(-1)).toMatchObject({ drained: false, cursor: { owedFrom: '2026-09-09' } });
    rig.terminal.setFault('wrong-count', null);
    const third = await rig.run(rig.readAll(second.pages.at(-1)?.cursor ?? null));
    expect(third.punches.map(({ wallTime }) => wallTime)).toContain('2026-09-09 12:00:00');
    expect(third.pages.at(-1)).toMatchObject({ drained: true, cursor: { owedFrom: null } });
  });

  test('a crash between a list and its storing is made good by the days it owes', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', records: history(10) });
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-09-09 12:00:00' as WallTime });
    const owed = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const reading = await readPages(connection, first.pages.at(-1)?.cursor ?? null, { follow: false }, () => true);
      // The terminal has sent the page and forgotten that it is new; nothing of it was stored.
      const again = connection.session.pages(reading.pages[0]?.cursor ?? null, { follow: false });
      await again[Symbol.asyncIterator]().next();
      await connection.close();
      return reading.pages[0]?.cursor ?? null;
    });
    expect(owed).toMatchObject({ owedFrom: '2026-09-09' });
    const after = await rig.run(rig.readAll(owed));
    expect(after.punches.map((one) => one.wallTime)).toContain('2026-09-09 12:00:00');
    expect(after.pages.at(-1)).toMatchObject({ drained: true, cursor: { owedFrom: null } });
  });

  test('a late answer is not taken for the beginning of the list read again', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', records: history(130) });
    rig.terminal.setFault('late-answer', '');
    const { punches, pages } = await rig.run(rig.readAll());
    expect(new Set(punches.map(keyOf)).size).toBe(130);
    expect(pages.at(-1)?.count).toEqual({ announced: 130, decoded: 130 });
  });

  test('a log that shrank is a new epoch and read again from the start', async () => {
    const { hand, pages } = await following({}, { usedlog: 500 });
    hand.answer(logAnswers('getalllog', [record(1)]));
    hand.register({ usedlog: 1 });
    await hand.clock.advance(6000);
    expect(hand.findings.filter((finding) => finding.code === 'epoch-changed')).toHaveLength(1);
    expect(pages.flatMap((page) => page.punches)).toHaveLength(1);
    hand.register({ usedlog: 1 });
    await hand.clock.advance(6000);
    expect(hand.findings.filter((finding) => finding.code === 'epoch-changed')).toHaveLength(1);
    await hand.close();
  });

  test('the last three days are compared every night', async () => {
    const { hand } = await following();
    const before = sent(hand, 'cmd', 'getalllog').length;
    for (let minute = 0; minute < 20 * 60; minute += 1) {
      hand.register({ time: undefined });
      await hand.clock.advance(60_000);
    }
    // 04:00 of the second of September: the night began at 02:00.
    expect(sent(hand, 'cmd', 'getalllog').slice(before)).toEqual([
      { cmd: 'getalllog', stn: true, from: '2025-08-30', to: '2099-12-31' },
    ]);
    await hand.close();
  });

  test('records that stay new are asked for less and less often', async () => {
    const { hand } = await following();
    hand.answer(logAnswers('getnewlog', [record(1)]));
    for (let minute = 0; minute < 240; minute += 1) {
      hand.register({ usednewlog: 1, usedlog: 1 });
      await hand.clock.advance(30_000);
    }
    expect(sent(hand, 'cmd', 'getnewlog').length).toBeGreaterThan(3);
    expect(sent(hand, 'cmd', 'getnewlog').length).toBeLessThan(9);
    await hand.close();
  });
});

describe('clocks', () => {
  test('UTC is found by comparison, and everything is told in the zone of the terminal', async () => {
    const { hand, pages } = await following({}, { time: '2025-09-01 00:00:02' });
    hand.answer({
      gettime: () => ({ ret: 'gettime', time: '2025-09-01 00:00:05' }),
      settime: () => ({ ret: 'settime', result: true }),
    });
    hand.tell(push([{ ...punch, time: '2025-09-01T00:00:01.500Z' }]));
    await hand.clock.advance(100);
    expect(pages.flatMap((page) => page.punches)).toMatchObject([{ wallTime: '2025-09-01 08:00:01' }]);
    const reading = hand.session.readClock?.();
    await hand.clock.advance(10);
    expect(await reading).toBe('2025-09-01 08:00:05');
    const setting = hand.session.setClock?.('2025-09-01 08:30:00' as WallTime);
    await hand.clock.advance(10);
    await setting;
    expect(sent(hand, 'cmd', 'settime')).toEqual([{ cmd: 'settime', cloudtime: '2025-09-01 00:30:00' }]);
    await hand.close();
  });

  test('a clock far from both readings is local, with an alarm; what was found before is kept', async () => {
    const { hand } = await following({}, { time: '2000-01-01 00:00:00' });
    expect(hand.findings.map((finding) => finding.code)).toEqual(['clock-odd']);
    expect((await hand.session.identify()).details).toMatchObject({ clockMode: 'local' });
    await hand.close();

    const other = await createHand();
    other.answer(NONE);
    other.register({ time: '2025-09-01 00:00:00' });
    await other.clock.advance(10);
    const cursor = {
      complete: true,
      records: 0,
      checked: '2025-08-31',
      owedFrom: null,
      clockMode: 'local',
      firmware: 'x1',
    };
    const { pages } = follow(other, cursor);
    other.tell(push([punch]));
    await other.clock.advance(100);
    expect(pages.flatMap((page) => page.punches)).toMatchObject([{ wallTime: '2025-09-01 08:00:01' }]);
    expect(other.findings.map((finding) => finding.code)).toContain('clock-odd');
    await other.close();
  });

  test.each([
    ['never', undefined, undefined],
    ['device', '2025-09-01 07:50:00', '2025-09-01 07:50:30'],
    ['gateway', '2025-09-01 07:50:00', '2025-09-01 08:00:30'],
  ])('cloudtime %s', async (cloudTime, first, later) => {
    const { hand } = await following({ cloudTime }, { time: '2025-09-01 07:50:00' });
    await hand.clock.advance(30_000 - hand.clock.ticks());
    hand.register({ time: '2025-09-01 07:50:29' });
    await hand.clock.advance(10);
    const told = sent(hand, 'ret', 'reg').map((one) => one.cloudtime);
    expect(told).toEqual([first, later]);
    await hand.close();
  });

  test('a reg of unknown age is not answered with its own time', async () => {
    const reg = { cmd: 'reg', sn: 'TEST00000001', devinfo: { time: '2025-09-01 08:00:00' } };
    const hand = await createHand({ cloudTime: 'device' }, Buffer.from(JSON.stringify(reg)));
    await hand.clock.advance(10);
    expect(sent(hand, 'ret', 'reg')).toEqual([{ ret: 'reg', result: true, nosenduser: true, nosendlog: false }]);
    // It is good enough to tell a record of yesterday from one of now.
    hand.answer({ ...NONE, ...time });
    const { pages } = follow(hand);
    hand.tell(push([{ ...punch, time: '2025-08-31 17:00:00' }]));
    await hand.clock.advance(100);
    expect(pages.flatMap((page) => page.punches)).toMatchObject([{ source: 'replay' }]);
    await hand.close();
  });

  test('an impossible date keeps its text', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', records: history(3), faults: { 'impossible-date': '' } });
    const { punches, findings } = await rig.run(rig.readAll());
    expect(punches[0]?.wallTime).toMatch(/^2025-02-30 /);
    expect(findings.map((finding) => finding.code)).toContain('impossible-date');
  });

  test('firmware that does not know gettime tells its time with reg', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', simulatorOptions: { knowsGetTime: false } });
    const told = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      await rig.clock.sleep(40_000, new AbortController().signal);
      const wall = await connection.session.readClock?.();
      const shown = rig.terminal.wallClock();
      await connection.close();
      return [wall, shown];
    });
    expect(Date.parse(`${told[1]}Z`) - Date.parse(`${told[0]}Z`)).toBeLessThanOrEqual(2000);
  });
});

describe('silence', () => {
  test('for three heartbeats and no answer in ten seconds is link-silent', async () => {
    const { hand, ended } = await following();
    hand.answer({ gettime: () => undefined });
    await hand.clock.advance(30_000);
    hand.register();
    await hand.clock.advance(89_000);
    expect(await Promise.race([ended, Promise.resolve('going on')])).toBe('going on');
    await hand.clock.advance(40_000);
    expect(await ended).toMatchObject({ code: 'link-silent' });
    await hand.close();
  });

  test('with an answer is a sign of life, told as an empty page', async () => {
    const { hand, pages, ended } = await following();
    await hand.clock.advance(300_000);
    expect(pages.filter((page) => page.count === null && page.punches.length === 0).length).toBeGreaterThan(4);
    expect(sent(hand, 'cmd', 'gettime').length).toBeGreaterThan(4);
    hand.terminal.destroy();
    await hand.clock.advance(10);
    await hand.close();
    expect(await ended).toMatchObject({ code: 'link-closed' });
  });

  test('an unfinished message does not make the driver deaf', async () => {
    const { hand, pages } = await following();
    hand.tellBytes(Buffer.from('{"cmd":"sendlog","record":[{"enrollid":1,"image":"AAAA'));
    await hand.clock.advance(100);
    hand.tell(push([punch]));
    await hand.clock.advance(100);
    expect(pages.flatMap((page) => page.punches)).toHaveLength(1);
    expect(hand.findings.map((finding) => finding.code)).toContain('noise');
    await hand.close();
  });
});

test('a terminal that restarts in the middle of a list is read from the beginning', async () => {
  const rig = createRig(aifaceWs, { calls: 'only', records: history(130), faults: { 'reboot-mid-transfer': '' } });
  await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'link-closed' });
  const { punches } = await rig.run(rig.readAll());
  expect(new Set(punches.map(keyOf)).size).toBe(130);
});

test.each([
  { 'seq-reset': '' },
  { 'duplicate-record': '' },
  { 'memory-full': '' },
  { 'busy-error': '2' },
  { 'door-event': '' },
  { stranger: '' },
])('the fault %o costs no punch', async (faults) => {
  const rig = createRig(aifaceWs, { calls: 'only', records: history(60) });
  const first = await rig.run(rig.readAll());
  for (const [name, value] of Object.entries(faults)) rig.terminal.setFault(name, value);
  const seen = first.punches.map(keyOf);
  const connection = await rig.run(rig.connect());
  await rig.run(connection.session.identify());
  const reading = readPages(connection, first.pages.at(-1)?.cursor ?? null, { follow: true }, (pages) => {
    seen.push(...(pages.at(-1)?.punches ?? []).map(keyOf));
    return pages.length > 12;
  });
  await rig.run(rig.clock.sleep(40_000, new AbortController().signal));
  rig.terminal.punch('42');
  rig.terminal.punch('20250017');
  await rig.run(reading);
  await rig.run(connection.close());
  expect(rig.terminal.records().filter((one) => !seen.includes(keyOf(one)))).toEqual([]);
  const codes = connection.findings.map((finding) => finding.code);
  if ('seq-reset' in faults) expect(codes).toContain('epoch-changed');
  if ('memory-full' in faults) expect(codes).toContain('memory-low');
  if (!('seq-reset' in faults)) expect((rig.terminal as ReturnType<typeof aifaceWs.simulate>).newRecords()).toBe(0);
});

test('what nobody fetched is pushed as well, and nothing is lost by hearing it twice', async () => {
  const rig = createRig(aifaceWs, {
    calls: 'only',
    records: history(60),
    simulatorOptions: { pushBacklog: true, pushRecords: 10 },
  });
  const { punches, pages } = await rig.run(rig.readAll());
  expect(new Set(punches.map(keyOf)).size).toBe(60);
  expect(pages.at(-1)?.count).toEqual({ announced: 60, decoded: 60 });
});

describe('people', () => {
  test('a known person keeps rank and credentials; a new one gets no template', async () => {
    const rig = createRig(aifaceWs, { calls: 'only', simulatorOptions: { userCapacity: 4 } });
    const terminal = rig.terminal as ReturnType<typeof aifaceWs.simulate>;
    await rig.run(async () => {
      const connection = await rig.connect();
      const { session, sent } = connection;
      await session.identify();
      await session.users?.put({ id: '42', name: '安娜' });
      await session.users?.put({ id: '3000000000', name: '新人' });
      expect(terminal.credentials('42')).toEqual([20, 50]);
      expect(terminal.credentials('3000000000')).toEqual([10]);
      await expect(session.users?.put({ id: '77', name: 'A' })).rejects.toMatchObject({ code: 'terminal-full' });
      await expect(session.users?.put({ id: 'A7', name: 'A' })).rejects.toMatchObject({ code: 'user-refused' });
      await expect(session.users?.put({ id: '78', name: '长'.repeat(30) })).rejects.toMatchObject({
        code: 'user-refused',
      });
      const said = sent.map((bytes) => Buffer.from(bytes).toString()).join('\n');
      expect(said).not.toMatch(/getuserinfo|"backupnum":(?:50|2\d)/);
      await connection.close();
    });
  });

  test('a hundred people are listed over pages that count only themselves', async () => {
    const users = Array.from({ length: 100 }, (_, index) => ({ id: String(index + 1), name: `甲${index}` }));
    const rig = createRig(aifaceWs, { calls: 'only', users, faults: { 'gbk-name': '' } });
    const listed = await rig.run(async () => {
      const connection = await rig.connect();
      const { session } = connection;
      await session.identify();
      const found = await session.users?.list();
      await connection.close();
      return found;
    });
    expect(listed).toEqual(users);
  });
});

test('another serial number on the same connection ends it', async () => {
  const hand = await createHand();
  hand.register();
  await hand.clock.advance(10);
  hand.tell({ cmd: 'reg', sn: 'OTHER', devinfo: {} });
  await hand.clock.advance(10);
  const reading = hand.session.readClock?.().catch((error: unknown) => error);
  await hand.clock.advance(10);
  expect(await reading).toMatchObject({ code: 'bad-reply' });
  await hand.close();
});

test('nothing that erases can be asked, and each message was one piece', async () => {
  const rig = createRig(aifaceWs, { calls: 'only', records: history(130), simulatorOptions: { serverApproval: true } });
  await rig.run(rig.readAll());
  const terminal = rig.terminal as ReturnType<typeof aifaceWs.simulate>;
  expect(terminal.violations()).toBe(0);
  // The gateway is away now: with server approval nothing is recorded.
  rig.terminal.punch('42');
  expect(rig.terminal.records()).toHaveLength(130);
});
