/**
 * What every driver must pass, whatever its protocol: the byte stream cut at every place, joined, and with noise; lost
 * answers, events in the middle of a transfer, a link that breaks, an abort, a peer of another kind; and that in the
 * end the gateway holds exactly the punches that the terminal holds. A driver's own test calls `driverContract` with
 * its captures and its simulator's variants, and adds what is special to it.
 */
import { duplexPair } from 'node:stream';
import iconv from 'iconv-lite';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { GatewayError } from '../../src/core/errors.js';
import type { WallTime } from '../../src/core/time.js';
import type { Driver, Finding, PunchRecord } from '../../src/drivers/driver.js';
import { codecContract } from './contract-bytes.js';
import {
  benchWire,
  createRig,
  history,
  keyOf,
  readPages,
  type Connection,
  type Rig,
  type RigOptions,
  type Sample,
} from './rig.js';

export interface Variant extends RigOptions {
  readonly name: string;
}

/** A pair of pure functions that undo each other. */
export interface RoundTrip {
  readonly name: string;
  /** Asserts with fast-check that `decode(encode(x))` is x. */
  readonly check: () => void;
}

export interface ContractSubject<Options> {
  readonly driver: Driver<Options>;
  /** Options of the session for every variant that has none of its own. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Ways of the terminal: layouts, sizes, keys. The first is the one used where one is enough. */
  readonly variants: readonly Variant[];
  readonly samples: readonly Sample[];
  readonly roundTrips?: readonly RoundTrip[];
  /** Records in the simulator for the tests on the wire; enough for several pages or chunks. */
  readonly recordCount?: number;
  /** Bytes in all after which the line is cut in the tests of broken links. */
  readonly cutsAfterBytes?: readonly number[];
  /** Fault that puts a live event into a running transfer; null when the protocol has no such thing. */
  readonly eventFault?: Readonly<Record<string, string>> | null;
  /** What a peer of another kind says first; else the refusal of an HTTP server. */
  readonly foreignBanner?: Uint8Array;
  /** Whether the terminal tells beforehand how many records it has; true when not said. */
  readonly counts?: boolean;
  /** Whether a cut link ends the session with an error; false where a terminal calls again and goes on. */
  readonly cutsEndSession?: boolean;
  /** The terminal brings the next record only after the last one was acknowledged: without `confirm` nothing follows. */
  readonly oneAtATime?: boolean;
  /** Whether noise between frames is survived (serial lines) or the link is given up for a new one. */
  readonly survivesNoise?: boolean;
}

const keys = (punches: readonly PunchRecord[]): string[] => [...new Set(punches.map(keyOf))].sort();

/** A name as terminals write it. */
const spellings = (name: string): Buffer[] => [
  Buffer.from(name, 'utf8'),
  iconv.encode(name, 'gbk'),
  Buffer.from(name, 'utf16le'),
  Buffer.from(name, 'utf16le').swap16(),
];

interface Bench<Options> {
  readonly rig: (extra?: RigOptions) => Rig<Options>;
  readonly expectComplete: (rig: Rig<Options>, punches: readonly PunchRecord[]) => void;
}

function createBench<Options>(subject: ContractSubject<Options>, variant: Variant): Bench<Options> {
  return {
    rig: (extra = {}) =>
      createRig(subject.driver, {
        options: subject.options ?? {},
        records: history(subject.recordCount ?? 40, extra.users ?? variant.users),
        ...variant,
        ...extra,
        faults: { ...variant.faults, ...extra.faults },
      }),
    expectComplete: (rig, punches) => {
      expect(keys(punches)).toEqual([...new Set(rig.terminal.records().map(keyOf))].sort());
    },
  };
}

