/**
 * Walks the record chain: rebuilds each fact's canonical bytes from its row and compares the hash with the stored one.
 * In slices, so that a start stays short and a running daemon is never held up. Says which record is wrong, and how.
 */
import { KINDS, punchJson, punchOfRow, recordHash, SELECT_PUNCH, type PunchRow } from './record.js';
import type { Db } from './store.js';

export interface ChainFault {
  readonly n: number;
  readonly reason: string;
}

export interface ChainMark {
  readonly n: number;
  readonly hash: string;
}

interface LinkRow {
  readonly n: number;
  readonly kind: number;
  readonly at: number;
  readonly hash: Buffer;
}

interface BodyRow {
  readonly n: number;
  readonly body: string;
}

export interface ChainWalk {
  /** Verifies at most `limit` records after `mark`; the mark it returns is the last good one. `done` at the head. */
  step(
    mark: ChainMark,
    limit: number,
  ): { readonly mark: ChainMark; readonly fault: ChainFault | null; readonly done: boolean };
}

export function createChainWalk(db: Db): ChainWalk {
  const links = db.prepare<[number, number], LinkRow>(
    'SELECT n, kind, at, hash FROM journal WHERE n > ? ORDER BY n LIMIT ?',
  );
  const punches = db.prepare<[number, number], PunchRow>(`${SELECT_PUNCH} WHERE punch.n > ? AND punch.n <= ?`);
  const bodies = [
    db.prepare<[number, number], BodyRow>('SELECT n, body FROM event WHERE n > ? AND n <= ?'),
    db.prepare<[number, number], BodyRow>('SELECT n, body FROM credit WHERE n > ? AND n <= ?'),
  ];
  return {
    step(mark, limit) {
      const slice = links.all(mark.n, limit);
      const upTo = slice.at(-1)?.n ?? mark.n;
      const jsons = new Map<number, string>();
      for (const row of punches.iterate(mark.n, upTo)) jsons.set(row.n, punchJson(punchOfRow(row)));
      for (const statement of bodies) for (const row of statement.iterate(mark.n, upTo)) jsons.set(row.n, row.body);
      let good = mark;
      for (const link of slice) {
        const fault = (reason: string) => ({ mark: good, fault: { n: link.n, reason }, done: false });
        if (link.n !== good.n + 1)
          return { mark: good, fault: { n: good.n + 1, reason: 'the journal row is missing' }, done: false };
        const kind = KINDS[link.kind - 1];
        const json = jsons.get(link.n);
        if (kind === undefined) return fault(`kind ${link.kind} is unknown`);
        if (json === undefined) return fault(`the ${kind} of this journal row is missing`);
        const hash = recordHash(good.hash, link.n, kind, link.at, json);
        if (hash !== link.hash.toString('hex')) return fault('the record or its hash was changed');
        good = { n: link.n, hash };
      }
      return { mark: good, fault: null, done: slice.length < limit };
    },
  };
}
