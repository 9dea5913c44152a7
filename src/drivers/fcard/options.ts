/**
 * All that a definition, a technician or a test may say about an FC-8x00 terminal and its simulator. Unknown keys are
 * refused. Timing defaults suit 19200 baud and a local network alike.
 */
import { z } from 'zod';

/** 8 hex digits. White space at the end comes with a secret read from a file; digits without quotes arrive as a number. */
const password = z.union([
  z.string().regex(/^[0-9A-Fa-f]{8}\s*$/, '8 hex digits'),
  z.number().int().min(0).max(99_999_999),
]);

const address = z.string().regex(/^[\x21-\x7e]{1,16}$/, 'up to 16 printable ASCII characters');

export const fcardOptions = z.strictObject({
  /** Serial number of the terminal, by which it is addressed. Needed where several terminals share a line; else it is asked. */
  address: address.optional(),
  /** Communication password. */
  commPassword: password.default('FFFFFFFF'),
  /** Records are told as they happen; on unless an `address` says that the line is shared. Never on a line with several terminals. */
  realTime: z.boolean().optional(),
  /** Another program reads this terminal too: its read index is never moved, and everything is read by index. */
  sharedDevice: z.boolean().default(false),
  /** Records asked for at once; 60 is the protocol's limit. */
  blockRecords: z.number().int().min(1).max(60).default(60),
  /** Seconds between two looks at the terminal while following. */
  pollSeconds: z.number().min(5).max(600).default(30),
  /** Pause between an answer and the next request; a bus needs 5 ms to turn around. */
  gapMs: z.number().int().min(0).max(1000).default(5),
  /** Silence after which an incomplete frame is given up. */
  silenceMs: z.number().int().min(20).max(10_000).default(2000),
  answerTimeoutMs: z.number().int().min(100).max(60_000).default(2000),
  /** How often a request is sent again when nothing answers. */
  retries: z.number().int().min(0).max(10).default(3),
});

export type FcardOptions = z.output<typeof fcardOptions>;

/** The four bytes of a password. */
export const passwordBytes = (told: string | number): Uint8Array =>
  Uint8Array.from(Buffer.from(String(told).trim().padStart(8, '0'), 'hex'));

/** Whether records are to be told as they happen. */
export const watches = (options: FcardOptions): boolean => options.realTime ?? options.address === undefined;

export const fcardSimulatorOptions = z.strictObject({
  commPassword: password.default('FFFFFFFF'),
  /** Further terminals on the same line, by serial number; they hold the same users and copies of the records. */
  neighbours: z.array(address).max(30).default([]),
  version: z.string().max(40).default('Ver 3.12'),
  /** Slots of the record store; the oldest are written over. */
  recordCapacity: z.number().int().min(4).max(1_000_000).default(20_000),
  /** Whether indices go on beyond the capacity, or begin again at 1 like slots of a ring. */
  indices: z.enum(['count', 'ring']).default('count'),
  /** How many records the maker's software has already marked as read. */
  readIndex: z.number().int().min(0).max(0xffffffff).default(0),
  personCapacity: z.number().int().min(0).max(100_000).default(5000),
  /** Records in one packet of a bulk answer. */
  packetRecords: z.number().int().min(1).max(60).default(20),
  /** Seconds between keep-alives of a terminal that calls, and between its tries to call. */
  keepAliveSeconds: z.number().min(1).max(3600).default(20),
});

export type FcardSimulatorOptions = z.output<typeof fcardSimulatorOptions>;
