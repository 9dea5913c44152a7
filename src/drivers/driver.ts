/**
 * The seams of a terminal: `Driver` knows a protocol, `TerminalSession` is one conversation with one terminal,
 * `SimulatedTerminal` is the other end of the wire. A driver never asks what the wire is: it gets a Duplex.
 *
 * Rules every driver keeps: store then acknowledge (`confirm` after the commit), never clear a terminal's log,
 * compare what was read with what the terminal announced, one request at a time, route by message type and not by
 * order, keep the time text as told, and never put a password or a name into an error or a finding.
 */
import type { Direction, PunchSource, Verify } from '../core/punch-words.js';
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import type { ReachKind } from '../core/reach.js';
import type { Clock, WallTime, Zone } from '../core/time.js';

/** One punch as a terminal gave it. Whose it is, and what it is worth, is decided elsewhere. */
export interface PunchRecord {
  /** The id the person types, as text: leading zeros, letters and more than 2^53 all occur. */
  readonly deviceUserId: string;
  /** Internal slot number where the protocol has one; reused after a user is deleted. */
  readonly deviceUid: number | null;
  /** Exactly what the terminal said; may be an impossible date. */
  readonly wallTime: WallTime;
  readonly direction: Direction;
  readonly directionRaw: number | null;
  readonly verify: Verify;
  readonly verifyRaw: number | string | null;
  readonly score: number | null;
  /** The terminal's own record number, where it has one. */
  readonly seq: number | null;
  readonly source: PunchSource;
  /** The record as received. */
  readonly raw: Uint8Array;
}

/** JSON that only the driver understands: where reading stands. */
export type Cursor = Readonly<Record<string, string | number | boolean | null>>;

/**
 * What was read at once. A session that follows yields a page without punches, neither drained nor counted, after each
 * keep-alive: the terminal is still there and has nothing new, and between pages other requests may be made.
 */
export interface PunchPage {
  readonly punches: readonly PunchRecord[];
  /** Position to store with these punches, or null to leave it as it is. */
  readonly cursor: Cursor | null;
  /** True on the last page of a complete read: everything the terminal had when the read began has been yielded. */
  readonly drained: boolean;
  /** On the last page of a read: what the terminal announced before and what was decoded; else null. */
  readonly count: { readonly announced: number; readonly decoded: number } | null;
}

