/**
 * Reads the record store completely: what is announced, block by block, asking again for what did not come, and what was
 * added meanwhile. The reading position is our own: the highest index up to which everything came, with a mark of that
 * record, so that a store which was cleared and filled again is noticed. The read index in the terminal is only a courtesy to
 * it and is moved in `confirm`, never on the strength of what it said itself.
 *
 *   08 01 ─> announced     08 04 [first, n] ─> 38 04 00 … 38 04 FF     missing? asked again     ═ stored ═>     08 03 [index]
 */
import { createHash } from 'node:crypto';
import { Reader } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { Cursor, PunchPage, PunchRecord, Wire } from '../driver.js';
import { COMMAND } from './codec.js';
import { isSilence, type Conversation } from './conversation.js';
import type { FcardOptions } from './options.js';
import {
  decodeRecord,
  decodeSlots,
  decodeStores,
  hasOddDigits,
  punchOf,
  recordsRequest,
  type Slot,
  type Store,
} from './records.js';
import { behindOf, fullPlan, lengthOf, newPlan, oldestOf, type Segment } from './store-plan.js';

/** Where reading stands; stored with the punches. */
export interface Position {
  /** Everything up to here was read. */
  readonly index: number;
  /** Digest of the record at `index`; '' when that slot is empty. */
  readonly mark: string;
  /** How many readings in turn ended with slots missing. */
  readonly gaps: number;
}

export interface Reading {
  /** The live records that have arrived, as a page; null when there are none. */
  livePage(): PunchPage | null;
  /** Yields everything after `after` (null: everything); the last page is drained and counted. */
  run(after: Position | null): AsyncGenerator<PunchPage, Position>;
  /** The index to which the terminal's read index may move once the page is stored; null: not at all. */
  confirmable(page: PunchPage): number | null;
  /** The read index was moved by us. */
  moved(index: number): void;
}

/** Tries for slots that did not come. */
const ASKS = 8;
/** Rounds of looking for records that were added while reading. */
const ROUNDS = 10;
/** Readings after which a slot that never comes, though later ones do, is given up. */
const GAPS_MAX = 3;

export const positionOf = (cursor: Cursor | null): Position | null =>
  cursor !== null && typeof cursor.index === 'number'
    ? {
        index: cursor.index,
        mark: typeof cursor.mark === 'string' ? cursor.mark : '',
        gaps: typeof cursor.gaps === 'number' ? cursor.gaps : 0,
      }
    : null;

/** Says nothing about the person: only whether it is the same record. */
const markOf = (slot: Slot | undefined): string =>
  slot?.record ? createHash('sha256').update(slot.bytes).digest('hex').slice(0, 16) : '';

/** A block that was read and not yet given. */
interface Held {
  readonly punches: readonly PunchRecord[];
  /** Null: slots that are no reading position. */
  readonly position: Position | null;
}

/** The index of each slot of a packet; an empty slot that does not tell its own stands beside its neighbours. */
function indicesOf(packet: readonly Slot[], isWanted: (index: number) => boolean): readonly (number | null)[] {
  const anchor = packet.findIndex((slot) => isWanted(slot.index));
  return packet.map((slot, at) => {
    if (isWanted(slot.index)) return slot.index;
    const beside = (packet[anchor]?.index ?? -Infinity) + at - anchor;
    return slot.record === null && isWanted(beside) ? beside : null;
  });
}

/** The state of one run. */
interface Progress {
  position: Position;
  /** The last slot up to `position` that is not empty. */
  filled: Position;
  /** False after the first slot that did not come. */
  contiguous: boolean;
  accounted: number;
  readonly missing: number[];
  /** Highest index that came. */
  top: number;
}

