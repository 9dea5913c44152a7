/**
 * From what a terminal told to the punch that leaves the driver: who it was (where only a slot number is known, by the
 * user table of the same session), the direction and the method. An id that could mean two people means nobody here:
 * such an event is left to the log, which says it without doubt.
 */
import type { Direction } from '../../core/punch-words.js';
import type { Finding, PunchRecord } from '../driver.js';
import { directionOf, verifyOf } from './codes.js';
import { isRealDate, type Attendance, type User } from './records.js';

export interface UserTable {
  /** User id of a slot; undefined when unknown. */
  idOf(uid: number): string | undefined;
  /** Whether somebody types this id. */
  hasId(id: string): boolean;
  readonly size: number;
}

/** `former` are slots as they were known before: a record of somebody deleted since keeps the id it was first stored with. */
export function createUserTable(users: readonly User[], former: ReadonlyMap<number, string> = new Map()): UserTable {
  const byUid = new Map([...former, ...users.map((user) => [user.uid, user.id] as const)]);
  const ids = new Set(users.map((user) => user.id));
  return { idOf: (uid) => byUid.get(uid), hasId: (id) => ids.has(id), size: users.length };
}

export interface PunchMaking {
  readonly users: UserTable | null;
  readonly directionMap: Readonly<Record<string, Direction>> | undefined;
  readonly source: 'poll' | 'realtime' | 'replay';
}

export interface MadePunch {
  readonly punch: PunchRecord;
  /** The slot is not in the user table; the id is the slot number as text. */
  readonly unknownSlot: boolean;
}

function person(record: Attendance, users: UserTable | null): { id: string; unknownSlot: boolean } | null {
  if (record.userId !== null && record.userId !== '') return { id: record.userId, unknownSlot: false };
  if (record.shortId !== null) {
    const typed = String(record.shortId);
    const bySlot = users?.idOf(record.shortId);
    if (bySlot === undefined || bySlot === typed) return { id: typed, unknownSlot: false };
    return users?.hasId(typed) ? null : { id: bySlot, unknownSlot: false };
  }
  const uid = record.uid ?? 0;
  const known = users?.idOf(uid);
  if (known !== undefined && known !== '') return { id: known, unknownSlot: false };
  // The slot number is kept as text, marked where it would otherwise be somebody else's id.
  return { id: users?.hasId(String(uid)) ? `uid:${uid}` : String(uid), unknownSlot: true };
}

/** Null when the id of a live event could be two different people. */
export function makePunch(record: Attendance, making: PunchMaking): MadePunch | null {
  const who = person(record, making.users);
  if (!who) return null;
  return {
    unknownSlot: who.unknownSlot,
    punch: {
      deviceUserId: who.id,
      deviceUid: record.uid,
      wallTime: record.wallTime,
      direction: making.directionMap?.[String(record.state)] ?? directionOf(record.state),
      directionRaw: record.state,
      verify: verifyOf(record.verify),
      verifyRaw: record.verify,
      score: null,
      seq: null,
      source: making.source,
      raw: record.raw,
    },
  };
}

/** Counts what is odd about the punches of one read and tells it once, at the end. */
export function createOddities(note: (finding: Finding) => void): {
  readonly see: (made: MadePunch) => void;
  readonly tell: () => void;
} {
  let impossible = 0;
  let unknown = 0;
  return {
    see: (made) => {
      if (!isRealDate(made.punch.wallTime)) impossible += 1;
      if (made.unknownSlot) unknown += 1;
    },
    tell: () => {
      if (impossible > 0)
        note({
          code: 'impossible-date',
          text: `${impossible} records have a date that does not exist`,
          data: { count: impossible },
        });
      if (unknown > 0)
        note({
          code: 'odd',
          text: `${unknown} records name a slot that is not in the user table`,
          data: { count: unknown },
        });
    },
  };
}
