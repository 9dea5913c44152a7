/**
 * The people in a simulated Anviz terminal, as records of its layout: every field that a gateway does not name is kept,
 * so that a test sees when one is lost. Lists and writes as strictly as a real one: only its own layout and commands,
 * only ids of twelve digits, only up to its capacity.
 */
import { Reader } from '../../core/bytes.js';
import type { SimulatedUser } from '../driver.js';
import { COMMAND } from './codec.js';
import type { AnvizSimulatorOptions } from './options.js';
import { decodeUser, encodeUser, encodeUsers, splitUsers, NAME_AT, type WritableUser } from './users.js';

export interface StaffAnswer {
  readonly ret: number;
  readonly data?: Uint8Array;
}

/** Where one connection stands in the list. */
export interface StaffCursor {
  users: readonly Uint8Array[] | null;
  usersAt: number;
  lastUsers: Uint8Array | null;
}

export interface DeviceStaff {
  add(user: WritableUser): void;
  users(): readonly SimulatedUser[];
  /** The record of a person as it is kept. */
  record(id: string): Uint8Array | null;
  page(data: Uint8Array, command: number, at: StaffCursor): StaffAnswer;
  store(data: Uint8Array, command: number): StaffAnswer;
  remove(data: Uint8Array): StaffAnswer;
}

interface Person {
  readonly told: WritableUser;
  record: Uint8Array | null;
}

const PAGE: Readonly<Record<number, number>> = { 27: 12, 30: 12, 40: 8 };
const ID_MAX = 999_999_999_999;
/** Two whole characters, twice, a letter, and half a character. */
const HALF_A_NAME = Uint8Array.of(0xc0, 0xee, 0xcb, 0xc4, 0xc0, 0xee, 0xcb, 0xc4, 0x41, 0xc0);
const FAILED = 0x01;
const FULL = 0x04;
const NO_USERS = 0x05;
const NO_SUCH_USER = 0x06;

export function createDeviceStaff(options: AnvizSimulatorOptions, faults: ReadonlyMap<string, string>): DeviceStaff {
  const people = new Map<string, Person>();
  const layout = options.userLayout;
  const isOld = layout === 27;

  const keyOf = (id: string): string => String(Number(id));
  const recordOf = (person: Person): Uint8Array => (person.record ??= encodeUser(person.told, layout));
  const listed = (): readonly Uint8Array[] => {
    const records = [...people.values()].map((person) => Uint8Array.from(recordOf(person)));
    if (faults.has('gbk-name') && layout !== 40) records[0]?.set(HALF_A_NAME, NAME_AT[layout]);
    return records;
  };

  const store = (record: Uint8Array): number => {
    const told = decodeUser(record, layout);
    if (Number(told.id) === 0 || Number(told.id) > ID_MAX) return FAILED;
    const present = people.get(told.id);
    if (!present && (faults.has('memory-full') || people.size >= options.userCapacity)) return FULL;
    people.set(told.id, { told: { id: present?.told.id ?? told.id, name: told.name }, record });
    return 0;
  };

  return {
    add: (user) => void people.set(keyOf(user.id), { told: user, record: null }),
    users: () => [...people.values()].map(({ told }) => ({ id: told.id, name: told.name })),
    record(id) {
      const person = people.get(keyOf(id));
      return person ? recordOf(person) : null;
    },
    page(data, command, at) {
      if ((command === COMMAND.usersOld) !== isOld || data.length !== 2) return { ret: FAILED };
      const parameter = data[0];
      if (parameter === 1) {
        at.users = listed();
        at.usersAt = 0;
        if (people.size === 0) return { ret: NO_USERS };
      } else if (at.users === null || (parameter === 0x10 && at.lastUsers === null)) return { ret: FAILED };
      if (parameter !== 0x10) {
        const count = Math.min(data[1] ?? 0, PAGE[layout] ?? 8);
        at.lastUsers = encodeUsers(at.users.slice(at.usersAt, at.usersAt + count));
        at.usersAt += count;
      }
      return { ret: 0, data: at.lastUsers ?? new Uint8Array(1) };
    },
    store(data, command) {
      const count = data[0] ?? 0;
      const fits = count >= 1 && count <= (PAGE[layout] ?? 8) && data.length === 1 + count * layout;
      // A terminal of 30 bytes that is sent one record of 40 reads what it knows; one of 40 cannot read 30.
      const tooLong = count === 1 && layout === 30 && data.length === 41;
      if ((command === COMMAND.setUsersOld) !== isOld || !(fits || tooLong)) return { ret: FAILED };
      const records = tooLong ? [Uint8Array.from(data.subarray(1, 31))] : splitUsers(data, isOld).records;
      let flags = 0;
      for (const [index, record] of records.entries()) {
        const ret = store(record);
        if (ret !== 0) return { ret };
        flags |= 1 << index;
      }
      return { ret: 0, data: Uint8Array.of(flags >>> 8, flags & 0xff) };
    },
    remove(data) {
      if (data.length !== 6) return { ret: FAILED };
      const reader = new Reader(data, 'big');
      const id = String(reader.u40());
      // Single fingers and passwords have bits of their own, which nobody asks for here.
      if (reader.u8() !== 0xff) return { ret: FAILED };
      return { ret: people.delete(id) ? 0 : NO_SUCH_USER };
    },
  };
}
