/**
 * A session with one ZKTeco standalone terminal: connect, authorise, identify, clock, and the punches: first all of the
 * log, then, when following, live events with a regular comparison of the record count, because the terminal keeps no
 * event for a session that was lost. Nothing is ever cleared; clock and people are written only when asked.
 */
import type { Duplex } from 'node:stream';
import { hexWindow, Reader, Writer } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { WallTime } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { COMMAND, commandName, isRefusal } from './codes.js';
import { NO_DATA, scrambleCommKey } from './codec.js';
import { createConversation, unlessSilent, type Conversation } from './conversation.js';
import { createDesk } from './desk.js';
import { commKeyOf, type ZkOptions } from './options.js';
import { followLive } from './following.js';
import { fullRead, standingOf } from './full-read.js';
import { noteMemory, readSizes, type LogContext, slotsOf } from './reading.js';
import { decodeOption, decodeTime, encodeOption, encodeTime } from './records.js';
import { decodeText } from './text.js';
import { createUsers } from './users.js';

/** What is told of a terminal beside its serial number: option name and the name we show. */
const DETAILS: readonly (readonly [string, string])[] = [
  ['~DeviceName', 'model'],
  ['~Platform', 'platform'],
  ['MAC', 'mac'],
  ['~OS', 'os'],
  ['~PIN2Width', 'idDigits'],
  ['~ZKFPVersion', 'fingerVersion'],
  ['ZKFaceVersion', 'faceVersion'],
  ['FaceFunOn', 'faceOn'],
];
const CONNECT_TRIES = 2;
const SECOND_MS = 1000;

/** Connects and authorises. Throws `wrong-protocol`, `auth-refused`, `terminal-busy`, `link-silent`. */
export async function openSession(
  link: Duplex,
  options: ZkOptions,
  wire: Wire,
  signal: AbortSignal,
): Promise<TerminalSession> {
  const conversation = createConversation(link, wire, signal);
  try {
    await connect(conversation, options, wire, signal);
    if (options.disableWhileReading) await enable(conversation, options);
  } catch (error) {
    await conversation.close();
    throw asWrongProtocol(error, conversation);
  }
  const context: LogContext = {
    conversation,
    options,
    signal,
    clock: wire.clock,
    silenceMs: options.chunkSilenceMs,
    note: wire.note,
    desk: createDesk(wire.note),
    users: null,
    slotsOnly: false,
    slots: new Map(),
    keypadLocked: false,
    memoryLow: false,
  };
  const quick = { timeoutMs: options.answerTimeoutMs };
  return {
    identify: () => identify(context),
    async readClock() {
      const answer = await conversation.command(COMMAND.GET_TIME, NO_DATA, quick);
      return decodeTime(new Reader(answer.data, 'little').u32());
    },
    async setClock(to: WallTime) {
      const time = new Writer('little').u32(encodeTime(to)).bytes();
      await conversation.command(COMMAND.SET_TIME, time, quick);
      await conversation.request(COMMAND.REFRESHDATA, NO_DATA, quick);
    },
    pages: (after, pageOptions) => pages(context, after, pageOptions),
    // Nothing to confirm: the terminal keeps its log, and every read is a full read.
    confirm: async () => undefined,
    users: createUsers(context, (key) => readOption(context, key, 2)),
    // Whoever is stopped in the middle of a reading leaves no terminal locked.
    [Symbol.asyncDispose]: () => conversation.close(context.keypadLocked ? [COMMAND.ENABLE] : []),
  };
}

/** Bytes came, but never a packet: the port belongs to another protocol. */
function asWrongProtocol(error: unknown, conversation: Conversation): unknown {
  const hopeless =
    error instanceof GatewayError &&
    ['link-silent', 'link-closed'].includes(error.code) &&
    conversation.framesSeen === 0;
  if (!hopeless || conversation.firstBytes.length === 0) return error;
  return wrongProtocol(conversation, error);
}

function wrongProtocol(conversation: Conversation, cause?: unknown): GatewayError {
  return fail('wrong-protocol', { driver: 'zk-standalone', window: hexWindow(conversation.firstBytes) }, cause);
}

