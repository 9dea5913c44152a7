/** What a ZKTeco PUSH terminal gets for each of its requests: byte for byte where firmware is particular. */
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { zone, type Zone } from '../../src/core/time.js';
import type { PunchPage } from '../../src/drivers/driver.js';
import { zkPush } from '../../src/drivers/zk-push/driver.js';
import { createFakeClock } from '../support/fake-clock.js';
import { benchWire } from './rig.js';
import { playByHand, textOf, type HandMade } from './zk-push-bench.js';

const GREETING = '/iclock/cdata?SN=TEST0001&options=all&pushver=2.4.1&language=83';
const ATTLOG = '/iclock/cdata?SN=TEST0001&table=ATTLOG&Stamp=77';
const TWO = '20250017\t2026-09-10 08:00:00\t0\t15\t0\t0\t0\n42\t2026-09-10 08:00:01\t1\t1\t0\t0\t0\n';

/** Takes pages for as long as the session lives; confirms when told. */
function follow(bench: HandMade, confirming = true): { readonly pages: PunchPage[]; readonly done: Promise<unknown> } {
  const pages: PunchPage[] = [];
  const take = async (): Promise<void> => {
    for await (const page of bench.session.pages(null, { follow: true })) {
      pages.push(page);
      if (confirming) await bench.session.confirm(page);
    }
  };
  return { pages, done: take().catch((error: unknown) => error) };
}

describe('the greeting', () => {
  test.each([
    ['auto', 'Asia/Shanghai', '8'],
    ['2.4', 'Asia/Kolkata', '330'],
    ['2.4', 'Pacific/Apia', '780'],
    ['1.0', 'America/New_York', '-4'],
    ['us', 'America/New_York', '-04:00'],
  ])('of dialect %s in %s tells the time zone as %s', async (dialect, where, told) => {
    const bench = await playByHand({ dialect }, { zone: zone(where) ?? ('' as Zone) });
    const answer = textOf(await bench.ask('GET', GREETING)) ?? '';
    expect(answer.startsWith('GET OPTION FROM: TEST0001\n')).toBe(true);
    expect(answer.endsWith('\n')).toBe(true);
    expect(answer).toContain(`\nTimeZone=${told}\n`);
    expect(answer.includes('\nStamp=9999\n')).toBe(dialect !== '2.4');
    expect(answer.includes('\nATTLOGStamp=None\n')).toBe(dialect !== '1.0');
    await bench.dispose();
  });

  test('asks for punches and operations only, and carries date, length and type', async () => {
    const bench = await playByHand();
    const answer = await bench.ask('GET', GREETING);
    expect(textOf(answer)).toContain('\nTransFlag=TransData AttLog\tOpLog\n');
    expect(textOf(answer)).toMatch(/\nPhotoSupport=0\nMultiBioDataSupport=[0:]+\nMultiBioPhotoSupport=[0:]+\n$/);
    expect(answer?.headers).toMatchObject({
      date: 'Thu, 10 Sep 2026 00:00:00 GMT',
      'content-type': 'text/plain',
      'content-length': String(answer?.body.length),
    });
    await bench.dispose();
  });

  test('is not given while our own clock cannot be right', async () => {
    await expect(playByHand({}, { now: Date.UTC(2020, 0, 1) })).rejects.toMatchObject({ code: 'clock-implausible' });
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    bench.clock.jump(-7 * 365 * 86_400_000);
    expect(await bench.ask('GET', GREETING)).toBeNull();
    expect(bench.closed).toBe(true);
    await expect(bench.session.identify()).rejects.toMatchObject({ code: 'clock-implausible' });
    await bench.dispose();
  });

  test('says when it gives a time that is not known to be right', async () => {
    const bench = await playByHand();
    bench.clock.setTrusted(false);
    expect(await bench.ask('GET', GREETING)).not.toBeNull();
    expect(bench.findings.map(({ code }) => code)).toEqual(['clock-odd']);
    await bench.dispose();
  });
});