function variantContract<Options>(subject: ContractSubject<Options>, variant: Variant): void {
  const { rig: newRig, expectComplete } = createBench(subject, variant);

  test('gives every record once, complete, with the count on the last page', async () => {
    const rig = newRig();
    const { punches, pages } = await rig.run(rig.readAll());
    expectComplete(rig, punches);
    expect(punches.length).toBe(keys(punches).length);
    const last = pages.at(-1);
    expect(last?.drained).toBe(true);
    if (subject.counts ?? true)
      expect(last?.count).toEqual({ announced: rig.terminal.records().length, decoded: rig.terminal.records().length });
    expect(pages.slice(0, -1).every((page) => !page.drained && page.count === null)).toBe(true);
  });

  test('keeps no name with a punch: names are encrypted at rest, raw records are not', async () => {
    const rig = newRig();
    const { punches } = await rig.run(rig.readAll());
    const names = rig.terminal.users().flatMap(({ name }) => spellings(name));
    const holds = ({ raw }: PunchRecord): boolean => names.some((name) => Buffer.from(raw).includes(name));
    expect(punches.filter(holds).map(({ raw }) => Buffer.from(raw).toString('latin1'))).toEqual([]);
  });

  test('an empty terminal gives one drained page without punches', async () => {
    const rig = newRig({ records: [] });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(punches).toEqual([]);
    expect(pages.at(-1)?.drained).toBe(true);
  });

  test.each([{ fragment: '1' }, { fragment: '7' }, { coalesce: '' }, { delay: '50' }] as readonly Readonly<
    Record<string, string>
  >[])('gives the same however the bytes are cut: %o', async (faults) => {
    const rig = newRig({ faults });
    expectComplete(rig, (await rig.run(rig.readAll())).punches);
  });

  test('a second full read adds nothing new', async () => {
    const rig = newRig();
    const first = await rig.run(rig.readAll());
    const second = await rig.run(rig.readAll());
    const known = new Set(keys(first.punches));
    expect(second.punches.filter((punch) => !known.has(keyOf(punch)))).toEqual([]);
    expectComplete(rig, first.punches);
  });
}

function wireContract<Options>(subject: ContractSubject<Options>, variant: Variant): void {
  const { rig: newRig, expectComplete } = createBench(subject, variant);

  test('tells the serial number of the terminal', async () => {
    const rig = newRig();
    const identity = await rig.run(async () => {
      const connection = await rig.connect();
      const told = await connection.session.identify();
      await connection.close();
      return told;
    });
    expect(identity.serial).toBe('TEST0001');
  });

  test.each([1, 2])('asks again when answer(s) are lost: %i', async (lost) => {
    const rig = newRig();
    const punches = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      rig.terminal.setFault('no-answer', String(lost));
      const reading = await readPages(connection, null, { follow: false });
      await connection.close();
      return reading.punches;
    });
    expectComplete(rig, punches);
  });

  test('a terminal that never answers ends in a GatewayError, in bounded time', async () => {
    const rig = newRig({ faults: { 'no-answer': '' } });
    await expect(rig.run(rig.readAll(), 300_000)).rejects.toMatchObject({ name: 'GatewayError' });
    expect(rig.clock.sleepers).toBe(0);
  });

  if (subject.survivesNoise ?? true) {
    test('noise on the line costs time, not records', async () => {
      const rig = newRig({ faults: { 'line-noise': '6' } });
      const { punches, findings } = await rig.run(rig.readAll());
      expectComplete(rig, punches);
      expect(findings.some((finding) => finding.code === 'noise')).toBe(true);
    });
  }

  if (subject.eventFault) {
    const faults = subject.eventFault;
    test('an event in the middle of a transfer is neither lost nor mistaken for data', async () => {
      const rig = newRig({ faults });
      const before = rig.terminal.records().length;
      const { punches } = await rig.run(rig.readAll());
      expect(rig.terminal.records().length).toBeGreaterThan(before);
      expectComplete(rig, punches);
    });
  }

  test('a page that was not confirmed is given again', async () => {
    const rig = newRig();
    const pages = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const seen: PunchRecord[] = [];
      for await (const page of connection.session.pages(null, { follow: false })) {
        seen.push(...page.punches);
        if (subject.oneAtATime) break;
      }
      await connection.close();
      return seen;
    });
    if (subject.oneAtATime) expect(pages).not.toEqual([]);
    else expectComplete(rig, pages);
    expectComplete(rig, (await rig.run(rig.readAll())).punches);
  });

  test('reading goes on after the first page from its cursor', async () => {
    const rig = newRig();
    const { first, rest } = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const reading = await readPages(connection, null, { follow: false }, () => true);
      await connection.close();
      return { first: reading, rest: await rig.readAll(reading.pages[0]?.cursor ?? null) };
    });
    expectComplete(rig, [...first.punches, ...rest.punches]);
  });

  test.each(subject.cutsAfterBytes ?? [30, 200, 700])(
    'a link cut after %i bytes ends in a GatewayError; the next session gets everything',
    async (cut) => {
      const rig = newRig({ faults: { 'drop-after-n-bytes': String(cut) } });
      if (subject.cutsEndSession ?? true) await expect(rig.run(rig.readAll())).rejects.toBeInstanceOf(GatewayError);
      expectComplete(rig, (await rig.run(rig.readAll())).punches);
    },
  );

  test('an abort in the middle leaves nothing hanging', async () => {
    const rig = newRig({ faults: { delay: '20' } });
    const connection = await rig.run(async () => {
      const opened = await rig.connect();
      await opened.session.identify();
      return opened;
    });
    const reading = readPages(connection, null, { follow: true }, () => false).then(
      () => 'ended',
      () => 'ended',
    );
    await rig.clock.advance(90);
    connection.abort();
    expect(await rig.run(reading, 60_000)).toBe('ended');
    await rig.run(connection.close(), 60_000);
    expect(rig.clock.sleepers).toBe(0);
    expectComplete(rig, (await rig.run(rig.readAll())).punches);
  });

  const banner = subject.foreignBanner ?? Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  if (variant.calls === 'only') {
    test('a caller of another kind is not taken for one of ours', () => {
      expect(subject.driver.called?.hear(banner)).toEqual({ is: 'no' });
    });
  } else wrongProtocol(subject, newRig, banner);

  calledContract(subject, newRig, variant);
  usersContract(subject, newRig);
  clockContract(subject, newRig);
  liveContract(subject, newRig);
}

