/**
 * Facts in, in order, for ever: punches, events, credits, and the record chain over all of them. Numbers rise by one
 * without a gap; each record's hash covers the one before it. Nothing here changes or deletes a row.
 *
 * `createJournal` holds the prepared statements and the head of one connection. Between `begin` and `commit` the head moves
 * in memory with the open transaction; `rollback` takes it back. The caller owns the transaction itself.
 */
import { fail } from '../core/errors.js';
import type { Instant, LocalDate } from '../core/time.js';
import type { CreditFact, EventFact, FactKind, JsonValue, Numbered, PunchFact } from '../rules/facts.js';
import { creditsOf } from './credits.js';
import { punchesAround } from './punches.js';
import {
  canonicalJson,
  DELIVERIES,
  DIRECTIONS,
  genesisHash,
  isAstray,
  KINDS,
  normalPunch,
  punchJson,
  punchOfRow,
  recordHash,
  SELECT_PUNCH,
  seqIdentity,
  SOURCES,
  VERIFIES,
  type PunchRow,
} from './record.js';
import type { Db, JournalHead } from './store.js';

export interface Journal {
  begin(): void;
  commit(): void;
  rollback(): void;
  addPunch(punch: PunchFact, at: Instant): number | null;
  addEvent(event: EventFact, at: Instant): number;
  addCredit(credit: CreditFact, at: Instant): number;
  setCursor(deviceSn: string, cursor: JsonValue): void;
  forgetCursors(): void;
  /** Writes what is counted in memory; call before the commit. */
  flush(): void;

  readonly journalId: string;
  head(): JournalHead;
  /** The head inside the open transaction. */
  openHead(): JournalHead;
  facts(after: number, limit: number, kind?: FactKind): readonly Numbered[];
  fact(n: number): Numbered | null;
  factAt(n: number): Instant | null;
  hashAt(n: number): string | null;
  cursor(deviceSn: string): JsonValue;
  punchCount(deviceSn?: string): number;
  punchesAround(deviceUserIds: readonly string[], from: Instant, to: Instant): readonly Numbered<PunchFact>[];
  credit(id: string): Numbered<CreditFact> | null;
  creditsOf(classNo: string, date?: LocalDate): readonly Numbered<CreditFact>[];
}

interface BodyRow {
  readonly n: number;
  readonly body: string;
}

const eventOfRow = (row: BodyRow): Numbered<EventFact> => ({ ...(JSON.parse(row.body) as EventFact), n: row.n });
const creditOfRow = (row: BodyRow): Numbered<CreditFact> => ({ ...(JSON.parse(row.body) as CreditFact), n: row.n });

/** Ids of rows that name a text, remembered; ids given in a transaction that rolls back are forgotten. */
function createNames(
  db: Db,
  table: 'word' | 'device',
  column: 'text' | 'sn',
): { id(text: string): number; rollback(): void } {
  const find = db.prepare<[string], { id: number }>(`SELECT id FROM ${table} WHERE ${column} = ?`);
  const add = db.prepare<[string]>(`INSERT INTO ${table} (${column}) VALUES (?)`);
  const known = new Map<string, number>();
  return {
    id(text) {
      let id = known.get(text);
      if (id === undefined) {
        id = find.get(text)?.id ?? Number(add.run(text).lastInsertRowid);
        // Hostile terminals may invent texts without end; the cache must not.
        if (known.size >= 1000) known.clear();
        known.set(text, id);
      }
      return id;
    },
    rollback: () => known.clear(),
  };
}

