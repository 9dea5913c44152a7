/**
 * All that a definition, a technician or a test may say about an Anviz TC_B terminal and its simulator. Unknown keys
 * are refused. Timing defaults suit 9600 baud and a local network alike.
 */
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';
import { z } from 'zod';

const directions = z.enum(DIRECTIONS);
const verifies = z.enum(VERIFIES);
const byteText = z.string().regex(/^(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/);
const epoch = z.enum(['2000-01-01', '2000-01-02']);
const address = z.number().int().min(0).max(0xffffffff);
// White space at the end comes with a secret read from a file; digits written without quotes arrive as a number.
const credential = z.union([
  z.string().regex(/^[\x20-\x7e]{1,12}\s*$/, 'up to 12 printable ASCII characters'),
  z.number().int().min(0).max(999_999_999_999),
]);

export const anvizOptions = z.strictObject({
  /** Communication number of the terminal. 0 addresses whoever listens: for a line with one terminal, never for a bus. */
  address: address.default(0),
  /** Name for the authentication of newer firmware; some models look at the password only. */
  authUser: credential.default('admin'),
  /** Without it no authentication is tried. Some firmware answers nothing at all until it is given. */
  authPassword: credential.optional(),
  /** First day of the terminal's count of seconds. The driver refuses to go on when a live punch shows the other one. */
  epoch: epoch.default('2000-01-02'),
  /** Records are told as they happen. With more than one terminal on a line this must be off: two would talk at once. */
  realTime: z.boolean().default(false),
  /** Attendance state (0 to 15, as text) to direction, where the keys of a terminal mean something else. */
  directionMap: z.record(byteText, directions).optional(),
  /** Backup code (as text) to method; on face models the code is a template number that varies. */
  verifyMap: z.record(byteText, verifies).optional(),
  /** Backup code that means a face, where one number is all there is to say. */
  faceCode: z.number().int().min(0).max(255).optional(),
  nameEncoding: z.enum(['auto', 'gbk', 'utf-8']).default('auto'),
  /** Records in one page; 25 is the protocol's limit. */
  pageRecords: z.number().int().min(1).max(25).default(25),
  /** Hours between two readings of everything, which find what another program has marked as read. */
  fullReadHours: z.number().min(1).max(720).default(24),
  /** Seconds between two looks at the terminal while following; an authentication lapses after 300 without traffic. */
  pollSeconds: z.number().min(5).max(280).default(60),
  /** Pause after an exchange: some firmware stops answering when requests come without one. */
  gapMs: z.number().int().min(0).max(1000).default(30),
  /** Idle line before sending. 3.5 characters last 4 ms at 9600 baud; never less than 5 ms. */
  idleMs: z.number().int().min(0).max(1000).default(5),
  /** Silence after which an incomplete frame is given up. */
  silenceMs: z.number().int().min(20).max(5000).default(200),
  answerTimeoutMs: z.number().int().min(100).max(60_000).default(1000),
  pageTimeoutMs: z.number().int().min(100).max(60_000).default(3000),
  /** How often a request is sent again when nothing answers. */
  retries: z.number().int().min(0).max(10).default(3),
});

export type AnvizOptions = z.output<typeof anvizOptions>;

/** A user name or password as it is sent. */
export const credentialText = (value: string | number): string => String(value).trimEnd();

export const anvizSimulatorOptions = z.strictObject({
  address: z.number().int().min(1).max(0xffffffff).default(1),
  /** Further terminals on the same line, by address; they hold the same users and copies of the records. */
  neighbours: z.array(z.number().int().min(1).max(0xffffffff)).max(30).default([]),
  authUser: credential.default('admin'),
  /** Asks for authentication when set. */
  authPassword: credential.optional(),
  /** What an unauthenticated request meets. */
  withoutAuth: z.enum(['refuse', 'silent']).default('refuse'),
  epoch: epoch.default('2000-01-02'),
  realTime: z.boolean().default(true),
  userLayout: z.union([z.literal(27), z.literal(30), z.literal(40)]).default(30),
  /** Largest page of records the firmware sends, whatever is asked. */
  pageRecordsMax: z.number().int().min(1).max(25).default(25),
  /** Backup code for a face. */
  faceCode: z.number().int().min(0).max(255).default(16),
  model: z.string().max(8).default('FACE7'),
  firmware: z.string().max(8).default('02.10.04'),
  recordCapacity: z.number().int().min(1).max(0xffffff).default(100_000),
  userCapacity: z.number().int().min(1).max(0xffffff).default(10_000),
  /** Client mode: seconds between two heartbeats. The second one in a row without an answer ends the connection. */
  heartbeatSeconds: z.number().int().min(5).max(3600).default(300),
  /** Client mode: seconds until it dials again. */
  redialSeconds: z.number().int().min(1).max(3600).default(5),
  /** Bytes of data in the answer to a search; 63 and 167 are described, others occur. */
  searchBytes: z.number().int().min(26).max(500).default(63),
  /** What the answer to a search says of its own address. */
  ip: z.ipv4().default('192.0.2.9'),
});

export type AnvizSimulatorOptions = z.output<typeof anvizSimulatorOptions>;