describe('uploads', () => {
  test('are answered only after they were stored', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    const pages = bench.session.pages(null, { follow: true })[Symbol.asyncIterator]();
    const first = pages.next();
    await bench.ask('GET', '/iclock/getrequest?SN=TEST0001&INFO=Ver1,1,0,2,192.0.2.9');
    expect(await bench.ask('POST', ATTLOG, TWO)).toBeNull();
    const page = (await first).value as PunchPage;
    expect(
      page.punches.map(({ deviceUserId, wallTime, direction, verify, source }) => [
        deviceUserId,
        wallTime,
        direction,
        verify,
        source,
      ]),
    ).toEqual([
      ['20250017', '2026-09-10 08:00:00', 'in', 'face', 'push'],
      ['42', '2026-09-10 08:00:01', 'out', 'finger', 'push'],
    ]);
    await bench.clock.advance(2000);
    expect(bench.answers()).toEqual([]);
    await bench.session.confirm(page);
    await bench.clock.advance(20);
    expect(bench.answers().map(textOf)).toEqual(['OK: 2']);
    await bench.dispose();
  });

  test('that nobody stores are not answered, and the connection is closed within ten seconds', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    expect(await bench.ask('POST', ATTLOG, TWO)).toBeNull();
    await bench.clock.advance(9000);
    expect(bench.answers()).toEqual([]);
    expect(bench.closed).toBe(true);
    await bench.dispose();
  });

  test('before any greeting are taken: a gateway may have been restarted', async () => {
    const bench = await playByHand();
    const { pages } = follow(bench);
    await bench.clock.advance(20);
    expect(textOf(await bench.ask('POST', ATTLOG, TWO))).toBe('OK: 2');
    expect(pages.flatMap((page) => page.punches)).toHaveLength(2);
    // It is asked to greet, so that it learns what we want.
    const told = textOf(await bench.ask('GET', '/iclock/getrequest?SN=TEST0001')) ?? '';
    expect(told).toMatch(/^C:\d+:CHECK$/m);
    await bench.dispose();
  });

  test('with a line that tells no punch are acknowledged whole, and the line is kept', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    expect(textOf(await bench.ask('POST', ATTLOG, '??? no punch\r\n\r\n'))).toBe('OK: 1');
    expect(bench.findings).toMatchObject([
      { code: 'unknown-layout', data: { raw: '3F 3F 3F 20 6E 6F 20 70 75 6E 63 68' } },
    ]);
    await bench.dispose();
  });

  test('with a time in a form that nobody knows are stored as they were told', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    const { pages, done } = follow(bench);
    expect(textOf(await bench.ask('POST', ATTLOG, '42\t20260910T080001Z\t0\t15\n'))).toBe('OK: 1');
    expect(pages.flatMap((page) => page.punches)).toMatchObject([
      { deviceUserId: '42', wallTime: '20260910T080001Z', verify: 'face' },
    ]);
    await bench.dispose();
    await done;
  });

  test('without a length are never acknowledged', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    bench.answers();
    bench.write(`POST ${ATTLOG} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n${TWO}`);
    await bench.clock.advance(50);
    expect(bench.answers().map(textOf)).toEqual([]);
    expect(bench.closed).toBe(true);
    await bench.dispose();
  });

  test.each([
    ['POST', '/iclock/cdata?SN=TEST0001&table=BIODATA&Stamp=1', 'BIODATA Pin=42\tTmp=c2VjcmV0\n', 'OK: 1'],
    [
      'POST',
      '/iclock/cdata?SN=TEST0001&table=OPERLOG',
      'FP PIN=42\tTMP=c2VjcmV0\nFACE PIN=42\tTMP=c2VjcmV0\n',
      'OK: 2',
    ],
    ['POST', '/iclock/cdata?SN=TEST0001&table=ATTPHOTO', 'PIN=20260910080000-42.jpg\nCMD=uploadphoto\0\xff\xd8', 'OK'],
    ['POST', '/iclock/fdata.aspx?SN=TEST0001&table=ATTPHOTO', 'PIN=x\0\xff\xd8', 'OK'],
    ['POST', '/iclock/cdata?SN=TEST0001&table=IDCARD', 'IDCARD PIN=42\tIDNum=1\n', 'OK: 1'],
    ['GET', '/iclock/cdata?SN=TEST0001&type=time', undefined, 'Time=2026-09-10T08:00:00+08:00'],
    ['GET', '/iclock/ping?SN=TEST0001', undefined, 'OK'],
    ['GET', '/iclock/cdata?SN=TEST0001&table=RemoteAtt&PIN=9', undefined, 'NONE\n'],
    ['POST', '/iclock/devicecmd?SN=TEST0001', 'ID=1&Return=0&CMD=DATA\n', 'OK'],
  ] as const)('%s %s is answered and kept nowhere', async (method, target, body, told) => {
    const bench = await playByHand();
    expect(textOf(await bench.ask(method, target, body))).toBe(told);
    expect(JSON.stringify(bench.findings)).not.toContain('c2Vj');
    await bench.dispose();
  });

  test.each([
    ['GET', '/iclock/exchange?SN=TEST0001&type=publickey', undefined],
    ['POST', '/iclock/registry?SN=TEST0001', 'DeviceType=acc'],
    ['POST', '/iclock/cdata?SN=TEST0001&AuthType=FACE', 'PIN=1\tTMP=x'],
  ] as const)('%s %s is not supported, and said so', async (method, target, body) => {
    const bench = await playByHand();
    expect((await bench.ask(method, target, body))?.status).toBe(404);
    expect(bench.findings.map(({ code }) => code)).toEqual(['odd']);
    await bench.dispose();
  });

  test('of the access dialect hold passages we cannot read, and stay in the terminal', async () => {
    const bench = await playByHand();
    expect(await bench.ask('POST', '/iclock/cdata?SN=TEST0001&table=rtlog', 'time=2026-09-10\tpin=42')).toBeNull();
    expect(bench.closed).toBe(true);
    await bench.dispose();
  });

  test('of another serial number are not answered', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    expect(
      await bench.ask('POST', '/iclock/cdata?SN=OTHER&table=OPERLOG', 'OPLOG 0\t0\t2026-09-10 08:00:00\n'),
    ).toBeNull();
    await bench.dispose();
  });
});