/** A terminal that calls is recognised by its first bytes, however they are cut. */
function calledContract<Options>(
  subject: ContractSubject<Options>,
  newRig: Bench<Options>['rig'],
  variant: Variant,
): void {
  const { called } = subject.driver;
  if (!called || called.waitsForUs || variant.calls === undefined || variant.calls === 'never') return;
  test('a caller is recognised by its first bytes, at every length of them', async () => {
    const rig = newRig();
    const first: Buffer[] = [];
    const stop = new AbortController();
    const calling = rig.terminal.call?.(async () => {
      const [ours, theirs] = duplexPair();
      ours.on('data', (chunk: Buffer) => first.push(chunk));
      return Promise.resolve(theirs);
    }, stop.signal);
    await rig.run(rig.clock.sleep(2000, stop.signal));
    stop.abort();
    await rig.run(calling ?? Promise.resolve());
    const bytes = Buffer.concat(first);
    const answers = Array.from({ length: bytes.length }, (_, size) => called.hear(bytes.subarray(0, size)));
    const known = answers.findIndex((heard) => heard.is === 'yes');
    expect(known).toBeGreaterThan(0);
    expect(answers.slice(0, known).every((heard) => heard.is === 'more')).toBe(true);
    expect(answers.slice(known).every((heard) => heard.is === 'yes')).toBe(true);
    const heard = answers.at(-1);
    if (called.keyOf(subject.driver.options.parse(subject.options ?? {})) === null)
      expect(heard).toMatchObject({ serial: 'TEST0001' });
  });
}

