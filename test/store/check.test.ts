/** Each promise of src/store/README.md, broken on purpose: the check of that number must say so, and say where. */
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { createChainWalk } from '../../src/store/chain.js';
import { verifyDataDir } from '../../src/store/check.js';
import { KINDS, punchJson, punchOfRow, recordHash, SELECT_PUNCH, type PunchRow } from '../../src/store/record.js';
import { readWitness, writeWitness } from '../../src/store/witness.js';
import { loadMigrations } from '../../src/store/schema.js';
import { open, punch, soundDir, tamper, tempDir } from './fixtures.js';

const faultOf = (dir: string) => verifyDataDir(dir).firstFault;

/** What a thief of the whole machine can do: hashes of all records from `from` on are made to fit again. */
function recompute(db: Database.Database, from: number): void {
  const rows = db.prepare('SELECT n, kind, at FROM journal WHERE n >= ? ORDER BY n').all(from) as {
    n: number;
    kind: number;
    at: number;
  }[];
  let previous = (db.prepare('SELECT hash FROM journal WHERE n = ?').get(from - 1) as { hash: Buffer }).hash.toString(
    'hex',
  );
  for (const { n, kind, at } of rows) {
    const name = KINDS[kind - 1] ?? 'event';
    const json =
      name === 'punch'
        ? punchJson(punchOfRow(db.prepare(`${SELECT_PUNCH} WHERE punch.n = ?`).get(n) as PunchRow))
        : (db.prepare(`SELECT body FROM ${name} WHERE n = ?`).get(n) as { body: string }).body;
    previous = recordHash(previous, n, name, at, json);
    db.prepare('UPDATE journal SET hash = ? WHERE n = ?').run(Buffer.from(previous, 'hex'), n);
  }
}

test('a sound directory verifies, beside the running daemon and as a copy', () => {
  const dir = soundDir();
  const expected = { ok: true, records: 23, batches: 3, anchoredUpTo: 15, firstFault: null };
  expect(verifyDataDir(dir)).toMatchObject(expected);
  const copy = tempDir();
  cpSync(dir, copy, { recursive: true });
  expect(verifyDataDir(copy)).toMatchObject(expected);
  const { store } = open(dir);
  store.transact((tx) => tx.addPunch(punch(200)));
  expect(verifyDataDir(dir)).toMatchObject({ ok: true, records: 25, head: store.head() });
});

test('verifying changes no byte of a copy with a hot log', () => {
  const dir = tempDir();
  const { store } = open(dir);
  store.transact((tx) => tx.addPunch(punch(0)));
  const copy = tempDir();
  for (const name of ['rollcall.db', 'rollcall.db-wal', 'head-witness'])
    copyFileSync(join(dir, name), join(copy, name));
  const before = ['rollcall.db', 'rollcall.db-wal'].map((name) => readFileSync(join(copy, name)).toString('base64'));
  expect(verifyDataDir(copy)).toMatchObject({ ok: true, records: 2 });
  expect(['rollcall.db', 'rollcall.db-wal'].map((name) => readFileSync(join(copy, name)).toString('base64'))).toEqual(
    before,
  );
});

test('1: a number is missing', () => {
  const dir = soundDir();
  tamper(dir, 'DELETE FROM journal WHERE n = 5; DELETE FROM punch WHERE n = 5');
  expect(faultOf(dir)).toMatchObject({ promise: 1, n: 6 });
});

test.each([
  ['edited', "UPDATE punch SET wall_time = '2026-09-10 08:00:00' WHERE n = 4"],
  ['moved to another person', "UPDATE punch SET trainee_no = 'T9999' WHERE n = 4"],
  ['given other raw bytes', "UPDATE punch SET raw = x'00' WHERE n = 4"],
  ['received at another time', 'UPDATE journal SET at = at + 1 WHERE n = 4'],
  ['given another hash', 'UPDATE journal SET hash = zeroblob(32) WHERE n = 4'],
])('2: a record was %s', (_what, sql) => {
  const dir = soundDir();
  tamper(dir, sql);
  expect(faultOf(dir)).toMatchObject({ promise: 2, n: 4 });
});

test('2: two records were swapped', () => {
  const dir = soundDir();
  tamper(
    dir,
    'UPDATE punch SET n = -1 WHERE n = 3; UPDATE punch SET n = 3 WHERE n = 4; UPDATE punch SET n = 4 WHERE n = -1',
  );
  expect(faultOf(dir)).toMatchObject({ promise: 2, n: 3 });
});

test('2: an event was edited', () => {
  const dir = soundDir();
  tamper(dir, `UPDATE event SET body = replace(body, '"round":0', '"round":7')`);
  expect(faultOf(dir)).toMatchObject({ promise: 2, n: 7 });
});

