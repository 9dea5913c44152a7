import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { collectorAborts, keepStatements } from '../../src/core/kept-statements.js';

test('only Node 24 and later need it', () => {
  expect(['20.19.0', '22.23.3', '24.0.0', '26.1.0'].map((version) => collectorAborts(version))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

describe('a connection whose statements are kept', () => {
  const open = (): Database.Database => {
    const db = keepStatements(new Database(':memory:'), true);
    db.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    return db;
  };

  test('works as the driver does: rows, iterators, transactions', () => {
    const db = open();
    expect(db.prepare('SELECT b FROM t WHERE a = ?').pluck().get(2)).toBe('y');
    expect([...db.prepare('SELECT a FROM t ORDER BY a').pluck().iterate()]).toEqual([1, 2]);
    expect(() =>
      db.transaction(() => {
        db.prepare('DELETE FROM t').run();
        throw new Error('back');
      })(),
    ).toThrow('back');
    expect(db.prepare('SELECT count(*) FROM t').pluck().get()).toBe(2);
  });

  test('pragmas read and write as before, again and again', () => {
    const [kept, plain] = [open(), new Database(':memory:')];
    for (const db of [kept, plain]) {
      db.pragma('user_version = 7');
      db.pragma('foreign_keys = OFF');
    }
    for (const source of ['user_version', 'foreign_keys', 'journal_mode', 'quick_check(1)']) {
      expect(kept.pragma(source, { simple: true })).toEqual(plain.pragma(source, { simple: true }));
      expect(kept.pragma(source)).toEqual(plain.pragma(source));
    }
    kept.pragma('user_version = 8');
    expect(kept.pragma('user_version', { simple: true })).toBe(8);
    expect(kept.pragma('foreign_key_check')).toEqual([]);
  });
});
