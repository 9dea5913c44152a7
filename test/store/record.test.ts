import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Instant } from '../../src/core/time.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { verifyDataDir } from '../../src/store/check.js';
import { DELIVERIES, DIRECTIONS, normalPunch, punchJson, SOURCES, VERIFIES } from '../../src/store/record.js';
import { credit, event, open, punch, tempDir } from './fixtures.js';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const hostile = fc.oneof(text, fc.constantFrom('\ud800', 'a\u0000b', "'; DROP TABLE punch; --", '=1+1', '字', ''));
const whole = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });

const anyPunch: fc.Arbitrary<PunchFact> = fc.record({
  kind: fc.constant('punch' as const),
  deviceSn: hostile,
  terminalId: hostile,
  deviceUserId: hostile,
  deviceUid: maybe(whole),
  wallTime: hostile as fc.Arbitrary<never>,
  instant: maybe(whole) as fc.Arbitrary<Instant | null>,
  rx: whole as fc.Arbitrary<never>,
  rxTicks: fc.double({ min: 0, max: 1e12, noNaN: true }),
  clockTrusted: fc.boolean(),
  offsetMs: maybe(fc.double({ min: -1e9, max: 1e9, noNaN: true })),
  offsetAgeMs: maybe(whole),
  effective: maybe(whole) as fc.Arbitrary<Instant | null>,
  direction: fc.constantFrom(...DIRECTIONS),
  directionRaw: maybe(whole),
  verify: fc.constantFrom(...VERIFIES),
  verifyRaw: maybe(fc.oneof(whole, hostile)),
  score: maybe(fc.double({ noNaN: true, noDefaultInfinity: true })),
  source: fc.constantFrom(...SOURCES),
  delivery: fc.constantFrom(...DELIVERIES),
  seq: maybe(fc.nat()),
  seqEpoch: maybe(whole),
  firmware: maybe(hostile),
  raw: fc.uint8Array({ maxLength: 60 }),
  decoder: hostile,
  traineeNo: maybe(hostile),
});

test('the hand-ordered JSON of a punch is RFC 8785', () => {
  const rfc = canonicalize as unknown as (value: unknown) => string;
  fc.assert(
    fc.property(anyPunch, (given) => {
      const one = normalPunch(given);
      expect(punchJson(one)).toBe(rfc({ ...one, raw: Buffer.from(one.raw).toString('hex'), seqIsIdentity: false }));
    }),
  );
});

test('any punch comes back as it was hashed, whatever a terminal invents, and the chain verifies', () => {
  const dir = tempDir();
  const { store } = open(dir);
  fc.assert(
    fc.property(anyPunch, (given) => {
      const n = store.transact((tx) => tx.addPunch(given));
      if (n !== null) expect(JSON.stringify(store.fact(n))).toBe(JSON.stringify({ n, ...ordered(normalPunch(given)) }));
    }),
    { numRuns: 200 },
  );
  store[Symbol.dispose]();
  expect(verifyDataDir(dir)).toMatchObject({ ok: true });
});

/** In the order of the fact that comes back, so that JSON can compare -0 with 0 and a buffer with an array. */
function ordered(one: PunchFact): PunchFact {
  const {
    kind,
    deviceSn,
    terminalId,
    deviceUserId,
    deviceUid,
    wallTime,
    instant,
    rx,
    rxTicks,
    clockTrusted,
    offsetMs,
    offsetAgeMs,
  } = one;
  const {
    effective,
    direction,
    directionRaw,
    verify,
    verifyRaw,
    score,
    source,
    delivery,
    seq,
    seqEpoch,
    firmware,
    raw,
    decoder,
    traineeNo,
  } = one;
  return {
    ...{
      kind,
      deviceSn,
      terminalId,
      deviceUserId,
      deviceUid,
      wallTime,
      instant,
      rx,
      rxTicks,
      clockTrusted,
      offsetMs,
      offsetAgeMs,
    },
    ...{
      effective,
      direction,
      directionRaw,
      verify,
      verifyRaw,
      score,
      source,
      delivery,
      seq,
      seqEpoch,
      firmware,
      raw,
      decoder,
      traineeNo,
    },
  };
}

test('the chain can be checked with nothing but SHA-256', () => {
  const { store, clock } = open(tempDir());
  store.transact((tx) => {
    tx.addEvent(event({ b: 1, a: 'x' }));
    tx.addCredit(credit(1));
    tx.addPunch(punch(0));
  });
  const sha = (input: string): string => createHash('sha256').update(input).digest('hex');
  const { value } = store.db.prepare("SELECT value FROM meta WHERE name = 'journal-id'").get() as { value: string };
  expect(store.hashAt(0)).toBe(sha(`rollcall-journal-1 genesis ${value}`));
  const body = '{"at":1789000980000,"data":{"a":"x","b":1},"kind":"event","what":"operator"}';
  expect(store.hashAt(2)).toBe(sha(`rollcall-journal-1\n${store.hashAt(1) ?? ''}\n2 event ${clock.now()}\n${body}`));
  expect(store.head()).toEqual({ n: 4, hash: store.hashAt(4) });
});

test('credits: the highest revision is in force, by id, by class and by day', () => {
  const { store } = open(tempDir());
  const other = { id: 'C1/T1002/2026-09-11', traineeNo: 'T1002', date: '2026-09-11' as never };
  store.transact((tx) => {
    tx.addCredit(credit(1));
    tx.addCredit(credit(2, { totalHours: 8, state: 'final', result: { version: 1 } }));
    tx.addCredit(credit(1, other));
    tx.addCredit(credit(1, { id: 'C2/T1/2026-09-10', classNo: 'C2' }));
  });
  expect(store.credit('C1/T1001/2026-09-10')).toMatchObject({ rev: 2, n: 3 });
  expect(store.credit('nobody')).toBeNull();
  expect(store.creditsOf('C1').map(({ n }) => n)).toEqual([3, 4]);
  expect(store.creditsOf('C1', '2026-09-11' as never).map(({ n }) => n)).toEqual([4]);
  expect(() => store.transact((tx) => tx.addCredit(credit(2)))).toThrow(
    expect.objectContaining({ code: 'store-misuse' }) as Error,
  );
  expect(store.db.prepare("SELECT * FROM v_day_credit WHERE class_no = 'C1' ORDER BY date").all()).toEqual([
    { class_no: 'C1', trainee_no: 'T1001', date: '2026-09-10', version: 1, status: 'final', hours: 8 },
    { class_no: 'C1', trainee_no: 'T1002', date: '2026-09-11', version: 1, status: 'provisional', hours: 4 },
  ]);
});