test('2: a record was inserted and the later ones renumbered', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    for (let n = 23; n >= 6; n -= 1) {
      for (const table of ['journal', 'punch', 'event', 'credit'])
        db.prepare(`UPDATE ${table} SET n = ? WHERE n = ?`).run(n + 1, n);
    }
    db.exec(`INSERT INTO journal SELECT 6, kind, at, hash FROM journal WHERE n = 5;
      INSERT INTO event (n, body) SELECT 6, body FROM event WHERE n = 1; UPDATE journal SET kind = 2 WHERE n = 6`);
  });
  expect(faultOf(dir)).toMatchObject({ promise: 2, n: 6 });
});

test('3: a fact without its journal row, and a journal row without its fact', () => {
  const without = soundDir();
  tamper(without, 'DELETE FROM punch WHERE n = 4');
  expect(faultOf(without)).toMatchObject({ promise: 3, n: 4 });
  const stray = soundDir();
  tamper(stray, `INSERT INTO event (n, body) SELECT 4, body FROM event WHERE n = 1`);
  expect(faultOf(stray)).toMatchObject({ promise: 3, n: 4 });
});

test('4: a punch is stored twice', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    db.exec('DROP INDEX punch_identity');
    const columns = (db.pragma('table_info(punch)') as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => name !== 'n')
      .join(', ');
    db.exec(
      `INSERT INTO journal SELECT 24, 1, at, hash FROM journal WHERE n = 23; INSERT INTO punch (n, ${columns}) SELECT 24, ${columns} FROM punch WHERE n = 23`,
    );
    recompute(db, 24);
  });
  expect(faultOf(dir)).toMatchObject({ promise: 4, n: 24 });
});

test('5: revisions of a credit are out of order', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    db.exec(`UPDATE credit SET body = replace(body, '"rev":3', '"rev":5')`);
    recompute(db, 15);
  });
  expect(faultOf(dir)).toMatchObject({ promise: 5, n: 22 });
});

test.each([
  ['is missing', 'DELETE FROM batch WHERE seq = 2'],
  ['has another predecessor', `UPDATE batch SET prev = '${'0'.repeat(64)}' WHERE seq = 2`],
  ['leaves a gap', 'UPDATE batch SET n0 = n0 + 1, records = records - 1 WHERE seq = 2'],
])('6: a batch %s', (_what, sql) => {
  const dir = soundDir();
  tamper(dir, sql);
  expect(faultOf(dir)).toMatchObject({ promise: 6 });
});

test('7: a batch was exchanged, or sealed over another journal', () => {
  const exchanged = soundDir();
  tamper(exchanged, (db) => db.exec(`UPDATE batch SET jws = replace(jws, '.c2ln', '0.c2ln') WHERE seq = 2`));
  expect(faultOf(exchanged)).toMatchObject({
    promise: 7,
    n: 9,
    reason: expect.stringContaining('not the text that was sealed') as string,
  });
  const rewritten = soundDir();
  tamper(rewritten, (db) => {
    db.exec("UPDATE punch SET trainee_no = 'T9999' WHERE n = 4");
    recompute(db, 4);
  });
  const found = verifyDataDir(rewritten);
  expect(found.firstFault).toMatchObject({
    promise: 7,
    n: 1,
    reason: expect.stringContaining('another journal') as string,
  });
  expect(found.anchoredUpTo).toBe(0);
});

test('7: a signature that does not verify', () => {
  const dir = soundDir();
  expect(verifyDataDir(dir, { verifySignature: (_jws, from) => from !== 'gateway' }).firstFault).toMatchObject({
    promise: 7,
    n: 1,
  });
  expect(verifyDataDir(dir, { verifySignature: (_jws, from) => from !== 'platform' }).firstFault).toMatchObject({
    promise: 8,
  });
  expect(verifyDataDir(dir, { verifySignature: () => true }).ok).toBe(true);
});

test('8: a receipt was given for another batch', () => {
  const dir = soundDir();
  tamper(dir, `UPDATE receipt SET hash = '${'1'.repeat(64)}' WHERE through = 2`);
  expect(faultOf(dir)).toMatchObject({ promise: 8, n: 9 });
});

test('7: a batch claims another time of sealing than the one that was signed', () => {
  const dir = soundDir();
  tamper(dir, 'UPDATE batch SET sealed_at = sealed_at + 1 WHERE seq = 2');
  expect(faultOf(dir)).toMatchObject({ promise: 7, n: 9, reason: expect.stringContaining('another at') as string });
});

test('8: a receipt in the middle is gone', () => {
  const dir = soundDir();
  tamper(dir, 'DELETE FROM receipt WHERE id = 1');
  expect(faultOf(dir)).toMatchObject({ promise: 8, reason: 'receipt 1 is gone' });
});

test.each([
  ['acknowledged without a receipt', 'UPDATE upstream SET acked_seq = 3, acked_hash = head_hash, acked_n = sealed_n'],
  ['a sealed head that is not there', 'UPDATE upstream SET head_seq = 4'],
  ['sealed less than its batches', 'UPDATE upstream SET sealed_n = sealed_n - 1'],
])('9: %s', (_what, sql) => {
  const dir = soundDir();
  tamper(dir, sql);
  expect(faultOf(dir)).toMatchObject({ promise: 9 });
});

