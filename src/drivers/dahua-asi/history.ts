/**
 * Reading the log: all of it, or from where reading stands. The number of records that the terminal announces is compared
 * with what came; where something is missing everything is read, then again over JSON-RPC, and what still is missing is
 * told. Record numbers that begin again, or fewer records than before, mean that the log was cleared: a new epoch.
 *
 *   position {recNo, createS, known}:  the record with the highest number, its CreateTime, and how many the log had then
 */
import type { Cursor, PunchPage, PunchRecord, Wire } from '../driver.js';
import type { Api } from './api.js';
import type { Group } from './codec.js';
import type { Correction } from './correction.js';
import { pagesByRpc, pagesByTime, querySize } from './finder.js';
import type { DahuaOptions } from './options.js';
import { readRecord } from './punch.js';

export interface History {
  /** From the stored position, going back by `overlapS`; everything when there is none or it no longer fits. */
  read(overlapS: number): AsyncGenerator<PunchPage, void>;
  /** What the terminal announced last. */
  readonly announced: number | null;
  /** Asks how many records there are. */
  count(): Promise<number | null>;
  /** The highest record number seen in the log. */
  readonly recNo: number | null;
  /** Records found by the last reading that were not known before it. */
  readonly found: number;
  /** Gateway time of the last complete reading that went back far. */
  readonly readAt: number | null;
  /** The log could not be read to its end. */
  readonly incomplete: boolean;
  /** A reading that goes back far begins. */
  markFar(): void;
  cursor(): Cursor;
}

interface Position {
  recNo: number;
  createS: number;
  /** Records in the log up to here. */
  known: number;
}

const positionIn = (after: Cursor | null): Position | null => {
  const { recNo, createS, known } = after ?? {};
  return typeof recNo === 'number' && typeof createS === 'number' && typeof known === 'number'
    ? { recNo, createS, known }
    : null;
};

/** One reading: which records came, and what they say about the numbering. */
interface Pass {
  readonly seen: Set<string>;
  top: { recNo: number; createS: number } | null;
  /** Records beyond the position. */
  beyond: number;
  anchored: boolean;
  restarted: boolean;
}