function prepare(db: Db) {
  return {
    record: db.prepare<[number, number, number, Buffer]>('INSERT INTO journal (n, kind, at, hash) VALUES (?, ?, ?, ?)'),
    punch:
      db.prepare(`INSERT INTO punch (n, device, device_user_id, wall_time, seq_identity, terminal, decoder, firmware, device_uid, instant,
      rx, rx_ticks, clock_trusted, offset_ms, offset_age_ms, effective, direction, direction_raw, verify, verify_raw, score, source, delivery,
      seq, seq_epoch, trainee_no, astray, raw) VALUES (${Array.from({ length: 28 }, () => '?').join(', ')})`),
    known: db.prepare(
      'SELECT 1 FROM punch WHERE device_user_id = ? AND wall_time = ? AND device = ? AND seq_identity = ?',
    ),
    event: db.prepare<[number, string]>('INSERT INTO event (n, body) VALUES (?, ?)'),
    credit: db.prepare<[number, string]>('INSERT INTO credit (n, body) VALUES (?, ?)'),
    counted: db.prepare<[number, number]>('UPDATE device SET punches = punches + ? WHERE id = ?'),
    setCursor: db.prepare<[string, number]>('UPDATE device SET cursor = ? WHERE id = ?'),
    forgetCursors: db.prepare('UPDATE device SET cursor = NULL WHERE cursor IS NOT NULL'),
    cursor: db.prepare<[string], { cursor: string | null }>('SELECT cursor FROM device WHERE sn = ?'),
    count: db.prepare<[string], { punches: number }>('SELECT punches FROM device WHERE sn = ?'),
    countAll: db.prepare<[], { punches: number }>('SELECT coalesce(sum(punches), 0) AS punches FROM device'),
    head: db.prepare<[], { n: number; hash: Buffer }>('SELECT n, hash FROM journal ORDER BY n DESC LIMIT 1'),
    hashAt: db.prepare<[number], { hash: Buffer }>('SELECT hash FROM journal WHERE n = ?'),
    at: db.prepare<[number], { at: number; kind: number }>('SELECT at, kind FROM journal WHERE n = ?'),
    upTo: db.prepare<[number, number], { last: number | null }>(
      'SELECT max(n) AS last FROM (SELECT n FROM journal WHERE n > ? ORDER BY n LIMIT ?)',
    ),
    punches: db.prepare<[number, number, number], PunchRow>(
      `${SELECT_PUNCH} WHERE punch.n > ? AND punch.n <= ? ORDER BY punch.n LIMIT ?`,
    ),
    events: db.prepare<[number, number, number], BodyRow>(
      'SELECT n, body FROM event WHERE n > ? AND n <= ? ORDER BY n LIMIT ?',
    ),
    credits: db.prepare<[number, number, number], BodyRow>(
      'SELECT n, body FROM credit WHERE n > ? AND n <= ? ORDER BY n LIMIT ?',
    ),
    lastCredit: db.prepare<[string], BodyRow>('SELECT n, body FROM credit WHERE id = ? ORDER BY rev DESC LIMIT 1'),
  };
}

