/** What is special to the Hanvon session: keys seen wrong both ways, patience, windows, counts that differ, people with faces. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import type { Cursor, PunchRecord } from '../../src/drivers/driver.js';
import { encodeCommand } from '../../src/drivers/hanvon-faceid/codec.js';
import { hanvonFaceid } from '../../src/drivers/hanvon-faceid/driver.js';
import { createLexer } from '../../src/drivers/hanvon-faceid/lexer.js';
import { halves, planRead } from '../../src/drivers/hanvon-faceid/window.js';
import type { HanvonTerminal } from '../../src/drivers/hanvon-faceid/simulator.js';
import { createRig, history, keyOf, loadCaptures, SITE_ZONE, type Reading, type Rig, type RigOptions } from './rig.js';

const rigOf = (options: RigOptions = {}): Rig<unknown> => createRig(hanvonFaceid, { records: history(40), ...options });
const terminalOf = (rig: Rig<unknown>): HanvonTerminal => rig.terminal as HanvonTerminal;
const read = (rig: Rig<unknown>, after: Cursor | null = null): Promise<Reading> => rig.run(rig.readAll(after));
const keys = (punches: readonly PunchRecord[]): string[] => punches.map(keyOf).sort();
const commandsWithBounds = (connection: { readonly sent: readonly Uint8Array[] }): string[] =>
  connection.sent.map((bytes) => Buffer.from(bytes).toString('latin1')).filter((text) => text.startsWith('GetRecord'));

async function windowOf(rig: Rig<unknown>, after: Cursor | null): Promise<{ text: string; cursor: Cursor | null }> {
  return rig.run(async () => {
    const connection = await rig.connect();
    await connection.session.identify();
    let cursor: Cursor | null = null;
    for await (const page of connection.session.pages(after, { follow: true })) cursor = page.cursor;
    const [text = ''] = commandsWithBounds(connection);
    await connection.close();
    return { text, cursor };
  });
}

describe('keys', () => {
  test.each([
    ['the terminal has none', { options: { commKey: '2580' } }],
    ['the terminal has one', { simulatorOptions: { commKey: '2580' } }],
    ['the terminal has another', { options: { commKey: '1234' }, simulatorOptions: { commKey: '2580' } }],
    [
      'the terminal has another and says nothing',
      { options: { commKey: '1' }, simulatorOptions: { commKey: '2580', wrongKey: 'silent' } },
    ],
  ])('%s: auth-refused', async (_name, options) => {
    await expect(read(rigOf(options))).rejects.toMatchObject({ code: 'auth-refused' });
  });

  test('a terminal that says nothing to a plain command is silent, not refusing', async () => {
    const rig = rigOf({ simulatorOptions: { commKey: '2580', wrongKey: 'silent' } });
    await expect(read(rig)).rejects.toMatchObject({ code: 'link-silent' });
  });
});

describe('answers', () => {
  test('a late answer is never taken for another: the connection is closed after a deadline', async () => {
    const rig = rigOf();
    const reading = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      // 7 s are later than the deadline of 5 s: the first answer to GetDateTime comes when nobody waits for it any more.
      rig.terminal.setFault('delay', '7000');
      const clock = connection.session.readClock?.().catch((error: unknown) => error);
      await rig.clock.sleep(6000, new AbortController().signal);
      rig.terminal.setFault('delay', null);
      const told = await clock;
      await connection.close();
      return told;
    });
    expect(reading).toMatch(/^2026-09-10/);
    expect(
      terminalOf(rig)
        .commands()
        .filter((word) => word === 'GetDateTime').length,
    ).toBeGreaterThan(1);
  });

  test('two answers in one piece: the second is not the answer to the next command', async () => {
    const rig = rigOf({ faults: { 'two-returns': '' } });
    const { punches, findings } = await read(rig);
    expect(keys(punches)).toEqual(rig.terminal.records().map(keyOf).sort());
    expect(findings.some((finding) => finding.code === 'odd')).toBe(true);
  });

  test('patience moves the deadline, any number of times', async () => {
    const rig = rigOf({ faults: { wait: '4' }, simulatorOptions: { waitSeconds: 60 } });
    expect((await read(rig)).punches).toHaveLength(40);
  });

  test('a connection closed instead of an answer ends the visit', async () => {
    const rig = rigOf({ faults: { 'close-without-return': '' } });
    await expect(read(rig)).rejects.toMatchObject({ code: 'link-closed' });
    expect((await read(rig)).punches).toHaveLength(40);
  });

  test('a terminal that stays busy is busy', async () => {
    await expect(read(rigOf({ faults: { 'busy-error': '100' } }))).rejects.toMatchObject({ code: 'terminal-busy' });
  });

  test('what it breaks off in the middle is no list', async () => {
    const rig = rigOf({ faults: { 'reboot-mid-transfer': '20' } });
    await expect(read(rig)).rejects.toMatchObject({ code: 'link-closed' });
    expect((await read(rig)).punches).toHaveLength(40);
  });
});

describe('completeness', () => {
  test('a terminal that gives few records at a time is cut into windows until everything is there', async () => {
    const rig = rigOf({ simulatorOptions: { answerRecordsMax: 7 } });
    const { pages, punches } = await read(rig);
    expect(keys(punches)).toEqual(rig.terminal.records().map(keyOf).sort());
    expect(pages.at(-1)).toMatchObject({ drained: true, count: { announced: 40, decoded: 40 } });
  });

  test('records that nobody gives are a finding, and owed', async () => {
    const rig = rigOf({ records: history(3), faults: { 'wrong-count': '1' } });
    const { pages, findings } = await read(rig);
    const last = pages.at(-1);
    expect(last?.drained).toBe(false);
    expect(last?.count?.announced).toBeGreaterThan(last?.count?.decoded ?? 0);
    expect(last?.cursor).toMatchObject({ owed: '' });
    expect(findings.some((finding) => finding.code === 'count-mismatch')).toBe(true);
  });

  test('without a total everything is compared with what the terminal says it stores', async () => {
    const rig = rigOf({ simulatorOptions: { total: false } });
    expect((await read(rig)).pages.at(-1)?.count).toEqual({ announced: 40, decoded: 40 });
  });

  test('a record of a day that never was keeps its text, and is told', async () => {
    const { punches, findings } = await read(rigOf({ records: history(2), faults: { 'impossible-date': '' } }));
    expect(punches.map((punch) => punch.wallTime)).toContain('2025-02-30 08:05:30');
    expect(findings.some((finding) => finding.code === 'impossible-date')).toBe(true);
  });

  test('the same person twice in one second is given once', async () => {
    const { punches, pages } = await read(rigOf({ faults: { 'duplicate-record': '' } }));
    expect(punches).toHaveLength(40);
    expect(pages.at(-1)?.drained).toBe(true);
  });
});

describe('windows', () => {
  test('first everything, then from ten minutes before the last punch, every hour a day, at night a week', async () => {
    const records = [{ userId: '42', wallTime: '2026-09-10 07:50:00' as WallTime }];
    const rig = rigOf({ records });
    const first = await windowOf(rig, null);
    expect(first.text).toBe('GetRecord()');
    expect(first.cursor).toMatchObject({ lastSeen: '2026-09-10 07:50:00' });
    expect((await windowOf(rig, first.cursor)).text).toContain('start_time="2026-9-10 7:40:0" end_time="2026-9-11 8:0');
    rig.clock.jump(3_700_000);
    const hourly = await windowOf(rig, first.cursor);
    expect(hourly.text).toContain('start_time="2026-9-9 9:');
    expect((await windowOf(rig, hourly.cursor)).text).toContain('start_time="2026-9-10 7:40:0"');
    rig.clock.jump(18 * 3_600_000);
    expect((await windowOf(rig, hourly.cursor)).text).toContain('start_time="2026-9-4 3:');
  });

  test('the first reading begins where the technician says', async () => {
    const rig = rigOf({ options: { since: '2020-01-01' } });
    expect((await windowOf(rig, null)).text).toBe('GetRecord(start_time="2020-1-1 0:0:0")');
  });

  test('a punch of a future that was undone hides nothing', () => {
    const at = (lastSeen: string): string | null =>
      planRead({
        after: { lastSeen, dayAt: 1000, weekAt: 1000 },
        now: 2000 as never,
        zone: SITE_ZONE,
        shown: '1970-01-01 08:00:02' as WallTime,
        since: null,
        overlapMinutes: 10,
      }).window.from;
    expect(at('2030-05-05 00:00:00')).toBe('1970-01-01 07:50:02');
  });

  describe('what is owed', () => {
    const plan = (after: Cursor | null, minutes: number) =>
      planRead({
        ...{ after, now: (Date.UTC(2026, 8, 10, 4, 0, 0) + minutes * 60_000) as never, zone: SITE_ZONE },
        ...{ shown: null, since: null, overlapMinutes: 10 },
      });
    const latest = '2026-09-10 11:59:00' as WallTime;

    test('is not forgotten for a later and shorter window that is short too, and comes when it is due', () => {
      let after: Cursor = plan(null, 0).short(latest);
      for (let minutes = 1; minutes < 60; minutes += 1) after = plan(after, minutes).short(latest);
      expect(after).toMatchObject({ owed: '' });
      expect(plan(after, 61).window).toEqual({ from: null, to: null });
    });

    test('is tried in windows that are cut only when it is due, and ever less often', () => {
      let after: Cursor = plan(null, 0).short(latest);
      const cut: number[] = [];
      for (let minutes = 1; minutes < 24 * 60; minutes += 1) {
        const { cuts, short } = plan(after, minutes);
        if (cuts) cut.push(minutes);
        after = short(latest);
      }
      expect(cut).toEqual([60, 180, 420, 900]);
    });
  });

  test('a punch of a far future hides no long absence that comes after it', () => {
    const plan = (after: Cursor | null, days: number) =>
      planRead({
        ...{ after, now: (Date.UTC(2026, 8, 10, 4, 0, 0) + days * 86_400_000) as never, zone: SITE_ZONE },
        ...{ shown: null, since: null, overlapMinutes: 10 },
      });
    const after = plan(null, 0).done('2030-01-01 08:00:00' as WallTime);
    expect(plan(after, 30).window.from).toBe('2026-09-10 11:50:00');
  });

  test('halves meet without a gap and end at one second', () => {
    const from = '2026-03-01 00:00:00' as WallTime;
    expect(halves({ from, to: '2026-03-01 00:00:09' as WallTime })).toEqual([
      { from, to: '2026-03-01 00:00:04' },
      { from: '2026-03-01 00:00:05', to: '2026-03-01 00:00:09' },
    ]);
    expect(halves({ from, to: '2026-03-01 00:00:01' as WallTime })).toBeNull();
  });
});

describe('people', () => {
  const change = async (
    rig: Rig<unknown>,
    work: (users: NonNullable<Awaited<ReturnType<Rig<unknown>['connect']>>['session']['users']>) => Promise<void>,
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

  test('whoever has a face is not renamed, and keeps the face', async () => {
    const rig = rigOf();
    await expect(change(rig, (users) => users.put({ id: '42', name: 'Anne' }))).rejects.toMatchObject({
      code: 'user-refused',
    });
    await change(rig, (users) => users.put({ id: '42', name: 'Anna' }));
    expect(terminalOf(rig).faces('42')).toBe(18);
    expect(terminalOf(rig).commands()).not.toContain('SetEmployee');
  });

  test('a full terminal says so', async () => {
    const rig = rigOf({ faults: { 'memory-full': '' } });
    await expect(change(rig, (users) => users.put({ id: '99', name: 'Eve' }))).rejects.toMatchObject({
      code: 'terminal-full',
    });
  });

  test('names that the protocol cannot write are refused, not bent', async () => {
    const rig = rigOf({ simulatorOptions: { faces: 0 } });
    await expect(change(rig, (users) => users.put({ id: '42', name: 'An"na' }))).rejects.toMatchObject({
      code: 'user-refused',
    });
    await change(rig, (users) => users.put({ id: '42', name: '欧阳(大)' }));
    expect(rig.terminal.users()).toContainEqual({ id: '42', name: '欧阳(大)' });
  });
});

test('commands that erase cannot be written', () => {
  for (const word of ['DeleteAllRecord', 'DeleteAllEmployee', 'InitDevice', 'SDFormat', 'SetNameTable'])
    expect(() => encodeCommand(word, [], null)).toThrow(expect.objectContaining({ code: 'forbidden-request' }));
});

test('clocks of both families are set', async () => {
  for (const family of ['classic', 'f810']) {
    const rig = rigOf({ simulatorOptions: { family } });
    await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.setClock?.('2026-12-31 23:59:00' as WallTime);
      await connection.close();
    });
    expect(rig.terminal.wallClock()).toMatch(/^2026-12-31 23:59:0/);
    expect(terminalOf(rig).commands()).toContain(family === 'f810' ? 'SetDateTime' : 'SetDeviceInfo');
  }
});

describe('serial number', () => {
  const serial = async (options: RigOptions): Promise<string> => {
    const rig = rigOf(options);
    return rig.run(async () => {
      const connection = await rig.connect();
      const told = await connection.session.identify().finally(() => connection.close());
      return told.serial;
    });
  };
  test('a number from the menu is none: the network card or the option names the terminal', async () => {
    expect(await serial({ simulatorOptions: { serialIn: 'none' } })).toBe('02:00:00:00:00:09');
    expect(await serial({ simulatorOptions: { serialIn: 'sn', family: 'f810' } })).toBe('TEST0001');
    await expect(serial({ simulatorOptions: { serialIn: 'sn' } })).rejects.toMatchObject({ code: 'bad-reply' });
    expect(await serial({ simulatorOptions: { serialIn: 'sn' }, options: { serial: 'ROOM-0101' } })).toBe('ROOM-0101');
  });
});

describe('lexer', () => {
  const pairs = (text: string): string[] => {
    const lexer = createLexer({ key: null, words: null, drops: (key) => key === 'photo' });
    return [...lexer.push(Buffer.from(text)), ...lexer.end()].flatMap((token) =>
      token.kind === 'pair'
        ? [`${token.key}:${token.value === null ? token.size : Buffer.from(token.value).toString()}`]
        : token.kind === 'broken'
          ? ['broken']
          : [],
    );
  };
  test.each([
    ['Return(a="x)" b="(y")', ['a:x)', 'b:(y']],
    ['Return(weigen= 0 ip="1")', ['weigen:0', 'ip:1']],
    ['Return(weigen= ip="1")', ['weigen:', 'ip:1']],
    ['Return(check="face"open="card")', ['check:face', 'open:card']],
    ['Return(name="Zhang "Z" San" id="1")', ['name:Zhang "Z" San', 'id:1']],
    ['Return(time="2015-10-08 18:53:30"ULL" id="1")', ['time:2015-10-08 18:53:30"ULL', 'id:1']],
    ['Return(\r\n\t a = "1"\n)', ['a:1']],
    ['Return(photo="AAAA" id="1")', ['photo:4', 'id:1']],
    ['Return(a="1" , b)', ['broken']],
  ])('%s', (text, expected) => {
    expect(pairs(text)).toEqual(expected);
  });

  // Found by fuzzing: each byte of such a run was tried as the beginning of a word and all behind it read again.
  test('does not read a long run of letters again and again, and finds the word at its end', () => {
    const run = 'abc_1'.repeat(20_000);
    const lexer = createLexer({ key: null, words: null, drops: () => false });
    const began = process.cpuUsage().user;
    const tokens = [...lexer.push(Buffer.from(run)), ...lexer.push(Buffer.from('( a="b")(x(')), ...lexer.end()];
    expect((process.cpuUsage().user - began) / 1000).toBeLessThan(2000);
    const begin = tokens.find((token) => token.kind === 'begin');
    // The longest end of the run that begins with a letter and has at most 32 characters.
    expect(begin?.kind === 'begin' ? begin.word : null).toBe(run.slice(-30));
    expect(tokens.filter((token) => token.kind === 'end')).toHaveLength(1);
    let at = 0;
    for (const token of tokens) {
      if (token.kind !== 'noise') continue;
      expect(token.at).toBeGreaterThanOrEqual(at);
      at = token.end;
    }
    expect(at).toBe(run.length + '( a="b")(x('.length);
  });

  test('is linear in the size of a message, encrypted too', () => {
    const value = Buffer.alloc(2 * 1024 * 1024, 0x41);
    for (const key of [null, Uint8Array.of(50, 54, 58, 52, 8, 16, 32, 64)]) {
      const lexer = createLexer({ key, words: null, drops: () => false });
      const text = Buffer.concat([Buffer.from('Return(a="'), value, Buffer.from('" b="1")')]);
      const bytes = key === null ? text : text.map((byte, at) => byte ^ (key[at & 7] ?? 0));
      const began = performance.now();
      const tokens = [];
      for (let at = 0; at < bytes.length; at += 7) tokens.push(...lexer.push(bytes.subarray(at, at + 7)));
      expect(tokens.filter((token) => token.kind === 'pair')).toHaveLength(2);
      expect(performance.now() - began).toBeLessThan(4000);
    }
  });

  test('a value above 2 MiB ends the message, and memory with it', () => {
    const lexer = createLexer({ key: null, words: null, drops: () => false });
    const kinds = lexer
      .push(Buffer.concat([Buffer.from('Return(a="'), Buffer.alloc(2 * 1024 * 1024 + 1, 0x41)]))
      .map(({ kind }) => kind);
    expect(kinds).toContain('broken');
  });
});

describe('scrubbing', () => {
  const masks = {
    id: (told: string): string => told.replace(/\d/g, (digit) => String((Number(digit) + 5) % 10 || 7)),
    filler: (length: number): Uint8Array => Buffer.alloc(length, 'x'),
  };
  const options = hanvonFaceid.options.parse({ commKey: '2580' });
  const decode = (bytes: Uint8Array, from: 'device' | 'gateway'): string[] => {
    const decoder = hanvonFaceid.decoder(options, from);
    return [...decoder.push(bytes), ...decoder.end()].flatMap((one) =>
      one.kind === 'punch' ? [keyOf(one.punch)] : one.kind === 'message' ? [one.name] : ['noise'],
    );
  };

  test.each(loadCaptures(join(import.meta.dirname, '../captures/hanvon-faceid')))('$name', ({ bytes, from }) => {
    const clean = hanvonFaceid.scrub(options, from, bytes, masks);
    expect(clean.length).toBe(bytes.length);
    const text = Buffer.from(clean).toString('latin1');
    for (const person of ['20250017', '"42"', '42=', '20250099', 'Zhang', "Li 'Si", 'RkFDRQ', '/9j/', '0Xffffffff'])
      expect(text).not.toContain(person);
    for (const name of ['张三', '王五', '李四']) {
      expect(Buffer.from(clean).includes(Buffer.from(name, 'utf8'))).toBe(false);
      expect(Buffer.from(clean).includes(Buffer.from([0xd5, 0xc5, 0xc8, 0xfd]))).toBe(false);
    }
    const masked = decode(bytes, from).map((line) => line.replace(/^(\d+)(?= )/, (id) => masks.id(id)));
    expect(decode(clean, from)).toEqual(masked);
  });

  test('spoilt captures are scrubbed without an error', () => {
    for (const { bytes, from } of loadCaptures(join(import.meta.dirname, '../captures/hanvon-faceid')))
      for (let at = 0; at < bytes.length; at += 3) {
        const spoilt = Uint8Array.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ 0x7f;
        expect(hanvonFaceid.scrub(options, from, spoilt, masks)).toHaveLength(bytes.length);
      }
  });
});