describe('commands', () => {
  test('fetched and not answered come again after a minute under the same id, three times', async () => {
    const bench = await playByHand({ delaySeconds: 60 });
    await bench.ask('GET', GREETING);
    const removing = bench.session.users?.remove('42').catch((error: unknown) => error);
    const ids: string[] = [];
    for (let minute = 0; minute < 6; minute += 1) {
      const told = textOf(await bench.ask('GET', '/iclock/getrequest?SN=TEST0001')) ?? '';
      ids.push(/^C:(\d+):DATA DELETE USERINFO PIN=42\n$/.exec(told)?.[1] ?? told);
      // Too early: nothing.
      expect(textOf(await bench.ask('GET', '/iclock/getrequest?SN=TEST0001'))).toBe('OK');
      await bench.clock.advance(60_000);
    }
    expect(new Set(ids.slice(0, 4)).size).toBe(1);
    expect(ids.slice(4)).toEqual(['OK', 'OK']);
    expect(await removing).toMatchObject({ code: 'user-refused' });
    await bench.dispose();
  });
});

describe('the communication key', () => {
  test('must be right in the greeting; then the session goes on', async () => {
    const bench = await playByHand({ commKey: 's3cret\n' });
    // Unknown before it has greeted: no data is acknowledged, and it is made to greet.
    expect(
      await bench.ask('POST', '/iclock/cdata?SN=TEST0001&table=OPERLOG', 'OPLOG 0\t0\t2026-09-10 08:00:00\n'),
    ).toBeNull();
    expect(textOf(await bench.ask('GET', '/iclock/getrequest?SN=TEST0001'))).toBe('C:1:CHECK\n');
    expect(textOf(await bench.ask('GET', `${GREETING}&pushcommkey=s3cret`))).toContain('GET OPTION FROM');
    expect(textOf(await bench.ask('GET', '/iclock/ping?SN=TEST0001'))).toBe('OK');
    await bench.dispose();
  });

  test.each([`${GREETING}&pushcommkey=wrong`, GREETING, '/iclock/getrequest?SN=TEST0001&ComKey=wrong'])(
    'wrong or missing in %s ends the session',
    async (target) => {
      const bench = await playByHand({ commKey: 's3cret' });
      expect(await bench.ask('GET', target)).toBeNull();
      await expect(bench.session.identify()).rejects.toMatchObject({ code: 'auth-refused' });
      await bench.dispose();
    },
  );
});

