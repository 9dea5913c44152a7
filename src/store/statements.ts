/**
 * Statements that are prepared once for each connection. Reading a day of credit asks the same few questions thousands of times;
 * preparing each anew would cost more than the answers, and on Node 24 nothing that was prepared is ever given up
 * (`core/kept-statements.ts`). Only for texts that stand in the program: one entry each, for as long as the connection lives.
 */
import type { Statement } from 'better-sqlite3';
import type { Db } from './store.js';

const known = new WeakMap<Db, Map<string, Statement>>();

/** The statement of this text on this connection. Ask for it each time; the store may have opened another connection. */
export function prepared<Bound extends unknown[], Row>(db: Db, sql: string): Statement<Bound, Row> {
  const statements = known.get(db) ?? new Map<string, Statement>();
  known.set(db, statements);
  let statement = statements.get(sql);
  if (!statement) statements.set(sql, (statement = db.prepare(sql)));
  return statement as Statement<Bound, Row>;
}

/**
 * Runs `work` on one moment of the database: what others commit meanwhile is not seen by it. Inside an open transaction it is
 * already so. For reading only; the moment is given back whatever happens.
 */
export function inSnapshot<T>(db: Db, work: () => T): T {
  if (db.inTransaction) return work();
  db.exec('BEGIN');
  try {
    return work();
  } finally {
    db.exec('COMMIT');
  }
}
