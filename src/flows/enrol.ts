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
import type { Capability, TerminalSession, TerminalUser } from '../drivers/driver.js';
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

/** People in one step: some seconds on a slow line. */
const STEP_PEOPLE = 10;
const RETRY_MS = 3_600_000;
/** Even when nothing seems to be to do, the terminal is looked at once a day: somebody may have deleted people at its menu. */
const LOOK_MS = 86_400_000;

interface Task {
  readonly wanted: WantedUser;
  readonly row: TerminalUserRow | undefined;
}

export function createEnrolment(parts: EnrolParts): Enrolment {
  const { terminalId, capabilities, store, classes, clock, log } = parts;
  const writes = capabilities.has('users.write');
  let lookedTicks: number | null = null;

  const rowsById = (): ReadonlyMap<string, TerminalUserRow> =>
    new Map(terminalUsers(store, terminalId).map((row) => [row.deviceUserId, row]));
  const wantedNow = (): readonly WantedUser[] =>
    wantedOn(classes.all(), terminalId, instantToDate(clock.now(), parts.zone));

  const isDone = ({ wanted, row }: Task, deviceSn: string): boolean => {
    if (row?.deviceSn !== deviceSn || row.traineeNo !== wanted.traineeNo) return false;
    if (row.state === 'enrolled') return row.rosterVersion === wanted.rosterVersion && row.classNo === wanted.classNo;
    return row.state === 'failed' && clock.now() - row.at < RETRY_MS;
  };

  const put = async (
    { wanted, row }: Task,
    name: string,
    there: TerminalUser | undefined,
    session: TerminalSession,
    deviceSn: string,
  ): Promise<TerminalUserRow> => {
    const ours =
      row?.putByUs === true &&
      row.deviceSn === deviceSn &&
      row.state !== 'removed' &&
      row.traineeNo === wanted.traineeNo;
    const outcome = (state: TerminalUserRow['state'], reason: string | null, putByUs: boolean): TerminalUserRow => ({
      ...wanted,
      ...{ terminalId, state, reason, putByUs, deviceSn, at: clock.now() },
      tries: state === 'failed' ? (row?.tries ?? 0) + 1 : 0,
    });
    // A short field may hold only the beginning of a long name.
    const sameName = there !== undefined && there.name !== '' && name.startsWith(there.name);
    if (sameName) return outcome('enrolled', null, ours);
    if (there !== undefined && there.name !== '' && !ours) return outcome('failed', 'other-name', false);
    if (!writes || !session.users) return outcome(there ? 'enrolled' : 'failed', there ? null : 'by-hand', false);
    try {
      await session.users.put({ id: wanted.deviceUserId, name });
    } catch (error) {
      if (!(error instanceof GatewayError) || !isRefusal(error)) throw error;
      return outcome('failed', error.code === 'terminal-full' ? 'full' : error.code, ours);
    }
    return outcome('enrolled', null, ours || there === undefined);
  };

  const withdraw = async (row: TerminalUserRow, session: TerminalSession): Promise<TerminalUserRow> => {
    const gone: TerminalUserRow = { ...row, state: 'removed', reason: null, tries: 0, at: clock.now() };
    if (!row.putByUs || row.state !== 'enrolled') return gone;
    try {
      await session.users?.remove(row.deviceUserId);
      return gone;
    } catch (error) {
      if (!(error instanceof GatewayError) || !isRefusal(error)) throw error;
      return { ...row, reason: error.code, tries: row.tries + 1, at: clock.now() };
    }
  };

  const self: Enrolment = {
    async step(session, deviceSn, signal) {
      if (!session.users || !capabilities.has('users.read')) return;
      const rows = rowsById();
      const wanted = wantedNow();
      const ids = new Set(wanted.map((one) => one.deviceUserId));
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
      const there = new Map((await session.users.list()).map((user) => [user.id, user]));
      let changes = 0;
      for (const task of todo) {
        signal.throwIfAborted();
        if (changes >= STEP_PEOPLE) return;
        const name = namesOf(store, task.wanted.classNo, task.wanted.rosterVersion).get(task.wanted.traineeNo) ?? '';
        const before = task.row;
        const row = await put(task, name, there.get(task.wanted.deviceUserId), session, deviceSn);
        if (before && isDone(task, deviceSn) && before.state === row.state && before.reason === row.reason) continue;
        noteTerminalUser(store, row);
        changes += 1;
      }
      for (const row of leaving) {
        signal.throwIfAborted();
        if (changes >= STEP_PEOPLE) return;
        const after = await withdraw(row, session);
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
        return row?.traineeNo === one.traineeNo && row.state !== 'removed' ? row.state : 'waiting';
      });
      const count = (state: string): number => states.filter((one) => one === state).length;
      return { enrolled: count('enrolled'), failed: count('failed'), waiting: count('waiting') };
    },
  };
  return self;
}

/** The terminal said no to this person; anything else ends the session. */
const isRefusal = (error: GatewayError): boolean => error.code === 'user-refused' || error.code === 'terminal-full';
