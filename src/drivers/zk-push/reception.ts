/**
 * Every request of one terminal and what it gets. Nothing here decides what to ask for; it greets, hands out commands,
 * passes uploads on, and answers data only after it was stored. Templates, pictures and document data are acknowledged so
 * that the terminal goes on, and dropped unread.
 *
 * Every answer is `text/plain`: firmware looks for that word before it believes an answer or takes the time from it. While
 * our own clock cannot be right nothing is answered at all, because every answer would set the terminal's clock.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { hex } from '../../core/bytes.js';
import { fail, type GatewayError } from '../../core/errors.js';
import { instantToWall, wallToInstant, type Instant, type Zone } from '../../core/time.js';
import type { Wire } from '../driver.js';
import type { HttpCall, HttpReply } from '../http-server.js';
import { decodeAttlog, punchOf, type PunchReading } from './attlog.js';
import type { Channel } from './channel.js';
import { createClockWatch } from './clock-watch.js';
import { OPERATION, operationName } from './codes.js';
import { parseResults } from './command.js';
import { composeGreeting, offsetMinutesAt, offsetText, parseInfoPairs, parsePollInfo } from './greeting.js';
import type { Inbox } from './inbox.js';
import { decodeOperlog, parsePairs, type UserLine } from './operlog.js';
import { commKeyOf, type ZkPushOptions } from './options.js';
import { classify, DROPPED_TABLES, keyIn, serialIn, type Request } from './request.js';
import { splitLines } from './text.js';

/** What is known of the terminal, in this session. */
export interface Known {
  serial: string | null;
  firmware: string | null;
  model: string | null;
  users: number | null;
  records: number | null;
  /** Monotonic time when the fill levels were told. */
  levelsAt: number | null;
  /** `pushver` and language of its greeting. */
  version: string | null;
  language: string | null;
  greeted: boolean;
  /** Encoding in which a name was seen. */
  encoding: 'gbk' | 'utf-8' | null;
  heardAt: number;
  uploadedAt: number;
  /** Stamp for the next greeting; `0` asks for everything. */
  attlogStamp: string | null;
  operlogStamp: string | null;
  /** Times a greeting with stamp 0 was answered. */
  askedForAll: number;
}

export interface ReceptionParts {
  readonly options: ZkPushOptions;
  readonly wire: Wire;
  readonly known: Known;
  readonly inbox: Inbox;
  readonly channel: Channel;
  /** Whether punches of the past were asked for and are awaited. */
  readonly querying: () => boolean;
  /** Whether everything it held was read, so that what it brings unasked has just been made. */
  readonly settled: () => boolean;
  readonly onUser: (user: UserLine) => void;
  /** Its log was cleared: what is known of it no longer holds. */
  readonly onCleared: () => void;
  /** Something was heard. */
  readonly onHeard: () => void;
  readonly end: (error: GatewayError) => void;
}

/** 2026-01-01T00:00:00Z: no gateway of this version has lived before. */
const CLOCK_FLOOR = 1_767_225_600_000;
const FRESH_MS = 300_000;
const RECENT_MS = 36 * 3_600_000;
const RAW_BYTES_TOLD = 96;
const LINES_TOLD = 5;
const OPERATIONS_KEPT = 500;
const PLAIN = { 'Content-Type': 'text/plain' } as const;
/** Tables of the access dialect: they hold passages that nobody here can read, so they must stay in the terminal. */
const FOREIGN_TABLES = new Set(['RTLOG', 'RTSTATE', 'TABLEDATA']);

/** Every answer carries our time, and the terminal follows it. */
const clockFault = (now: Instant, zone: Zone): GatewayError =>
  fail('clock-implausible', { shown: instantToWall(now, zone) });

/** Throws `clock-implausible` when the clock of this gateway shows a time before this version existed. */
export function assertClock(wire: Wire): void {
  const now = wire.clock.now();
  if (now < CLOCK_FLOOR) throw clockFault(now, wire.zone);
}

const say = (body: string | Uint8Array): HttpReply => ({ status: 200, headers: PLAIN, body });