export interface TerminalIdentity {
  /** Serial number as the terminal reports it; never an address. */
  readonly serial: string;
  readonly model: string | null;
  readonly firmware: string | null;
  /** What else it told about itself and its fill level; never secrets. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Something worth telling that is no error: noise on the line, a checksum off by one, a full memory. */
export interface Finding {
  readonly code:
    | 'noise'
    | 'checksum'
    | 'count-mismatch'
    | 'epoch-changed'
    | 'impossible-date'
    | 'unknown-layout'
    | 'memory-low'
    | 'resent-page'
    | 'gap'
    | 'clock-odd'
    | 'odd';
  /** A short sentence in English for the log and the events; never persons or secrets. */
  readonly text: string;
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
}

export type Capability = 'punch.poll' | 'punch.live' | 'clock.read' | 'clock.set' | 'users.read' | 'users.write';

/** What a session needs from its surroundings. */
export interface Wire {
  /** Deadlines of the wire. In the demonstration this is the real clock while the class day runs faster. */
  readonly clock: Clock;
  readonly note: (finding: Finding) => void;
  /** Zone of the terminal's clock, for protocols that tell instants or want an offset. */
  readonly zone: Zone;
  /** Host and port as the terminal is reached, for an HTTP `Host` header; null when the terminal calls us. */
  readonly host: string | null;
  /** Another connection to the same terminal; null where it cannot be dialled. The session closes what it dialled. */
  readonly dial: ((signal: AbortSignal) => Promise<Duplex>) | null;
  /** The next connection that this terminal makes to us, already recognised; null where no terminal calls. */
  readonly nextCall: ((signal: AbortSignal) => Promise<Duplex>) | null;
}

/** Whether a link carries datagrams: each chunk read is one message and each write sends one (UDP). */
export const isDatagramLink = (link: Duplex): boolean => link.readableObjectMode;

/** What the first bytes of a caller say. */
export type Heard =
  | { readonly is: 'no' }
  | { readonly is: 'more' }
  /** `serial` names the caller; null: it speaks the protocol and has not told who it is. `key` is a secret word it knows, such as a token in the path. */
  | { readonly is: 'yes'; readonly serial: string | null; readonly key?: string };

/** A protocol whose terminals call the gateway. Several share one port, so the first bytes decide. */
export interface CalledSide<Options> {
  /**
   * Pure. What the first bytes of a connection say, at any length; `more` until they suffice. On a WebSocket these are the
   * texts of the messages, one after the other. At most 64 KiB are gathered before `more` becomes `no`.
   */
  hear(first: Uint8Array): Heard;
  /** Such a terminal may wait for us to speak first. Then the only terminal of this driver on the port gets the call, or `ask` tells whose it is. */
  readonly waitsForUs: boolean;
  /** Asks a silent caller for its serial number; null when it will not tell. Must leave nothing unread. */
  ask?(link: Duplex, wire: Wire, signal: AbortSignal): Promise<string | null>;
  /** The word by which a terminal with these options is known where it does not tell its serial number; null: by its serial. */
  keyOf(options: Options): string | null;
  /** `many`: one conversation over many connections (HTTP). `one`: a new connection replaces the one before. */
  readonly connections: 'one' | 'many';
  /** Tells a caller that nobody has adopted, in its own words, that it is not wanted, so that it keeps its records. The link is closed afterwards. */
  refuse?(link: Duplex, wire: Wire, signal: AbortSignal): Promise<void>;
}

/** How terminals of a protocol are found by one datagram to everybody; who sends it is elsewhere. */
export interface SearchProtocol {
  /** Port the terminals listen on, and the port that they answer to (0: any). */
  readonly port: number;
  readonly fromPort: number;
  readonly request: Uint8Array;
  /** What one datagram says; null when it is no answer of this protocol. Never throws. */
  read(bytes: Uint8Array): {
    readonly serial: string;
    readonly model: string | null;
    readonly firmware: string | null;
    /** As the terminal tells it; null: where the answer came from. */
    readonly address: string | null;
  } | null;
}

/** Somebody whom a terminal knows. Never a template or a photo. */
export interface TerminalUser {
  readonly id: string;
  readonly name: string;
}

/** The list of people in a terminal. What it holds of faces, fingers and passwords is neither read nor touched. */
export interface TerminalUsers {
  list(): Promise<readonly TerminalUser[]>;
  /** Adds a person or changes the name. Throws `user-refused` with the terminal's reason, `terminal-full`. */
  put(user: TerminalUser): Promise<void>;
  /** Removes a person with all that the terminal holds of them; punches stay. One who is not there is removed already. */
  remove(id: string): Promise<void>;
}

export interface PageOptions {
  /** Keep the session and yield punches as they happen, where the protocol can; else end when drained. */
  readonly follow: boolean;
}

export interface TerminalSession extends AsyncDisposable {
  identify(): Promise<TerminalIdentity>;
  /** Absent where the protocol has no word for it: then `clock.read` is no capability. */
  readClock?(): Promise<WallTime>;
  setClock?(to: WallTime): Promise<void>;
  /** Ends when drained, or never when following. Before asking for the next page the caller has stored the last one. */
  pages(after: Cursor | null, options: PageOptions): AsyncIterable<PunchPage>;
  /** The page is stored durably: the terminal may forget it (mark it read). Never erases records. */
  confirm(page: PunchPage): Promise<void>;
  /** Present when `users.read`; its writing half only works where `users.write` is a capability. */
  readonly users?: TerminalUsers;
}

/** What a byte stream says, for `rollcall decode` and for captures. */
export type Decoded =
  | {
      readonly kind: 'message';
      readonly name: string;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'punch'; readonly punch: PunchRecord }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array; readonly reason: string };

/** What stands in place of a person in a capture: the same for the same person, and of the same length in bytes. */
export interface Masks {
  /** Another id of the same length and the same kinds of characters; for digits never with a leading zero where there was none. */
  id(told: string): string;
  /** Filler of the same length for a name, a card, a password, a photo or a key. */
  filler(length: number): Uint8Array;
}

