/** What is special to HTTP push v2: answers after storing, records sent again once, people by keep-alive, nothing kept of faces. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { GatewayError } from '../../src/core/errors.js';
import type { Decoded, Masks, PunchPage } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { decodeRecord, parseObject } from '../../src/drivers/fcard-http/codec.js';
import { fcardHttp } from '../../src/drivers/fcard-http/driver.js';
import type { FcardHttpTerminal } from '../../src/drivers/fcard-http/simulator.js';
import {
  createRig,
  history,
  keyOf,
  loadCaptures,
  readPages,
  type Connection,
  type Rig,
  type RigOptions,
} from './rig.js';

type HttpRig = Rig<unknown> & { readonly terminal: FcardHttpTerminal };

const bench = (options: RigOptions = {}): HttpRig =>
  createRig(fcardHttp, { records: history(6), calls: 'only', ...options }) as unknown as HttpRig;
const open = async (rig: HttpRig): Promise<Connection> => {
  const connection = await rig.connect();
  await connection.session.identify();
  return connection;
};
const sentText = (connection: Connection): string => Buffer.concat(connection.sent).toString('utf8');
const hear = (text: string | Uint8Array) =>
  fcardHttp.called?.hear(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);

describe('records', () => {
  test('success is said only after the record is stored', async () => {
    const rig = bench();
    const connection = await rig.run(open(rig));
    const seen: number[] = [];
    await rig.run(async () => {
      for await (const page of connection.session.pages(null, { follow: false })) {
        if (page.punches.length > 0) {
          await rig.clock.sleep(2000, new AbortController().signal);
          seen.push(rig.terminal.pending());
        }
        await connection.session.confirm(page);
      }
    });
    expect(seen).toEqual([6, 5, 4, 3, 2, 1]);
    expect(rig.terminal.pending()).toBe(0);
    await rig.run(connection.close());
    expect(rig.clock.sleepers).toBe(0);
  });

  test('everything is asked for once, on first contact, and never again', async () => {
    const rig = bench({ simulatorOptions: { uploaded: 4 } });
    const first = await rig.run(rig.readAll());
    expect(first.punches.map(keyOf).sort()).toEqual(rig.terminal.records().map(keyOf).sort());
    const cursor = first.pages.at(-1)?.cursor ?? null;
    expect(cursor).toEqual({ reposted: true });
    const told = rig.terminal.punch('42');
    expect((await rig.run(rig.readAll(cursor))).punches.map(keyOf)).toEqual([keyOf(told)]);
  });

  test('a terminal that fetches no commands is read as it comes, and asked again next time', async () => {
    const rig = bench({ simulatorOptions: { uploaded: 4 }, faults: { 'no-remote': '' } });
    const { punches, pages, findings } = await rig.run(rig.readAll());
    expect(punches).toHaveLength(2);
    expect(pages.at(-1)).toMatchObject({ drained: true, cursor: { reposted: false } });
    expect(findings.map((finding) => finding.code)).toContain('odd');
  });

  test.each(['e5bca0e4b8', 'd5c5c8fd', '955c'])('a name of the bytes %s costs no record', (name) => {
    const [head = '', tail = ''] =
      '{"RecordID":1,"RecordType":3,"RecordDate":1577836800,"UserID":"42","Name":"@"}'.split('@');
    const detail = parseObject(Buffer.concat([Buffer.from(head), Buffer.from(name, 'hex'), Buffer.from(tail)]));
    expect(decodeRecord(detail)).toMatchObject({ id: 1, userId: '42' });
  });

  test('a record keeps nothing of an identity card, and the time of its zone', async () => {
    const rig = bench({ records: history(1) });
    const { punches } = await rig.run(rig.readAll());
    expect(punches[0]).toMatchObject({
      wallTime: '2020-01-01 08:00:00',
      verify: 'face',
      direction: 'in',
      seq: 1,
      source: 'replay',
    });
    expect(Buffer.from(punches[0]?.raw ?? []).toString('utf8')).not.toMatch(/IdentityCard|150203/);
  });

  test('what the terminal kept is told as such, and what comes after it as it happens, whatever its clock says', async () => {
    const rig = bench();
    const connection = await rig.run(open(rig));
    const punchesIn = (pages: readonly PunchPage[]): number => pages.flatMap(({ punches }) => punches).length;
    const reading = readPages(connection, null, { follow: true }, (pages) => punchesIn(pages) === 7);
    await rig.run(rig.clock.sleep(100_000, new AbortController().signal));
    rig.terminal.setClockOffset(-3_600_000);
    rig.terminal.punch('42');
    const { pages } = await rig.run(reading);
    const sources = pages.flatMap((page) => page.punches.map(({ source }) => source));
    expect(sources).toEqual(['replay', 'replay', 'replay', 'replay', 'replay', 'replay', 'push']);
    await rig.run(connection.close());
  });

  test('refusals are answered and are no punches; what cannot be read is refused, then passed over', async () => {
    const rig = bench();
    rig.terminal.addEvent(19);
    rig.terminal.setFault('impossible-date', '');
    const { punches, findings } = await rig.run(rig.readAll());
    expect(punches).toHaveLength(6);
    expect(rig.terminal.pending()).toBe(0);
    expect(findings.map((finding) => finding.code)).toContain('unknown-layout');
    expect(JSON.stringify(findings)).not.toContain('no date');
  });

  test('live punches come at once, and an empty page shows that the terminal is there', async () => {
    const rig = bench();
    const connection = await rig.run(open(rig));
    const reading = readPages(
      connection,
      null,
      { follow: true },
      (pages) => pages.at(-1)?.punches[0]?.deviceUserId === '42' && pages.some((page) => page.drained),
    );
    await rig.run(rig.clock.sleep(200_000, new AbortController().signal));
    rig.terminal.punch('42');
    const { pages } = await rig.run(reading);
    expect(pages.some((page) => !page.drained && page.punches.length === 0)).toBe(true);
    await rig.run(connection.close());
    expect(rig.clock.sleepers).toBe(0);
  });

  test('a terminal that is heard no more ends the session', async () => {
    const rig = bench({ options: { silenceSeconds: 60 } });
    const connection = await rig.run(open(rig));
    const reading = readPages(connection, null, { follow: true });
    await rig.run(rig.clock.sleep(60_000, new AbortController().signal));
    rig.terminal.setFault('no-answer', '');
    await expect(rig.run(reading)).rejects.toMatchObject({ code: 'link-silent' });
    await rig.run(connection.close());
  });
});

describe('people', () => {
  const withUsers = async <T>(rig: HttpRig, work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = await rig.run(open(rig));
    try {
      return await rig.run(work(connection));
    } finally {
      await rig.run(connection.close());
    }
  };

  test('card, password and rights are kept when somebody is renamed', async () => {
    const rig = bench();
    rig.terminal.setPerson('42', { UserID: '42', Name: 'Anna', CardNum: '305419896', Password: '1234', AccessType: 1 });
    await withUsers(rig, async ({ session }) => session.users?.put({ id: '42', name: '安娜' }));
    expect(rig.terminal.person('42')).toEqual({
      UserID: '42',
      Name: '安娜',
      CardNum: '305419896',
      Password: '1234',
      AccessType: 1,
    });
  });

  test('somebody with a face is not renamed, and no face is ever sent', async () => {
    const rig = bench();
    const detail = { UserID: '42', Name: 'Anna', PhotoLen: 5000, FaceFeature: 'YSBmYWNl' };
    rig.terminal.setPerson('42', detail);
    const sent = await withUsers(rig, async (connection) => {
      await expect(connection.session.users?.put({ id: '42', name: 'Anne' })).rejects.toMatchObject({
        code: 'user-refused',
      });
      await connection.session.users?.put({ id: '42', name: 'Anna' });
      return sentText(connection);
    });
    expect(rig.terminal.person('42')).toEqual(detail);
    expect(sent).not.toMatch(/FaceFeature|PeopleList":\[\{/);
  });

  test('ids that are no user number are refused; a full terminal says so', async () => {
    const rig = bench({ faults: { 'memory-full': '' } });
    await withUsers(rig, async ({ session }) => {
      for (const id of ['A17', '007', '4294967296'])
        await expect(session.users?.put({ id, name: 'x' })).rejects.toMatchObject({ code: 'user-refused' });
      await session.users?.remove('A17');
      await expect(session.users?.put({ id: '7', name: 'x' })).rejects.toMatchObject({ code: 'terminal-full' });
    });
  });
});

describe('the first bytes of a caller', () => {
  const capture = loadCaptures(join(import.meta.dirname, '../captures/fcard-http')).find(
    (one) => one.from === 'device',
  );
  const bytes = capture?.bytes ?? new Uint8Array(0);

  test('are known by JSON and by form, with a blank before the number', () => {
    expect(hear(bytes)).toEqual({ is: 'yes', serial: 'FC-8200H25010001' });
    const form = Buffer.from(bytes).indexOf('POST /Record/Upload');
    for (let size = 1; size < 700; size += 7) {
      const heard = hear(bytes.subarray(form, form + size));
      expect(['more', 'yes']).toContain(heard?.is);
      if (heard?.is === 'yes') expect(heard.serial).toBe('FC-8200H25010001');
    }
    expect(hear(bytes.subarray(form, form + 500))).toMatchObject({ is: 'yes' });
  });

  test('of others are refused', () => {
    for (const other of [
      'GET /iclock/cdata?SN=1 HTTP/1.1\r\n',
      'GET /pub/chat',
      'POST /iclock/cdata HTTP/1.1\r\n',
      '~',
      '\xa5',
      'PUT /',
    ])
      expect(hear(other)).toEqual({ is: 'no' });
    expect(hear('POST /Device/Keepalive HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}')).toEqual({ is: 'no' });
    expect(hear('POST /Dev')).toEqual({ is: 'more' });
  });
});

describe('captures', () => {
  const masks: Masks = {
    id: (told) => told.replace(/\d/g, (digit) => String(9 - Number(digit))),
    filler: (length) => Buffer.alloc(length, 'Q'),
  };
  const samples = loadCaptures(join(import.meta.dirname, '../captures/fcard-http'));
  const options = fcardHttp.options.parse({});
  const decode = (from: 'device' | 'gateway', bytes: Uint8Array): Decoded[] => {
    const decoder = fcardHttp.decoder(options, from);
    return [...decoder.push(bytes), ...decoder.end()];
  };

  test('say what they say, without names', () => {
    const items = decode('device', samples[0]?.bytes ?? new Uint8Array(0));
    const punches = items.flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
    expect(punches.map((one) => [one.deviceUserId, one.wallTime, one.direction, one.verify, one.seq])).toEqual([
      ['20250017', '2025-09-01 08:05:30', 'in', 'face', 120],
      ['42', '2025-09-01 17:30:02', 'out', 'card', 121],
    ]);
    const fields = items.map((item) => (item.kind === 'message' ? item.fields : {}));
    expect(JSON.stringify(fields)).not.toMatch(/张三|Anna|150203|305419896|123456/);
  });

  test.each(samples)('$name is the same without persons', ({ from, bytes }) => {
    const clean = fcardHttp.scrub(options, from, bytes, masks);
    expect(clean.length).toBe(bytes.length);
    const view = (items: readonly Decoded[]): readonly unknown[] =>
      items.map((item) =>
        item.kind === 'punch' ? item.punch.wallTime : item.kind === 'message' ? item.name : item.kind,
      );
    expect(view(decode(from, clean))).toEqual(view(decode(from, bytes)));
    const text = Buffer.from(clean).toString('utf8');
    expect(text).not.toMatch(/张三|Anna|150203|305419896|"123456"|焊工班|20250017|YSBmYWNl/);
    expect(hex(clean)).not.toContain('C0 C1 C2 C3');
    const ids = (items: readonly Decoded[]): readonly string[] =>
      items.flatMap((item) => (item.kind === 'punch' ? [item.punch.deviceUserId] : []));
    expect(ids(decode(from, clean))).toEqual(ids(decode(from, bytes)).map((id) => masks.id(id)));
  });

  test('spoilt bytes throw nothing but a GatewayError', () => {
    const random = seededRandom(11);
    const pick = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 1500; round += 1) {
      const sample = samples[pick(samples.length)];
      if (!sample) throw new Error('no samples');
      const spoilt = Uint8Array.from(sample.bytes.subarray(0, 100 + pick(sample.bytes.length)));
      for (let count = pick(6); count > 0; count -= 1) spoilt[pick(spoilt.length)] = pick(256);
      try {
        expect(fcardHttp.scrub(options, sample.from, spoilt, masks).length).toBe(spoilt.length);
        hear(spoilt);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }
  });
});