async function connect(conversation: Conversation, options: ZkOptions, wire: Wire, signal: AbortSignal): Promise<void> {
  const patience = { timeoutMs: options.connectTimeoutMs };
  for (let left = CONNECT_TRIES; ; left -= 1) {
    const answer = await conversation.request(COMMAND.CONNECT, NO_DATA, patience);
    if (answer.command === COMMAND.ACK_OK) {
      conversation.adopt(answer.session);
      return;
    }
    if (answer.command === COMMAND.ACK_UNAUTH) {
      conversation.adopt(answer.session);
      const key = commKeyOf(options);
      // A wrong key counts towards a lock on some models: none is guessed.
      if (key === null) throw fail('auth-refused', { reason: 'no comm key is configured' });
      const reply = await conversation.request(COMMAND.AUTH, scrambleCommKey(key, answer.session), patience);
      if (reply.command === COMMAND.ACK_OK) return;
      throw fail('auth-refused', { reason: commandName(reply.command) });
    }
    if (!isRefusal(answer.command)) throw wrongProtocol(conversation);
    if (left <= 1) throw fail('terminal-busy', { reason: commandName(answer.command) });
    // A session that a crash left open may be in the way: end it and try once more.
    await unlessSilent(conversation.request(COMMAND.EXIT, NO_DATA, { timeoutMs: SECOND_MS, tries: 1 }));
    await wire.clock.sleep(SECOND_MS, signal);
  }
}

async function enable(conversation: Conversation, options: ZkOptions): Promise<void> {
  await conversation.request(COMMAND.ENABLE, NO_DATA, { timeoutMs: options.answerTimeoutMs });
}

/** One option; null when the terminal does not know it or has no value for it. */
async function readOption(context: LogContext, key: string, tries = 3): Promise<string | null> {
  const { conversation, options } = context;
  const answer = await conversation.request(COMMAND.OPTIONS_RRQ, encodeOption(key), {
    timeoutMs: options.answerTimeoutMs,
    tries,
  });
  if (answer.command !== COMMAND.ACK_OK) return null;
  return decodeOption(answer.data, key, options.encoding) || null;
}

async function identify(context: LogContext): Promise<TerminalIdentity> {
  const { conversation, options } = context;
  const serial = await readOption(context, '~SerialNumber');
  if (serial === null)
    throw fail('bad-reply', {
      request: '~SerialNumber',
      reason: 'it has no serial number',
      reasonZh: '考勤机没有序列号',
    });
  const version = await unlessSilent(
    conversation.request(COMMAND.GET_VERSION, NO_DATA, { timeoutMs: options.answerTimeoutMs }),
  );
  const firmware = version?.command === COMMAND.ACK_OK ? decodeText(version.data, options.encoding) : '';
  const told = await readDetails(context);
  const sizes = await readSizes(context);
  for (const [key, value] of Object.entries(sizes) as [string, number | null][]) if (value !== null) told[key] = value;
  noteMemory(context, sizes);
  const { model, ...details } = told;
  return {
    serial,
    model: typeof model === 'string' ? model : null,
    firmware: firmware === '' ? null : firmware,
    details,
  };
}

/** What else the terminal tells of itself. One that keeps silent about an option it does not know is not asked further. */
async function readDetails(context: LogContext): Promise<Record<string, string | number | boolean>> {
  const details: Record<string, string | number | boolean> = {};
  for (const [key, shown] of DETAILS) {
    const answer = await unlessSilent(readOption(context, key, 2).then((value) => ({ value })));
    if (!answer) break;
    if (answer.value !== null) details[shown] = answer.value;
  }
  return details;
}

async function* pages(
  context: LogContext,
  after: Cursor | null,
  { follow }: PageOptions,
): AsyncGenerator<PunchPage, void, undefined> {
  const standing = standingOf(after);
  context.slots = slotsOf(after?.slots);
  yield* fullRead(context, standing);
  if (follow) yield* followLive(context, standing);
}