export interface Decoder {
  push(chunk: Uint8Array): readonly Decoded[];
  /** What is left when the stream ends; an incomplete frame is noise. */
  end(): readonly Decoded[];
}

export interface SimulatedUser {
  readonly id: string;
  readonly name: string;
}

export interface SimulatedPunch {
  readonly userId: string;
  readonly wallTime: WallTime;
  readonly verify?: Verify;
  readonly direction?: Direction;
}

export interface SimulatorSetup {
  readonly serial: string;
  readonly zone: Zone;
  /** Time of the simulated world; the terminal's own clock is this plus `clockOffsetMs`. */
  readonly world: Clock;
  /** Real deadlines and pacing of the wire. */
  readonly wire: Clock;
  readonly users: readonly SimulatedUser[];
  readonly records: readonly SimulatedPunch[];
  /** Named faults with their value ('' when none given): see faults.ts and the driver's README. */
  readonly faults: ReadonlyMap<string, string>;
  /** Protocol variants, checked by the driver's `simulatorOptions`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

/** A terminal made of software: state that survives connections, served over any wire. */
export interface SimulatedTerminal {
  /** Serves one connection until it closes or the signal aborts. Never throws for what the peer sends. */
  serve(link: Duplex, signal: AbortSignal): Promise<void>;
  /**
   * Plays a terminal that calls the gateway: dials whenever it wants to talk, until the signal aborts. `dial` rejects when
   * the gateway is away. Absent: the terminal only answers; where its driver is called, each dialled link is served.
   */
  call?(dial: (signal: AbortSignal) => Promise<Duplex>, signal: AbortSignal): Promise<void>;
  addUser(user: SimulatedUser): void;
  /** A face before the terminal now: recorded with the terminal's clock and told live where the protocol does so. Returns the record. */
  punch(userId: string, options?: { readonly verify?: Verify; readonly direction?: Direction }): SimulatedPunch;
  /** A record of the past, without a live event. */
  addRecord(record: SimulatedPunch): void;
  /** Everybody it knows. */
  users(): readonly SimulatedUser[];
  /** Every record ever made, in order. */
  records(): readonly SimulatedPunch[];
  setClockOffset(ms: number): void;
  /** What its display shows. */
  wallClock(): WallTime;
  setFault(name: string, value: string | null): void;
}

export interface Driver<Options = unknown> {
  readonly name: string;
  /** All that a definition or a technician may say; unknown keys are refused. Secrets are keys ending in `Key` or `Password`. */
  readonly options: z.ZodType<Options>;
  readonly simulatorOptions: z.ZodType;
  /** Names of the faults that its simulator can show, those of the wire included. */
  readonly faults: readonly string[];
  readonly capabilities: ReadonlySet<Capability>;
  /** Port the maker ships with; null for serial only. Of a terminal that calls us: the port it calls. */
  readonly defaultPort: number | null;
  /** Ways in which it can be reached. */
  readonly reaches: ReadonlySet<ReachKind>;
  /** Present where terminals can be found by a broadcast. */
  readonly search?: SearchProtocol;
  /** Present where terminals of this protocol call us. */
  readonly called?: CalledSide<Options>;
  /** Version of the decoder, stored with every record (D5). Raise it when the same bytes mean something else. */
  readonly decoderVersion: string;
  /** Whether `PunchRecord.seq` is trustworthy on every path and so part of a punch's identity. */
  readonly seqIsIdentity: boolean;
  open(link: Duplex, options: Options, wire: Wire, signal: AbortSignal): Promise<TerminalSession>;
  decoder(options: Options, from: 'device' | 'gateway'): Decoder;
  /**
   * Takes the persons out of one direction of a capture: ids, names, cards, passwords, photos and keys are replaced by `masks`,
   * checksums are mended. The result has the same length, so that a capture keeps its timing and its pieces.
   */
  scrub(options: Options, from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array;
  simulate(setup: SimulatorSetup): SimulatedTerminal;
}
