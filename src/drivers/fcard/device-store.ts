/**
 * The record store of a simulated FC-8x00 terminal: indices that go on counting or slots of a ring, a read index that
 * anybody may move, and the faults of a store: cleared, marked beyond its end, announced wrongly, with empty slots.
 */
import { Writer } from '../../core/bytes.js';
import type { SimulatedPunch } from '../driver.js';
import type { FcardSimulatorOptions } from './options.js';
import { encodeRecord, RECORD_BYTES, type AuthRecord, type Store } from './records.js';

export interface Kept {
  readonly told: SimulatedPunch;
  /** 17 bytes. */
  readonly bytes: Uint8Array;
}

export interface DeviceStore {
  add(told: SimulatedPunch, record: Omit<AuthRecord, 'serial'>): Kept;
  /** A record that is no punch, such as a refusal. */
  addRefusal(record: Omit<AuthRecord, 'serial'>): void;
  /** What 08 01 says of store 1. */
  told(): Store;
  /** What it says of the three others. */
  others(): readonly Store[];
  /** Slots of 21 bytes that exist among `count` from `first` on. */
  slots(first: number, count: number): readonly Uint8Array[];
  readonly read: number;
  setRead(index: number): void;
  records(): readonly SimulatedPunch[];
}

const EMPTY: Store = { capacity: 1000, write: 0, read: 0, wrapped: false };

export function createDeviceStore(faults: Map<string, string>, options: FcardSimulatorOptions): DeviceStore {
  const everything: SimulatedPunch[] = [];
  let kept: Uint8Array[] = [];
  let read = options.readIndex;
  let serial = 0;
  const capacity = options.recordCapacity;

  const number = (fault: string, otherwise: number): number => {
    const value = Number(faults.get(fault) ?? '');
    return Number.isFinite(value) && value > 0 ? value : otherwise;
  };

  const writeIndex = (): number =>
    options.indices === 'count' || kept.length === 0 ? kept.length : ((kept.length - 1) % capacity) + 1;

  /** The record at an index, if the store still holds it. */
  const at = (index: number): Uint8Array | undefined => {
    if (index < 1) return undefined;
    if (options.indices === 'count') return index > kept.length - capacity ? kept[index - 1] : undefined;
    if (index > capacity) return undefined;
    const laps = Math.floor((kept.length - index) / capacity);
    return laps < 0 ? undefined : kept[index - 1 + laps * capacity];
  };

  const clearIfTold = (): void => {
    if (!faults.has('seq-reset')) return;
    // The store was cleared at the device; whoever clears it forgets the read index.
    faults.delete('seq-reset');
    kept = [];
  };

  const addRecord = (record: Omit<AuthRecord, 'serial'>): Uint8Array => {
    clearIfTold();
    serial += 1;
    const bytes = encodeRecord({ ...record, serial });
    kept.push(bytes);
    return bytes;
  };

  const slotBytes = (index: number, bytes: Uint8Array): Uint8Array => {
    const slot = new Writer('big').u32(index).raw(bytes).bytes();
    if (index === 1 && faults.has('empty-slot')) return new Uint8Array(RECORD_BYTES).fill(0xff);
    if (index === 1 && faults.has('impossible-date')) slot.fill(0x3f, 12, 18);
    return slot;
  };

  return {
    add(told, record) {
      const bytes = addRecord(record);
      everything.push(told);
      return { told, bytes };
    },
    addRefusal: (record) => void addRecord(record),
    told() {
      clearIfTold();
      const write = writeIndex();
      const announced = write + (faults.has('wrong-count') ? number('wrong-count', 1) : 0);
      const marked = faults.has('read-beyond-write') ? write + number('read-beyond-write', 1) : read;
      return { capacity, write: announced, read: marked, wrapped: kept.length > capacity };
    },
    others: () => [EMPTY, EMPTY, EMPTY],
    slots: (first, count) =>
      Array.from({ length: count }, (_, offset) => first + offset).flatMap((index) => {
        const bytes = at(index);
        return bytes ? [slotBytes(index, bytes)] : [];
      }),
    get read() {
      return read;
    },
    setRead: (index) => void (read = index),
    records: () => everything,
  };
}