export function createReading(conversation: Conversation, options: FcardOptions, wire: Wire): Reading {
  const confirmables = new WeakMap<PunchPage, number>();
  let known: Store | null = null;
  let markChecked = false;
  let lowTold = false;
  let movedTold = false;

  const readStore = async (): Promise<Store> => {
    const [store] = decodeStores((await conversation.ask(COMMAND.stores)).data);
    if (!store) throw fail('bad-reply', { request: 'stores (08 01)', reason: 'no store', reasonZh: '没有记录区' });
    if (known !== null && store.read !== known.read && !movedTold) {
      movedTold = true;
      wire.note({
        code: 'odd',
        text: 'The read index of the terminal moved by itself, or another program moved it; nothing depends on it',
        data: { before: known.read, after: store.read },
      });
    }
    known = store;
    return store;
  };

  /** Asks once for `count` slots from `first` on. False when packets were lost; throws `link-silent` when nothing came at all. */
  const askSlots = async (
    first: number,
    count: number,
    into: Map<number, Slot>,
    codes: Set<number>,
  ): Promise<boolean> => {
    const isWanted = (index: number): boolean => index >= first && index < first + count;
    let came = 0;
    let total = Infinity;
    try {
      await conversation.ask(COMMAND.readRecords, recordsRequest(first, count), {
        collect: (frame) => {
          if (frame.par !== 0) {
            total = new Reader(frame.data, 'big').u32();
            return true;
          }
          const packet = decodeSlots(frame.data);
          came += packet.length;
          indicesOf(packet, isWanted).forEach((index, at) => {
            const slot = packet[at];
            if (index !== null && slot) into.set(index, slot);
          });
          return false;
        },
        // With a part in hand the missing ones are asked for by themselves.
        retries: 0,
        codes,
      });
    } catch (error) {
      if (!isSilence(error) || came === 0) throw error;
    }
    return came >= total;
  };

  /** A block, asking again for runs of missing slots until they have come or the terminal says that it has no more. */
  const fetchBlock = async (first: number, count: number): Promise<Map<number, Slot>> => {
    const slots = new Map<number, Slot>();
    // Slots tell their index: a packet that is late is as good as one in time, also when it was asked for before.
    const codes = new Set<number>();
    let silent = 0;
    for (let asked = 0; asked < ASKS && slots.size < count; asked += 1) {
      const before = slots.size;
      let lost = false;
      for (let from = first; from < first + count; from += 1) {
        if (slots.has(from)) continue;
        let to = from;
        while (to + 1 < first + count && !slots.has(to + 1)) to += 1;
        try {
          if (!(await askSlots(from, to - from + 1, slots, codes))) lost = true;
        } catch (error) {
          if (!isSilence(error) || silent >= options.retries) throw error;
          silent += 1;
          lost = true;
        }
        from = to;
      }
      if (!lost && slots.size === before) break;
    }
    return slots;
  };

  const cleared = (text: string, data: Readonly<Record<string, number>>): null => {
    wire.note({ code: 'epoch-changed', text, data });
    return null;
  };

  /** The position, if the store is still the one it was made in; else null: everything is read again. */
  const stillValid = async (after: Position, store: Store): Promise<Position | null> => {
    const data = { write: store.write, position: after.index };
    if (store.write < after.index)
      return cleared(
        'The newest record has a lower number than one read before: the store was cleared or began again',
        data,
      );
    if (markChecked || after.index === 0 || after.mark === '') return after;
    markChecked = true;
    if (after.index < oldestOf(store)) {
      wire.note({
        code: 'gap',
        text: 'The store was written over while nobody read it; the oldest records are lost',
        data: { lost: oldestOf(store) - after.index - 1 },
      });
      return after;
    }
    const slot = (await fetchBlock(after.index, 1)).get(after.index);
    if (markOf(slot) === after.mark) return after;
    return cleared(
      'The record read last is another one now: the store was cleared and filled again, or written over',
      data,
    );
  };

  /** A look where nothing was ever written may be refused or unanswered: then there is nothing. */
  const holdsRecord = async (index: number): Promise<boolean> => {
    try {
      return ((await fetchBlock(index, 1)).get(index)?.record ?? null) !== null;
    } catch (error) {
      if (!isSilence(error) && !(error instanceof GatewayError && error.code === 'bad-reply')) throw error;
      return false;
    }
  };

  const planFull = async (store: Store): Promise<readonly Segment[]> => {
    const behind = behindOf(store);
    // The flag may have been cleared by who read before: one look behind the write index tells.
    const ring = behind !== null && (store.wrapped || (await holdsRecord(behind.from)));
    if (store.wrapped)
      wire.note({ code: 'gap', text: 'The store has been written over: records that nobody read before are lost' });
    return fullPlan(store, ring);
  };

  const noteState = (store: Store, first: boolean): void => {
    if (first && store.read > store.write) {
      wire.note({
        code: 'epoch-changed',
        text: 'The read index lies beyond the newest record: the store was cleared; reading by our own position',
        data: { read: store.read, write: store.write },
      });
    }
    if (lowTold || store.capacity === 0 || store.write - Math.min(store.read, store.write) < store.capacity * 0.9)
      return;
    lowTold = true;
    wire.note({ code: 'memory-low', text: 'Nine tenths of the store are marked as unread', data: { ...store } });
  };

  /** Takes a block into the progress; the punches in it. */
  const account = (
    progress: Progress,
    slots: ReadonlyMap<number, Slot>,
    first: number,
    count: number,
    behind: boolean,
  ): PunchRecord[] => {
    const punches: PunchRecord[] = [];
    let empty = 0;
    for (let index = first; index < first + count; index += 1) {
      const slot = slots.get(index);
      if (slot === undefined) {
        progress.missing.push(index);
        progress.contiguous = behind && progress.contiguous;
        continue;
      }
      progress.accounted += 1;
      if (slot.record === null) empty += 1;
      else {
        const punch = punchOf(slot.record, slot.bytes, 'poll');
        if (punch) punches.push(punch);
        if (hasOddDigits(slot.record.wallTime))
          wire.note({ code: 'impossible-date', text: 'A record whose time is no number', data: { index } });
      }
      if (behind) continue;
      progress.top = index;
      if (!progress.contiguous) continue;
      progress.position = { index, mark: markOf(slot), gaps: 0 };
      if (slot.record !== null) progress.filled = progress.position;
    }
    if (empty > 0 && !behind)
      wire.note({ code: 'gap', text: `${empty} slots of the store are empty`, data: { empty } });
    return punches;
  };

  const mayConfirm = (page: PunchPage, index: number): PunchPage => {
    const read = known?.read ?? 0;
    if (!options.sharedDevice && (index > read || read > (known?.write ?? 0))) confirmables.set(page, index);
    return page;
  };

  const pageOf = ({ punches, position }: Held): PunchPage => {
    const cursor: Cursor | null = position === null ? null : { ...position };
    const page: PunchPage = { punches, cursor, drained: false, count: null };
    return position === null ? page : mayConfirm(page, position.index);
  };

  /** The page that ends a run, with the judgement whether it was complete. */
  const lastPage = (progress: Progress, announced: number, punches: readonly PunchRecord[]): PunchPage => {
    const { missing, accounted } = progress;
    const lastMissing = missing.at(-1) ?? 0;
    const gaps = progress.position.gaps + 1;
    // What later records follow and what did not come in several readings is not there. The newest may still come.
    const givenUp = missing.length > 0 && gaps >= GAPS_MAX && lastMissing < progress.top;
    if (missing.length > 0) {
      wire.note({
        code: 'count-mismatch',
        text: `The terminal announced ${announced} records and gave ${accounted}`,
        data: { announced, decoded: accounted, givenUp },
      });
    }
    if (givenUp) progress.position = { index: progress.top, mark: '', gaps: 0 };
    else if (missing.length > 0) progress.position = { ...progress.position, gaps };
    else if (progress.position.index > progress.filled.index && progress.filled.gaps + 1 < GAPS_MAX)
      // Empty up to its end: the newest may be announced and not yet written, so they are looked at again.
      progress.position = { ...progress.filled, gaps: progress.filled.gaps + 1 };
    const drained = missing.length === 0 || givenUp;
    return { punches, cursor: { ...progress.position }, drained, count: { announced, decoded: accounted } };
  };

  async function* readSegment(segment: Segment, progress: Progress): AsyncGenerator<PunchRecord[], void> {
    for (let first = segment.from; first <= segment.to; first += options.blockRecords) {
      const count = Math.min(options.blockRecords, segment.to - first + 1);
      const slots = await fetchBlock(first, count);
      yield account(progress, slots, first, count, segment.behind);
    }
  }

  const livePage = (): PunchPage | null => {
    const punches = conversation.takeLive().flatMap((bytes) => punchOf(decodeRecord(bytes), bytes, 'realtime') ?? []);
    return punches.length === 0 ? null : { punches, cursor: null, drained: false, count: null };
  };

  async function* run(after: Position | null): AsyncGenerator<PunchPage, Position> {
    const first = known === null;
    let store = await readStore();
    noteState(store, first);
    const valid = after === null ? null : await stillValid(after, store);
    let plan = valid === null ? await planFull(store) : newPlan(store, valid.index);
    const announced = lengthOf(plan);
    const progress: Progress = {
      position: valid ?? { index: 0, mark: '', gaps: 0 },
      filled: valid ?? { index: 0, mark: '', gaps: 0 },
      contiguous: true,
      accounted: 0,
      missing: [],
      top: 0,
    };
    if (valid !== null && valid.index + 1 < oldestOf(store))
      progress.filled = progress.position = { ...valid, index: oldestOf(store) - 1, mark: '' };
    let held: Held | null = null;
    for (let round = 0; round < ROUNDS && plan.length > 0; round += 1) {
      for (const segment of plan) {
        const blocks = readSegment(segment, progress);
        for (;;) {
          let block: IteratorResult<PunchRecord[], void>;
          try {
            block = await blocks.next();
          } catch (error) {
            // What has come is given before the line is given up: where it breaks at every block, each try brings one.
            if (held) yield pageOf(held);
            throw error;
          }
          if (block.done === true) break;
          const live = livePage();
          if (live) yield live;
          if (held) yield pageOf(held);
          // A block is held back until the next one has come, so that the last one can say that it is the last.
          held = { punches: block.value, position: segment.behind ? null : progress.position };
        }
      }
      const before = store;
      store = await readStore();
      plan = store.write > before.write && progress.contiguous ? newPlan(store, before.write) : [];
    }
    const live = livePage();
    if (live) yield live;
    const page = lastPage(progress, announced, held?.punches ?? []);
    yield mayConfirm(page, progress.position.index);
    return progress.position;
  }

  return {
    livePage,
    run,
    confirmable: (page) => confirmables.get(page) ?? null,
    moved: (index) => void (known = known === null ? null : { ...known, read: index }),
  };
}
