/**
 * Which slots of the record store are to be read, and in which order. Pure. Indices of most terminals go on counting; in
 * some they are slots of a ring (both occur in the vendor's libraries), and nothing in an answer tells which. So a full
 * reading takes every slot that may hold a record, the oldest first, and never trusts the read index or the wrapped flag
 * alone: the maker's software moves the one and clears the other.
 */
import type { Store } from './records.js';

/** Slots `from` to `to`, both included. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  /** Slots behind the write index of a ring, older than everything before it: no reading position. */
  readonly behind: boolean;
}

export const lengthOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, one) => sum + one.to - one.from + 1, 0);

/** The oldest index that the store can still hold. A terminal that tells no capacity may hold them all. */
export const oldestOf = (store: Store): number =>
  store.capacity === 0 ? 1 : Math.max(1, store.write - store.capacity + 1);

/** Slots after the write index: a ring that has begun again holds its older records there. */
export const behindOf = (store: Store): Segment | null =>
  store.write < store.capacity ? { from: store.write + 1, to: store.capacity, behind: true } : null;

/** Everything; `ring` when the slots behind the write index are known to hold records. */
export function fullPlan(store: Store, ring: boolean): readonly Segment[] {
  const behind = ring ? behindOf(store) : null;
  const ahead: readonly Segment[] =
    store.write === 0 ? [] : [{ from: oldestOf(store), to: store.write, behind: false }];
  return behind ? [behind, ...ahead] : ahead;
}

/** What was written after `index`. */
export function newPlan(store: Store, index: number): readonly Segment[] {
  const from = Math.max(index + 1, oldestOf(store));
  return from > store.write ? [] : [{ from, to: store.write, behind: false }];
}
