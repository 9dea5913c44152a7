/**
 * Roster to terminal (R32): puts the people of the classes into the terminals that serve them, and takes them out when they no
 * longer belong there. It works between two pages of a session, a few people at a time, so that no punch waits for it, and
 * notes after each person what became of them.
 *
 * It promises: a person whom somebody enrolled at the terminal under another name is never overwritten, that is reported
 * (`other-name`); only whom the gateway itself has put there is ever removed; faces, fingers, cards and passwords are not
 * touched. Where the protocol cannot write, people are looked for and those missing are to be enrolled by hand (`by-hand`).
 */
import {
  namesOf,
  noteTerminalUser,
  terminalUsers,
  wantedOn,
  type TerminalUserRow,
  type WantedUser,
} from '../classes/enrolment.js';
import type { Classes } from '../classes/classes.js';
import { GatewayError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { instantToDate, type Clock, type Zone } from '../core/time.js';
import type { Capability, TerminalSession, TerminalUser, TerminalUsers } from '../drivers/driver.js';
import type { Store } from '../store/store.js';

export interface EnrolParts {
  readonly terminalId: string;
  readonly capabilities: ReadonlySet<Capability>;
  readonly store: Store;
  readonly classes: Classes;
  readonly clock: Clock;
  readonly zone: Zone;
  readonly log: Log;
}

export interface Enrolment {
  /** One step of the work; returns when a few people are done or nothing is left. Throws when the link is gone. */
  step(session: TerminalSession, deviceSn: string, signal: AbortSignal): Promise<void>;
  /** How many are in the terminal, could not be put there, and still wait. */
  counts(): { readonly enrolled: number; readonly failed: number; readonly waiting: number };
}

/** Reason of a person who was being written when the link or the gateway ended. */
const INTERRUPTED = 'interrupted';
/** People in one step: some seconds on a slow line. */
const STEP_PEOPLE = 10;
const RETRY_MS = 3_600_000;
/** Even when nothing seems to be to do, the terminal is looked at once a day: somebody may have deleted people at its menu. */
const LOOK_MS = 86_400_000;

/** The name of somebody in a version of a roster; '' where it is not known any more. */
type NameOf = (one: WantedUser | undefined) => string;

interface Task {
  readonly wanted: WantedUser;
  readonly row: TerminalUserRow | undefined;
}

export function createEnrolment(parts: EnrolParts): Enrolment {
  const { terminalId, capabilities, store, classes, clock, log } = parts;
  const writes = capabilities.has('users.write');
  let lookedTicks: number | null = null;
  /** When the terminal would not tell whom it knows. */
  let unlistedTicks: number | null = null;

  const rowsById = (): ReadonlyMap<string, TerminalUserRow> =>
    new Map(terminalUsers(store, terminalId).map((row) => [row.deviceUserId, row]));
  const wantedNow = (): readonly WantedUser[] =>
    wantedOn(classes.all(), terminalId, instantToDate(clock.now(), parts.zone));

  /** Names of one step: a roster is decrypted once, not for each of its people. */
  const namesBook = (): NameOf => {
    const rosters = new Map<string, ReadonlyMap<string, string>>();
    return (one) => {
      if (!one) return '';
      const { classNo, rosterVersion, traineeNo } = one;
      const key = `${classNo} ${rosterVersion}`;
      const names = rosters.get(key) ?? namesOf(store, classNo, rosterVersion);
      rosters.set(key, names);
      return names.get(traineeNo) ?? '';
    };
  };

  const isDone = ({ wanted, row }: Task, deviceSn: string): boolean => {
    if (row?.deviceSn !== deviceSn || row.traineeNo !== wanted.traineeNo) return false;
    if (row.state === 'enrolled') return row.rosterVersion === wanted.rosterVersion && row.classNo === wanted.classNo;
    return row.state === 'failed' && row.reason !== INTERRUPTED && clock.now() - row.at < RETRY_MS;
  };

  const put = async (
    { wanted, row }: Task,
    nameOf: NameOf,
    there: TerminalUser | undefined,
    session: TerminalSession,
    deviceSn: string,
  ): Promise<TerminalUserRow> => {
    const ours =
      row?.putByUs === true &&
      row.deviceSn === deviceSn &&
      row.state !== 'removed' &&
      row.traineeNo === wanted.traineeNo;
    const name = nameOf(wanted);
    const outcome = (state: TerminalUserRow['state'], reason: string | null, putByUs: boolean): TerminalUserRow => ({
      ...wanted,
      ...{ terminalId, state, reason, putByUs, deviceSn, at: clock.now() },
      tries: state === 'failed' ? (row?.tries ?? 0) + 1 : 0,
    });
    if (there !== undefined && isName(there.name, name)) return outcome('enrolled', null, ours);
    // Whoever we have put there goes by the name that we wrote; under another one it is somebody whom a person enrolled since.
    const stillOurs = ours && isAsWritten(there, nameOf(row));
    if (there !== undefined && there.name !== '' && !stillOurs) return outcome('failed', 'other-name', false);
    if (!writes || !session.users) return outcome(there ? 'enrolled' : 'failed', there ? null : 'by-hand', false);
    // Noted before it is done: who dies in between must know afterwards that it was not a person who put them there.
    if (there === undefined && !ours) noteTerminalUser(store, outcome('failed', INTERRUPTED, true));
    try {
      await session.users.put({ id: wanted.deviceUserId, name });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const failed = outcome('failed', error.code === 'terminal-full' ? 'full' : error.code, stillOurs);
      // The terminal still shows the name of the roster that was written, by which this person is known as ours.
      return stillOurs ? { ...failed, classNo: row.classNo, rosterVersion: row.rosterVersion } : failed;
    }
    return outcome('enrolled', null, stillOurs || there === undefined);
  };

  const withdraw = async (
    row: TerminalUserRow,
    there: TerminalUser | undefined,
    nameOf: NameOf,
    session: TerminalSession,
  ): Promise<TerminalUserRow> => {
    const gone: TerminalUserRow = { ...row, state: 'removed', reason: null, tries: 0, at: clock.now() };
    // Also who was put there and could not be renamed later. Not who stands there under another name: a person did that.
    if (!row.putByUs || !isAsWritten(there, nameOf(row))) return gone;
    try {
      await session.users?.remove(row.deviceUserId);
      return gone;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return { ...row, reason: error.code, tries: row.tries + 1, at: clock.now() };
    }
  };

  /** Everybody in the terminal; null when it does not tell, and then it is not asked again for an hour. */
  const list = async (users: TerminalUsers): Promise<readonly TerminalUser[] | null> => {
    try {
      unlistedTicks = null;
      return await users.list();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      unlistedTicks = clock.ticks();
      log.info({ terminal: terminalId, code: error.code }, 'the terminal does not tell whom it knows');
      return null;
    }
  };

  const self: Enrolment = {
    async step(session, deviceSn, signal) {
      if (!session.users || !capabilities.has('users.read')) return;
      const rows = rowsById();
      const wanted = wantedNow();
      const ids = new Set(wanted.map((one) => one.deviceUserId));
      if (unlistedTicks !== null && clock.ticks() - unlistedTicks < RETRY_MS) return;
      const look = lookedTicks === null || clock.ticks() - lookedTicks >= LOOK_MS;
      const tasks = wanted.map((one) => ({ wanted: one, row: rows.get(one.deviceUserId) }));
      const todo = tasks.filter((task) => look || !isDone(task, deviceSn));
      const leaving = [...rows.values()].filter(
        (row) =>
          row.state !== 'removed' &&
          !ids.has(row.deviceUserId) &&
          row.deviceSn === deviceSn &&
          (row.tries === 0 || clock.now() - row.at >= RETRY_MS),
      );
      if (todo.length === 0 && leaving.length === 0) return;
      const listed = await list(session.users);
      if (listed === null) return;
      const there = new Map(listed.map((user) => [user.id, user]));
      const nameOf = namesBook();
      let changes = 0;
      for (const task of todo) {
        signal.throwIfAborted();
        if (changes >= STEP_PEOPLE) return;
        const before = task.row;
        const row = await put(task, nameOf, there.get(task.wanted.deviceUserId), session, deviceSn);
        if (before && isDone(task, deviceSn) && before.state === row.state && before.reason === row.reason) continue;
        noteTerminalUser(store, row);
        changes += 1;
      }
      for (const row of leaving) {
        signal.throwIfAborted();
        if (changes >= STEP_PEOPLE) return;
        const after = await withdraw(row, there.get(row.deviceUserId), nameOf, session);
        noteTerminalUser(store, after);
        changes += 1;
      }
      lookedTicks = clock.ticks();
      if (changes > 0) log.info({ terminal: terminalId, ...self.counts() }, 'people brought up to date');
    },
    counts() {
      const rows = rowsById();
      const states = wantedNow().map((one) => {
        const row = rows.get(one.deviceUserId);
        if (row?.traineeNo !== one.traineeNo || row.reason === INTERRUPTED) return 'waiting';
        return row.state === 'removed' ? 'waiting' : row.state;
      });
      const count = (state: string): number => states.filter((one) => one === state).length;
      return { enrolled: count('enrolled'), failed: count('failed'), waiting: count('waiting') };
    },
  };
  return self;
}

/** Whether a terminal shows this name. A short field may hold only the beginning of a long one, and `?` for a rare character. */
function isName(shown: string, name: string): boolean {
  if (shown === '') return false;
  let at = 0;
  for (const [index, piece] of shown.split(/[?\uFFFD]+/).entries()) {
    const found = name.indexOf(piece, at);
    if (found < 0 || (index === 0 && found > 0)) return false;
    at = found + piece.length;
  }
  return true;
}

/** Whether nobody is there under another name than the one that was written; where that is not known any more, it is believed. */
const isAsWritten = (there: TerminalUser | undefined, written: string): boolean =>
  there === undefined || there.name === '' || written === '' || isName(there.name, written);

/** The terminal said no, or something that nobody understands: its people wait, its punches do not. Anything else ends the session. */
const REFUSALS = new Set(['user-refused', 'terminal-full', 'bad-reply', 'short-frame']);
const isRefusal = (error: unknown): error is GatewayError => error instanceof GatewayError && REFUSALS.has(error.code);