export function createJournal(db: Db): Journal {
  const sql = prepare(db);
  const words = createNames(db, 'word', 'text');
  const devices = createNames(db, 'device', 'sn');
  const journalId = (db.prepare("SELECT value FROM meta WHERE name = 'journal-id'").get() as { value: string }).value;
  const last = sql.head.get();
  let committed: JournalHead = last
    ? { n: last.n, hash: last.hash.toString('hex') }
    : { n: 0, hash: genesisHash(journalId) };
  let open = committed;
  const counted = new Map<number, number>();

  const append = (kind: FactKind, at: Instant, json: string): number => {
    const n = open.n + 1;
    const hash = recordHash(open.hash, n, kind, at, json);
    sql.record.run(n, KINDS.indexOf(kind) + 1, at, Buffer.from(hash, 'hex'));
    open = { n, hash };
    return n;
  };
  const code = (list: readonly string[], value: string): number => {
    const index = list.indexOf(value);
    if (index < 0) throw fail('store-misuse', { reason: `a punch cannot carry the code "${value.slice(0, 20)}"` });
    return index;
  };
  const byKind = (kind: FactKind, after: number, upTo: number, limit: number): Numbered[] => {
    if (kind === 'punch') return sql.punches.all(after, upTo, limit).map(punchOfRow);
    if (kind === 'event') return sql.events.all(after, upTo, limit).map(eventOfRow);
    return sql.credits.all(after, upTo, limit).map(creditOfRow);
  };

  return {
    journalId,
    begin() {
      open = committed;
      counted.clear();
    },
    commit: () => void (committed = open),
    rollback() {
      open = committed;
      words.rollback();
      devices.rollback();
    },
    flush() {
      for (const [id, count] of counted) sql.counted.run(count, id);
      counted.clear();
    },
    addPunch(given, at) {
      const punch = normalPunch(given);
      const device = devices.id(punch.deviceSn);
      const identity = seqIdentity(punch);
      if (sql.known.get(punch.deviceUserId, punch.wallTime, device, identity)) return null;
      const n = append('punch', at, punchJson(punch));
      sql.punch.run(
        n,
        device,
        punch.deviceUserId,
        punch.wallTime,
        identity,
        words.id(punch.terminalId),
        words.id(punch.decoder),
        punch.firmware === null ? null : words.id(punch.firmware),
        punch.deviceUid,
        punch.instant,
        punch.rx,
        punch.rxTicks,
        punch.clockTrusted ? 1 : 0,
        punch.offsetMs,
        punch.offsetAgeMs,
        punch.effective,
        code(DIRECTIONS, punch.direction),
        punch.directionRaw,
        code(VERIFIES, punch.verify),
        punch.verifyRaw,
        punch.score,
        code(SOURCES, punch.source),
        code(DELIVERIES, punch.delivery),
        punch.seq,
        punch.seqEpoch,
        punch.traineeNo,
        isAstray(punch) ? 1 : 0,
        punch.raw,
      );
      counted.set(device, (counted.get(device) ?? 0) + 1);
      return n;
    },
    addEvent(event, at) {
      const body = canonicalJson(event);
      const n = append('event', at, body);
      sql.event.run(n, body);
      return n;
    },
    addCredit(credit, at) {
      const body = canonicalJson(credit);
      const n = append('credit', at, body);
      sql.credit.run(n, body);
      return n;
    },
    setCursor: (deviceSn, cursor) => void sql.setCursor.run(JSON.stringify(cursor), devices.id(deviceSn)),

    forgetCursors: () => void sql.forgetCursors.run(),

    head: () => committed,
    openHead: () => open,
    facts(after, limit, kind) {
      const end = Number.MAX_SAFE_INTEGER;
      if (kind) return byKind(kind, after, end, limit);
      const upTo = sql.upTo.get(after, limit)?.last ?? null;
      if (upTo === null) return [];
      return KINDS.flatMap((one) => byKind(one, after, upTo, limit)).sort((a, b) => a.n - b.n);
    },
    fact(n) {
      const kind = KINDS[(sql.at.get(n)?.kind ?? 0) - 1];
      return kind ? (byKind(kind, n - 1, n, 1)[0] ?? null) : null;
    },
    factAt: (n) => (sql.at.get(n)?.at ?? null) as Instant | null,
    hashAt: (n) => (n === 0 ? genesisHash(journalId) : (sql.hashAt.get(n)?.hash.toString('hex') ?? null)),
    cursor(deviceSn) {
      const text = sql.cursor.get(deviceSn)?.cursor ?? null;
      return text === null ? null : (JSON.parse(text) as JsonValue);
    },
    punchCount: (deviceSn) => (deviceSn === undefined ? sql.countAll.get() : sql.count.get(deviceSn))?.punches ?? 0,
    punchesAround: (deviceUserIds, from, to) => punchesAround(db, deviceUserIds, from, to),
    credit(id) {
      const row = sql.lastCredit.get(id);
      return row ? creditOfRow(row) : null;
    },
    creditsOf: (classNo, date) => creditsOf(db, classNo, date),
  };
}