describe('a stranger who knows the serial number', () => {
  test('and not the key ends no session of one who does', async () => {
    const bench = await playByHand({ commKey: 's3cret' });
    expect(textOf(await bench.ask('GET', `${GREETING}&pushcommkey=s3cret`))).toContain('GET OPTION FROM');
    for (const target of [`${GREETING}&pushcommkey=wrong`, GREETING, '/iclock/getrequest?SN=TEST0001&ComKey=wrong'])
      expect(await bench.ask('GET', target)).toBeNull();
    expect(textOf(await bench.ask('GET', '/iclock/ping?SN=TEST0001'))).toBe('OK');
    await bench.dispose();
  });

  test('can put no option of his own into the greeting by way of a stamp', async () => {
    const bench = await playByHand();
    await bench.ask('GET', GREETING);
    const { done } = follow(bench);
    const stamp = encodeURIComponent('77\nTimeZone=-11');
    await bench.ask('POST', `/iclock/cdata?SN=TEST0001&table=ATTLOG&Stamp=${stamp}`, TWO);
    await bench.ask(
      'POST',
      `/iclock/cdata?SN=TEST0001&table=OPERLOG&Stamp=${stamp}`,
      'OPLOG 0\t0\t2026-09-10 08:00:00\n',
    );
    expect(textOf(await bench.ask('GET', GREETING))?.match(/^TimeZone=.*$/gm)).toEqual(['TimeZone=8']);
    await bench.dispose();
    await done;
  });
});

describe('callers', () => {
  const hear = (text: string): unknown => zkPush.called?.hear(Buffer.from(text));

  test.each([
    ['', 'more'],
    ['GET', 'more'],
    ['GET /icl', 'more'],
    ['GET /iclock/cdata?SN=TEST', 'more'],
    ['GET /pub/chat', 'no'],
    ['POST /p', 'no'],
    ['PUT /iclock/', 'no'],
    ['\xa5\x00', 'no'],
    ['GET /iclocks', 'no'],
  ])('%j: %s', (text, is) => {
    expect(hear(text)).toMatchObject({ is });
  });

  test.each([
    'GET /iclock/cdata?SN=TEST0001&options=all',
    'POST /iclock/cdata.aspx?table=ATTLOG&SN=TEST0001 HTTP/1.1\r\n',
    'GET http://192.0.2.1:8081/iclock/ping?sn=TEST0001 HTTP/1.1\r\nHost: x\r\n\r\n',
  ])('%s is known by its serial number', (text) => {
    expect(hear(text)).toEqual({ is: 'yes', serial: 'TEST0001' });
  });

  test('one without a serial number speaks the protocol and does not say who it is', () => {
    expect(hear('GET /iclock/ping HTTP/1.1\r\n')).toEqual({ is: 'yes', serial: null });
  });

  test.each([
    [
      `GET ${GREETING} HTTP/1.1\r\nHost: x\r\n\r\n`,
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    ],
    [`POST ${ATTLOG} HTTP/1.1\r\nHost: x\r\nContent-Length: ${TWO.length}\r\n\r\n${TWO}`, ''],
    ['GET /iclock/cdata?SN=TEST0001', ''],
  ])('nobody has adopted: %j', async (sent, told) => {
    const clock = createFakeClock();
    const [ours, theirs] = duplexPair();
    const got: Buffer[] = [];
    theirs.on('data', (chunk: Buffer) => got.push(chunk));
    ours.unshift(Buffer.from(sent));
    const refusing = zkPush.called?.refuse?.(ours, benchWire(clock), new AbortController().signal);
    await clock.advance(6000);
    await refusing;
    expect(Buffer.concat(got).toString()).toBe(told);
    ours.destroy();
  });

  test('that speak no HTTP end the session', async () => {
    const bench = await playByHand();
    bench.write('\x16\x03\x01\x02\x00 not http at all');
    await bench.clock.advance(50);
    await expect(bench.session.identify()).rejects.toMatchObject({
      code: 'wrong-protocol',
      context: { driver: 'zk-push', window: '16 03 01 02 00 20 6E 6F 74 20 68 74 74 70 20 61' },
    });
    await bench.dispose();
  });
});