export function createHistory(
  api: Api,
  options: DahuaOptions,
  wire: Wire,
  correction: Correction,
  after: Cursor | null,
): History {
  let position = positionIn(after);
  let announced: number | null = null;
  let found = 0;
  let incomplete = after?.incomplete === true;
  /** Records that the last reading of everything announced and did not give: they are missing until another one gives them. */
  let lacking = incomplete && typeof after?.lacking === 'number' ? after.lacking : 0;
  let readAt = typeof after?.readAt === 'number' ? after.readAt : null;
  let farBegun: number | null = null;
  let oddTold = false;

  const secondsOf = (group: Group): number | null => {
    const { access } = readRecord(group, options, () => null, 'poll');
    return correction.secondsOf(access.created ?? access.told);
  };
  const count = async (): Promise<number | null> => {
    announced = await querySize(api);
    return announced;
  };
  const cursorAt = (at: Position | null): Cursor => ({
    ...(at ?? {}),
    ...(readAt === null ? {} : { readAt }),
    ...(incomplete ? { incomplete, lacking } : {}),
    ...correction.position(),
  });

  const newPass = (): Pass => ({ seen: new Set(), top: null, beyond: 0, anchored: false, restarted: false });

  /** Whether this record has not come in this pass; keeps the books of the pass. */
  const take = (pass: Pass, group: Group, from: Position | null): boolean => {
    const seconds = secondsOf(group);
    const recNo = Number(group.fields.RecNo ?? Number.NaN);
    const key = Number.isFinite(recNo) ? `${recNo} ${seconds}` : Buffer.from(group.raw).toString('latin1');
    if (pass.seen.has(key)) return false;
    pass.seen.add(key);
    if (Number.isFinite(recNo)) {
      if (seconds !== null && (pass.top === null || recNo > pass.top.recNo)) pass.top = { recNo, createS: seconds };
      if (from === null || recNo > from.recNo) pass.beyond += 1;
      else if (recNo === from.recNo && seconds === from.createS) pass.anchored = true;
      else if (seconds !== null && seconds > from.createS) pass.restarted = true;
    } else if (from !== null && seconds !== null && seconds > from.createS) pass.beyond += 1;
    return true;
  };

  const punchesOf = (groups: readonly Group[]): PunchRecord[] =>
    groups.flatMap((group) => {
      const { access, punch } = readRecord(group, options, (told) => correction.wallOf(told), 'poll');
      if (punch && access.told === null && !oddTold) {
        oddTold = true;
        wire.note({
          code: 'impossible-date',
          text: 'A record holds no time that can be read',
          data: { recNo: access.recNo },
        });
      }
      return punch ? [punch] : [];
    });
  const part = (groups: readonly Group[], cursor: Cursor | null): PunchPage => ({
    punches: punchesOf(groups),
    cursor,
    drained: false,
    count: null,
  });

  const finish = (complete: boolean, decoded: number): PunchPage => {
    incomplete = !complete;
    if (farBegun !== null) readAt = farBegun;
    farBegun = null;
    const told = announced;
    return {
      punches: [],
      cursor: cursorAt(position),
      drained: complete,
      count: told === null ? null : { announced: told, decoded },
    };
  };

  async function* readAll(): AsyncGenerator<PunchPage, void> {
    farBegun = wire.clock.now();
    await count();
    const before = position;
    const pass = newPass();
    for await (const groups of pagesByTime(api, null, options.pageRecords, secondsOf, (group) =>
      take(pass, group, null),
    )) {
      const at = pass.top === null ? null : { ...pass.top, known: pass.seen.size };
      // While an old position still stands in the store, it is only replaced by a finished reading.
      yield part(groups, before === null && at ? cursorAt(at) : null);
    }
    const wanted = announced ?? 0;
    if (pass.seen.size < wanted) {
      for await (const groups of pagesByRpc(api)) {
        const fresh = groups.filter((group) => take(pass, group, null));
        if (fresh.length > 0) yield part(fresh, null);
      }
    }
    const complete = pass.seen.size >= wanted;
    if (!complete) {
      wire.note({
        code: 'count-mismatch',
        text: `The terminal announced ${wanted} records and gave ${pass.seen.size}; its history is incomplete`,
        data: { announced: wanted, decoded: pass.seen.size },
      });
    }
    lacking = Math.max(0, wanted - pass.seen.size);
    found = Math.max(0, pass.seen.size - (before?.known ?? 0));
    position = pass.top === null ? null : { ...pass.top, known: Math.max(pass.seen.size, wanted) };
    yield finish(complete, pass.seen.size);
  }

  const noteEpoch = (text: string, known: number): void =>
    wire.note({ code: 'epoch-changed', text, data: { known, announced } });

  async function* readSince(from: Position, overlapS: number): AsyncGenerator<PunchPage, void> {
    await count();
    const pass = newPass();
    const cleared = announced === 0 && from.known > 0;
    if (!cleared) {
      // A record of a far future, made before the clock was put right, hides nothing that comes after it.
      const start = Math.max(0, Math.min(from.createS, Math.floor(wire.clock.now() / 1000)) - overlapS);
      for await (const groups of pagesByTime(api, start, options.pageRecords, secondsOf, (group) =>
        take(pass, group, from),
      ))
        yield part(groups, null);
    }
    const decoded = from.known + pass.beyond;
    if (cleared || pass.restarted)
      noteEpoch('The log of the terminal was cleared: its record numbers begin again', from.known);
    else if (!pass.anchored)
      wire.note({ code: 'gap', text: 'The last record read is no longer in the log: everything is read again' });
    else if (announced !== null && decoded < announced)
      wire.note({
        code: 'gap',
        text: 'The log holds records out of order of time: everything is read again',
        data: { announced, decoded },
      });
    else {
      found = pass.beyond;
      position = {
        ...(pass.top !== null && pass.top.recNo > from.recNo ? pass.top : from),
        known: Math.max(announced ?? 0, decoded),
      };
      // Nothing is missing since the last reading of everything; what was missing then still is, while it is announced.
      const held = decoded - lacking;
      lacking = Math.max(0, Math.min(lacking, (announced ?? Infinity) - held));
      yield finish(lacking === 0, held);
      return;
    }
    yield* readAll();
  }

  return {
    count,
    async *read(overlapS) {
      if (position === null) yield* readAll();
      else yield* readSince(position, overlapS);
    },
    get announced() {
      return announced;
    },
    get recNo() {
      return position?.recNo ?? null;
    },
    get found() {
      return found;
    },
    get readAt() {
      return readAt;
    },
    get incomplete() {
      return incomplete;
    },
    markFar() {
      farBegun = wire.clock.now();
      if (incomplete) position = null;
    },
    cursor: () => cursorAt(position),
  };
}