test('10: the tail was cut off, the hashes fit, and only the witness remembers', () => {
  const dir = soundDir();
  tamper(
    dir,
    'DELETE FROM punch WHERE n = 23; DELETE FROM journal WHERE n = 23; UPDATE device SET punches = punches - 1',
  );
  expect(faultOf(dir)).toMatchObject({ promise: 10, n: 23 });
});

test('10: an old copy was put back', () => {
  const dir = soundDir();
  const old = tempDir();
  copyFileSync(join(dir, 'rollcall.db'), join(old, 'rollcall.db'));
  const { store } = open(dir);
  store.transact((tx) => tx.addPunch(punch(300)));
  store[Symbol.dispose]();
  copyFileSync(join(old, 'rollcall.db'), join(dir, 'rollcall.db'));
  expect(faultOf(dir)).toMatchObject({ promise: 10, n: 24 });
});

test('10: a full recomputation after the last batch shows in the witness', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    db.exec("UPDATE punch SET trainee_no = 'T9999' WHERE n = 23");
    recompute(db, 23);
  });
  expect(faultOf(dir)).toMatchObject({ promise: 10, n: 23 });
});

test('10: a recomputation that also forges the witness shows only where a batch or a receipt covers it', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    db.exec("UPDATE punch SET trainee_no = 'T9999' WHERE n = 23");
    recompute(db, 23);
    const { hash } = db.prepare('SELECT hash FROM journal WHERE n = 23').get() as { hash: Buffer };
    const path = join(dir, 'head-witness');
    const witness = readWitness(path);
    if (witness) writeWitness(path, { ...witness, turn: witness.turn + 1, hash: hash.toString('hex') });
  });
  // Nobody outside has seen record 23 yet: that is what "anchored up to" says.
  expect(verifyDataDir(dir)).toMatchObject({ ok: true, anchoredUpTo: 15 });
});

test('11: a counter or a stamp does not fit', () => {
  const counter = soundDir();
  tamper(counter, 'UPDATE device SET punches = punches + 1');
  expect(faultOf(counter)).toMatchObject({ promise: 11 });
  const stamp = soundDir();
  tamper(stamp, 'UPDATE touched_day SET stamp = 7');
  expect(faultOf(stamp)).toMatchObject({ promise: 11 });
});

test('12: a page was zeroed; the file is missing, empty, or something else', () => {
  const zeroed = soundDir();
  const path = join(zeroed, 'rollcall.db');
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, 4096 * 9, 4096 * 10));
  expect(faultOf(zeroed)).toMatchObject({ promise: 12 });
  writeFileSync(path, 'not a database, not even nearly'.repeat(300));
  expect(faultOf(zeroed)).toMatchObject({ promise: 12 });
  writeFileSync(path, '');
  expect(faultOf(zeroed)).toMatchObject({ promise: 12, reason: 'rollcall.db is empty' });
  rmSync(path);
  expect(faultOf(zeroed)).toMatchObject({ promise: 12, reason: 'rollcall.db is missing' });
});

test('13: the guards were taken away', () => {
  const dir = soundDir();
  tamper(dir, 'SELECT 1', false);
  expect(faultOf(dir)).toMatchObject({ promise: 13 });
});

test('14: a start found another head', () => {
  const dir = soundDir();
  tamper(dir, (db) => {
    db.exec(`UPDATE event SET body = replace(body, '"n":0', '"n":4') WHERE n = 1`);
    const id = (db.prepare("SELECT value FROM meta WHERE name = 'journal-id'").get() as { value: string }).value;
    expect(createChainWalk(db).step({ n: 0, hash: id }, 1).fault).not.toBeNull();
    const event = db.prepare('SELECT body FROM event WHERE n = 1').get() as { body: string };
    const { at } = db.prepare('SELECT at FROM journal WHERE n = 1').get() as { at: number };
    const genesis = (JSON.parse(event.body) as { data: { previous: { hash: string } } }).data.previous.hash;
    db.prepare('UPDATE journal SET hash = ? WHERE n = 1').run(
      Buffer.from(recordHash(genesis, 1, 'event', at, event.body), 'hex'),
    );
    recompute(db, 2);
  });
  expect(faultOf(dir)).toMatchObject({ promise: 14, n: 1 });
});

test('15: a reference leads nowhere', () => {
  const dir = soundDir();
  tamper(dir, "INSERT INTO class_teacher VALUES ('C9', 1, 'L1', '9001', x'00', NULL)");
  expect(faultOf(dir)).toMatchObject({ promise: 15, reason: expect.stringContaining('class_teacher') as string });
});

test.each([1, 2, 3])('a directory that a program with schema %i left verifies before anything opens it', (version) => {
  const dir = tempDir();
  const { store } = open(dir, { migrations: loadMigrations().slice(0, version) });
  store.transact((tx) => tx.addPunch(punch(1)));
  store[Symbol.dispose]();
  expect(verifyDataDir(dir)).toMatchObject({ ok: true, records: 2, firstFault: null });
});