function sameKey(given: string, wanted: string): boolean {
  const digest = (text: string): Uint8Array => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

export function createReception(
  parts: ReceptionParts,
): (call: HttpCall, gone: AbortSignal) => Promise<HttpReply | null> {
  const { options, wire, known, inbox, channel } = parts;
  const wanted = commKeyOf(options);
  const told = new Set<string>();
  const operations = new Set<string>();
  const watch = createClockWatch(wire);
  let vouched = wanted === null;
  let greetingOffset: number | null = null;
  let checkAsked = false;

  const once = (key: string, finding: Parameters<Wire['note']>[0]): void => {
    if (told.has(key)) return;
    told.add(key);
    wire.note(finding);
  };

  const reading = (): PunchReading => {
    const { verifyMap, directionMap, encoding } = options;
    const old = known.greeted && (known.version === null || Number.parseFloat(known.version) < 2.2);
    const edition = verifyMap === 'new' || verifyMap === 'old' ? verifyMap : old ? 'old' : 'new';
    return {
      encoding,
      verify: edition,
      directionMap,
      verifyMap: typeof verifyMap === 'object' ? verifyMap : undefined,
    };
  };

  /** Punches as they happen carry the time of now, or that of a wrong clock; others come from its memory, asked for or not. */
  const sourceOf = (at: string, now: number): 'push' | 'poll' | 'replay' => {
    const instant = wallToInstant(at as Parameters<typeof wallToInstant>[0], wire.zone);
    if (instant !== null && Math.abs(instant - now) <= FRESH_MS) return 'push';
    // What only a later complete read finds was not made between two polls either.
    if (parts.querying()) return parts.settled() ? 'replay' : 'poll';
    return parts.settled() ? 'push' : 'replay';
  };

  const takePunches = async (body: Uint8Array, stamp: string | null, gone: AbortSignal): Promise<HttpReply | null> => {
    const lines = splitLines(body);
    const how = reading();
    const now = wire.clock.now();
    let unread = 0;
    const punches = lines.flatMap((line) => {
      const punch = decodeAttlog(line, how.encoding);
      if (punch) return [punchOf(punch, line, how, sourceOf(punch.wallTime, now))];
      unread += 1;
      if (unread <= LINES_TOLD) {
        wire.note({
          code: 'unknown-layout',
          text: 'A line of ATTLOG tells no punch; it is kept as it came',
          data: { sizeBytes: line.length, raw: hex(line.subarray(0, RAW_BYTES_TOLD)) },
        });
      }
      return [];
    });
    if (!parts.querying() && lines.length <= LINES_TOLD) watch.punches(punches, known.heardAt);
    if (punches.length > 0 && !(await inbox.offer(punches, stamp, gone))) return null;
    return say(`OK: ${lines.length}`);
  };

  const operation = (code: number, at: string | null): void => {
    const key = `${code} ${at ?? ''}`;
    if (operations.has(key)) return;
    if (operations.size >= OPERATIONS_KEPT) operations.clear();
    operations.add(key);
    const instant = at === null ? null : wallToInstant(at as Parameters<typeof wallToInstant>[0], wire.zone);
    // A terminal that brings its whole memory tells of years ago.
    if (instant !== null && Math.abs(wire.clock.now() - instant) > RECENT_MS) return;
    const data = { operation: code, wallTime: at };
    if (code === OPERATION.TIME_SET) wire.note({ code: 'clock-odd', text: 'The clock of the terminal was set', data });
    if (code === OPERATION.LOG_CLEARED || code === OPERATION.DATA_CLEARED) {
      wire.note({ code: 'epoch-changed', text: `The terminal reports: ${operationName(code)}`, data });
      parts.onCleared();
    }
  };

  const takeOperations = (body: Uint8Array, stamp: string | null): HttpReply => {
    const lines = splitLines(body);
    for (const line of lines) {
      const entry = decodeOperlog(line, options.encoding);
      if (entry.kind === 'operation') operation(entry.code, entry.wallTime);
      if (entry.kind === 'user') {
        known.encoding = entry.encoding ?? known.encoding;
        parts.onUser(entry);
      }
    }
    if (stamp !== null && stamp !== '0') known.operlogStamp = stamp;
    return say(`OK: ${lines.length}`);
  };

  const upload = async (
    call: HttpCall,
    request: Extract<Request, { kind: 'upload' }>,
    gone: AbortSignal,
  ): Promise<HttpReply | null> => {
    const { table, stamp } = request;
    if (call.headers['content-length'] === undefined && call.headers['transfer-encoding'] === undefined) {
      // Its end cannot be known, and an empty body must not be acknowledged in place of the real one.
      once('no length', { code: 'odd', text: 'An upload came without a length; it was not acknowledged' });
      return null;
    }
    known.uploadedAt = wire.clock.ticks();
    if (table === 'ATTLOG') return takePunches(call.body, stamp, gone);
    if (table === 'OPERLOG') return takeOperations(call.body, stamp);
    if (FOREIGN_TABLES.has(table)) {
      once(table, {
        code: 'odd',
        text: 'The terminal speaks the access dialect, which is not supported',
        data: { table },
      });
      return null;
    }
    if (table === 'OPTIONS') {
      const pairs = parsePairs(Buffer.from(call.body).toString('latin1').replace(/[,\n]/g, '\t'));
      const info = parseInfoPairs(pairs);
      known.model ??= info.model;
      known.firmware ??= info.firmware;
    } else if (!DROPPED_TABLES.has(table))
      once(`table ${table.slice(0, 16)}`, {
        code: 'odd',
        text: 'The terminal uploads a table that nobody asked for; it is dropped',
        data: { table: table.slice(0, 16) },
      });
    return say(`OK: ${splitLines(call.body).length}`);
  };

  const ask = (command: string): void => void channel.run(command).catch(() => undefined);

  const greet = (request: Extract<Request, { kind: 'greeting' }>): HttpReply => {
    const now = wire.clock.now();
    if (!wire.clock.trusted())
      once('untrusted', {
        code: 'clock-odd',
        text: 'The terminal takes its time from this gateway, whose clock is not known to be right',
      });
    known.version = request.version;
    known.language = request.language;
    known.greeted = true;
    greetingOffset = offsetMinutesAt(now, wire.zone);
    if (known.attlogStamp === '0') known.askedForAll += 1;
    const { dialect, delaySeconds, errorDelaySeconds, transTimes, transIntervalMinutes } = options;
    return say(
      composeGreeting({
        ...{ serial: known.serial ?? '', dialect, delaySeconds, errorDelaySeconds, transTimes, transIntervalMinutes },
        attlogStamp: known.attlogStamp,
        operlogStamp: known.operlogStamp,
        offsetMinutes: greetingOffset,
      }),
    );
  };

  const poll = (info: string | null): HttpReply => {
    if (info !== null) {
      const levels = parsePollInfo(info);
      known.firmware = levels.firmware ?? known.firmware;
      known.users = levels.users ?? known.users;
      known.records = levels.records ?? known.records;
      if (levels.records !== null) known.levelsAt = wire.clock.ticks();
    }
    // It was greeted by somebody before us, or the zone has changed its offset since: CHECK makes it greet again.
    const moved = greetingOffset !== null && greetingOffset !== offsetMinutesAt(wire.clock.now(), wire.zone);
    if ((!known.greeted || moved) && !checkAsked) {
      checkAsked = true;
      ask('CHECK');
    }
    if (known.greeted && !moved) checkAsked = false;
    const own = options.encoding === 'auto' ? null : options.encoding;
    return say(channel.handOut(own ?? known.encoding ?? (known.language === '83' ? 'gbk' : 'utf-8')));
  };

  /** A wrong key ends a session that never saw the right one; one that was not shown yet makes the terminal greet. */
  const gate = (call: HttpCall, request: Request): 'pass' | 'refuse' | 'greet' => {
    if (wanted === null) return 'pass';
    const given = keyIn(call.query);
    if (given !== null && sameKey(given, wanted)) {
      vouched = true;
      return 'pass';
    }
    if (given !== null || request.kind === 'greeting') {
      // Anybody can say a serial number: one who does not know the key must not end the session of one who does.
      if (!vouched) parts.end(fail('auth-refused'));
      else once('key', { code: 'odd', text: 'A request came without the right communication key; not answered' });
      return 'refuse';
    }
    if (vouched) return 'pass';
    return request.kind === 'poll' ? 'greet' : 'refuse';
  };

  return async (call, gone) => {
    const serial = serialIn(call.query);
    known.serial ??= serial;
    if (serial === null || serial !== known.serial) {
      once('serial', { code: 'odd', text: 'A request on this connection names another serial number; not answered' });
      return null;
    }
    const now = wire.clock.now();
    if (now < CLOCK_FLOOR) {
      once('clock', {
        code: 'clock-odd',
        text: 'The clock of this gateway cannot be right; the terminal, which would follow it, gets no answer',
        data: { shown: instantToWall(now, wire.zone) },
      });
      parts.end(clockFault(now, wire.zone));
      return null;
    }
    const request = classify(call.method, call.path, call.query);
    const passed = gate(call, request);
    if (passed === 'refuse') return null;
    if (passed === 'greet') return say('C:1:CHECK\n');
    known.heardAt = wire.clock.ticks();
    parts.onHeard();
    switch (request.kind) {
      case 'greeting':
        return greet(request);
      case 'time': {
        const minutes = offsetMinutesAt(now, wire.zone);
        return say(`Time=${instantToWall(now, wire.zone).replace(' ', 'T')}${offsetText(minutes)}`);
      }
      case 'stranger':
        return say('NONE\n');
      case 'upload':
        return upload(call, request, gone);
      case 'photo':
        known.uploadedAt = known.heardAt;
        return say('OK');
      case 'poll':
        return poll(request.info);
      case 'results':
        channel.take(parseResults(call.body, options.encoding));
        return say('OK');
      case 'ping':
        return say('OK');
      case 'unsupported':
        once(request.what, {
          code: 'odd',
          text: 'The terminal asks for something that is not supported',
          data: { what: request.what },
        });
        return { status: 404, headers: PLAIN, body: '' };
    }
  };
}