function usersContract<Options>(subject: ContractSubject<Options>, newRig: Bench<Options>['rig']): void {
  if (!subject.driver.capabilities.has('users.write')) return;
  test('writes, renames and removes a person, and leaves the others alone', async () => {
    const rig = newRig();
    const before = rig.terminal.users().map((user) => user.id);
    await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const { users } = connection.session;
      if (!users) throw new Error('users.write without users');
      await users.put({ id: '20250099', name: '王五' });
      expect(rig.terminal.users()).toContainEqual({ id: '20250099', name: '王五' });
      await users.put({ id: '20250099', name: '王伍' });
      expect(await users.list()).toContainEqual({ id: '20250099', name: '王伍' });
      expect(rig.terminal.users().filter((user) => user.id === '20250099')).toHaveLength(1);
      await users.remove('20250099');
      await users.remove('20250099');
      expect((await users.list()).map((user) => user.id).sort()).toEqual([...before].sort());
      await connection.close();
    });
    expect(rig.terminal.users().map((user) => user.id)).toEqual(before);
  });
}

function wrongProtocol<Options>(
  subject: ContractSubject<Options>,
  newRig: Bench<Options>['rig'],
  banner: Uint8Array,
): void {
  test('a peer of another kind is named wrong-protocol with its first bytes', async () => {
    const rig = newRig();
    const [ours, theirs] = duplexPair();
    theirs.on('data', () => theirs.write(banner));
    const findings: Finding[] = [];
    const stop = new AbortController();
    const trial = async (): Promise<void> => {
      const session = await subject.driver.open(
        ours,
        subject.driver.options.parse(subject.options ?? {}),
        benchWire(rig.clock, (finding) => findings.push(finding)),
        stop.signal,
      );
      try {
        await session.identify();
      } finally {
        await session[Symbol.asyncDispose]();
      }
    };
    await expect(rig.run(trial(), 300_000)).rejects.toMatchObject({
      code: 'wrong-protocol',
      context: { window: hex(banner.subarray(0, 16)) },
    });
    ours.destroy();
    theirs.destroy();
  });
}

function clockContract<Options>(subject: ContractSubject<Options>, newRig: Bench<Options>['rig']): void {
  if (!subject.driver.capabilities.has('clock.read')) return;
  test('reads and sets the clock', async () => {
    const rig = newRig();
    await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const before = rig.terminal.wallClock();
      const told = (await connection.session.readClock?.()) ?? '';
      expect(told >= before && told <= rig.terminal.wallClock()).toBe(true);
      if (connection.session.setClock) {
        await connection.session.setClock('2026-12-31 23:59:00' as WallTime);
        const shown = rig.terminal.wallClock();
        expect(shown >= '2026-12-31 23:59:00' && shown <= '2026-12-31 23:59:10').toBe(true);
      }
      await connection.close();
    });
  });
}

function liveContract<Options>(subject: ContractSubject<Options>, newRig: Bench<Options>['rig']): void {
  if (!subject.driver.capabilities.has('punch.live')) return;
  test('while following, a punch arrives by itself, and the clock can be read meanwhile', async () => {
    const rig = newRig();
    const connection: Connection = await rig.run(async () => {
      const opened = await rig.connect();
      await opened.session.identify();
      return opened;
    });
    const wanted: string[] = [];
    const seen = new Set<string>();
    const following = readPages(connection, null, { follow: true }, (pages) => {
      for (const punch of pages.at(-1)?.punches ?? []) seen.add(keyOf(punch));
      return wanted.length > 0 && wanted.every((key) => seen.has(key));
    });
    await rig.run(rig.clock.sleep(20_000, new AbortController().signal));
    wanted.push(keyOf(rig.terminal.punch(rig.terminal.records()[0]?.userId ?? '1')));
    const { session } = connection;
    if (session.readClock) expect(await rig.run(session.readClock(), 60_000)).toMatch(/^2026-09-10 08:/);
    await rig.run(following, 120_000);
    await rig.run(connection.close());
  });
}

/** Declares the whole suite for one driver. */
export function driverContract<Options>(subject: ContractSubject<Options>): void {
  describe(`driver contract: ${subject.driver.name}`, () => {
    describe('bytes', () => codecContract(subject));
    describe.each(subject.variants.map((variant) => ({ name: variant.name, variant })))(
      'terminal $name',
      ({ variant }) => variantContract(subject, variant),
    );
    const [first] = subject.variants;
    if (!first) throw new Error('a driver needs at least one variant');
    describe(`wire (${first.name})`, () => wireContract(subject, first));
  });
}
