/** Whatever order, whatever doubles, however many workers on one file, wherever it crashes: the same result. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Chain } from '../../src/platform/chain.js';
import { createReceiver } from '../../src/platform/receive.js';
import { createBench, createTestGateway, EP, EP2, GW, message, NOW, type Bench, type Sealed } from './bench.js';

interface Outcome {
  readonly batches: readonly unknown[];
  readonly records: readonly unknown[];
  readonly punches: readonly unknown[];
  readonly heads: readonly unknown[];
  readonly forks: readonly unknown[];
}

function outcome(b: Bench): Outcome {
  const all = (sql: string): unknown[] => b.store.db.prepare(sql).all();
  return {
    batches: all('SELECT gw, ep, seq, hash, jws, records, quarantined FROM batch ORDER BY ep, seq'),
    records: all('SELECT * FROM record ORDER BY ep, n'),
    punches: all('SELECT gw, device_sn, device_user_id, wall_time, nth FROM punch ORDER BY 2, 3, 4, 5'),
    heads: all('SELECT * FROM head ORDER BY ep'),
    forks: all('SELECT * FROM fork'),
  };
}

function stream(): readonly Sealed[] {
  const old = createTestGateway();
  const first = Array.from({ length: 9 }, (_, index) => old.seal({ count: 1 + (index % 3), omit: index % 2 }));
  const cont = { ep: EP, seq: old.head.seq, hash: old.head.hash, why: 'restore' };
  const next = createTestGateway({ ep: EP2, n: 4 });
  return [...first, next.seal({ members: { cont } }), ...Array.from({ length: 5 }, () => next.seal({ count: 2 }))];
}

/** Like a gateway: what is not covered by an acknowledgement comes again. The new epoch starts only when the old one is through. */
function healed(workers: readonly Bench[], sealed: readonly Sealed[]): void {
  for (const batch of sealed) workers[0]?.give(batch.jws);
}

describe('order of arrival', () => {
  const sealed = stream();
  const [oldEpoch, newEpoch] = [sealed.slice(0, 9), sealed.slice(9)];
  const reference = createBench();
  reference.give(...sealed.map((batch) => batch.jws));
  const expected = outcome(reference);
  reference.close();

  const shuffled = (count: number): fc.Arbitrary<readonly number[]> =>
    fc
      .tuple(
        fc.shuffledSubarray([...Array(count).keys()], { minLength: count }),
        fc.array(fc.nat(count - 1), { maxLength: 8 }),
      )
      .chain(([order, doubles]) => fc.shuffledSubarray([...order, ...doubles], { minLength: count + doubles.length }));

  test('any permutation with doubles over one to three workers in groups of any size gives the same database', () => {
    fc.assert(
      fc.property(
        shuffled(9),
        shuffled(6),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 6 }),
        (first, second, count, size) => {
          const main = createBench();
          const workers = [
            main,
            ...Array.from({ length: count - 1 }, () => createBench({ dir: main.dir, register: false })),
          ];
          const order = [...first.map((at) => oldEpoch[at]), ...second.map((at) => newEpoch[at])].flatMap((one) =>
            one ? [one.jws] : [],
          );
          let turn = 0;
          for (let at = 0; at < order.length; at += size) {
            const acks = workers[turn % count]?.give(...order.slice(at, at + size)) ?? [];
            expect(acks).toHaveLength(Math.min(size, order.length - at));
            expect(acks.flatMap((ack) => ack.rej)).toEqual([]);
            turn += 1;
          }
          expect(outcome(main)).toEqual(expected);
          expect(main.ledger.verifyGateway(GW)).toMatchObject({ ok: true, batches: 15 });
          for (const one of workers) one.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a crash between store and acknowledgement anywhere leaves whole groups or nothing, and a resend heals it', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 15, maxLength: 15 }), (crashes) => {
        let crash = false;
        const b = createBench({
          beforeCommit: () => {
            if (crash) throw new Error('power cut');
          },
        });
        sealed.forEach((batch, index) => {
          crash = crashes[index] ?? false;
          const before = outcome(b);
          if (!crash) b.give(batch.jws);
          else {
            expect(() => b.give(batch.jws)).toThrow('power cut');
            expect(outcome(b)).toEqual(before);
          }
          crash = false;
          // A gateway does not open a new epoch before it knows where the old one stands.
          if (index === 8) healed([b], oldEpoch);
        });
        healed([b], sealed);
        expect(outcome(b)).toEqual(expected);
        b.close();
      }),
      { numRuns: 15 },
    );
  });

  test('a process that dies after the commit and before the acknowledgement acknowledges on resend', () => {
    const first = createBench();
    const one = createTestGateway().seal();
    first.give(one.jws);
    first.close();
    const again = createBench({ dir: first.dir, register: false });
    expect(again.give(one.jws)).toMatchObject([{ through: 1, hash: one.hash }]);
    expect(again.ledger.counts(GW)).toMatchObject({ batches: 1, punches: 3 });
    again.close();
  });

  test('a sick disk gives the whole group back', () => {
    const faults: unknown[] = [];
    const b = createBench({ onFault: (error) => faults.push(error) });
    const gateway = createTestGateway();
    b.store.db.exec(
      "CREATE TEMP TRIGGER trip BEFORE INSERT ON record WHEN NEW.seq = 2 BEGIN SELECT RAISE(ABORT, 'sick'); END",
    );
    expect(() => b.give(gateway.seal().jws, gateway.seal().jws)).toThrow(/The disk refused a write/);
    expect(b.ledger.counts(GW).batches).toBe(0);
    expect(b.receiver.counts()).toEqual({});
    expect(faults).toEqual([]);
    b.close();
  });

  test('a fault of ours with one message drops that message and takes the others of the group', () => {
    const faults: unknown[] = [];
    const b = createBench();
    const gateway = createTestGateway();
    const chain: Chain = {
      ...b.chain,
      accept(batch, jws, now) {
        const verdict = b.chain.accept(batch, jws, now);
        if (batch.seq === 2) throw new TypeError('our fault');
        return verdict;
      },
    };
    const receiver = createReceiver({
      store: b.store,
      keyring: b.keyring,
      chain,
      prefix: '',
      onFault: (error) => faults.push(error),
    });
    const acks = receiver.receive(
      [gateway.seal(), gateway.seal(), gateway.seal()].map((one) => message(one.jws)),
      NOW,
    );
    expect(acks.map((ack) => ack.through)).toEqual([1, 1]);
    expect(receiver.counts()).toEqual({ moved: 1, fault: 1, early: 1 });
    expect(faults).toHaveLength(1);
    expect(b.ledger.counts(GW)).toMatchObject({ batches: 1, early: 1, records: 3 });
    b.close();
  });
});
