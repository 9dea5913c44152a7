/**
 * One connection of one terminal. It answers `reg` at once, keeps what is pushed until it is stored, and asks one thing at
 * a time: answers carry no number, so only their word tells whose they are.
 *
 *   reg ──> answered here        sendlog ──> kept, answered by `accept` after the commit        senduser ──> true, dropped
 *   request: wait for its turn, send, wait for the same word; a late answer to a request given up is thrown away
 *
 * An answer given up may still come: the same request waits a while for it before it is sent again.
 */
import type { Duplex } from 'node:stream';
import { hexWindow } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import { instantToWall, within } from '../../core/time.js';
import type { Wire } from '../driver.js';
import {
  encodeMessage,
  numberIn,
  parseMessage,
  readRecords,
  readRegistration,
  type Fields,
  type Message,
  type RecordList,
  type Registration,
} from './codec.js';
import { between, createDeviceClock, later, type DeviceClock } from './device-clock.js';
import type { AifaceOptions } from './options.js';
import { createSplitter, type JsonCut } from './splitter.js';

/** A `sendlog` that is not answered yet. */
export interface Push {
  readonly list: RecordList;
  readonly count: number;
  readonly logIndex: number | null;
  readonly key: string;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly waitingForZh: string;
  /** Answers that cannot be meant are passed over. */
  readonly accept?: (message: Message) => boolean;
}

export interface Conversation extends Disposable {
  readonly clock: DeviceClock;
  readonly registration: Registration | null;
  /** How often it has registered on this connection. */
  readonly registrations: number;
  readonly lastHeardTicks: number;
  /** Between two `reg`, as last seen; null before the second. */
  readonly heartbeatMs: number | null;
  /** Its clock by what it told last, when that is not older than `ageMs`; as it would write it. */
  toldTime(ageMs: number): string | null;
  /** The same where a minute or so does not matter: a `reg` may have waited before the session began. */
  roughTime(): string | null;
  /** From now on the gateway's own time may be sent, if the options want that. */
  mayTellTime(): void;
  /** Forgets what it told of its clock, because that has just been set. */
  forgetTime(): void;
  ask(cmd: string, fields: Fields, options: AskOptions): Promise<Message>;
  takePush(): Push | null;
  /** Tells the terminal that it may forget. */
  accept(push: Push): Promise<void>;
  /** Resolves when something came, or after `ms`. Throws when the link is gone. */
  changed(ms: number): Promise<void>;
  /** Throws `link-closed` when the link is gone. */
  check(): void;
  readonly firstBytes: Uint8Array;
}

const SEND_TIMEOUT_MS = 10_000;
/** Time for an answer that was given up to come after all. */
const LATE_MS = 3000;
/** An unfinished message is given up when nothing followed for so long; the terminal sends it again after 20 s. */
const UNFINISHED_MS = 10_000;
const PUSHES_MAX = 256;
/** Two readings of a clock that say the same differ by the cut-off second and the way. */
const SAME_CLOCK_MS = 2000;
const ECHO_AGE_MS = 300_000;

export function createConversation(
  link: Duplex,
  options: AifaceOptions,
  wire: Wire,
  signal: AbortSignal,
): Conversation {
  const splitter = createSplitter();
  const clock = createDeviceClock(options.clockMode, wire);
  const pushes: Push[] = [];
  const waiting = new Set<() => void>();
  /** Writes under way: a link that breaks in the middle of one may never say what became of it. */
  const writing = new Set<(error: Error) => void>();
  /** Words whose last request was given up, with the time of that. */
  const late = new Map<string, number>();
  const strange = new Set<string>();
  let pending: { readonly name: string; readonly take: (message: Message) => boolean } | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let closed: GatewayError | null = null;
  let registration: Registration | null = null;
  let registrations = 0;
  let registeredTicks = 0;
  let heartbeatMs: number | null = null;
  let lastHeardTicks = wire.clock.ticks();
  let firstBytes: Uint8Array = new Uint8Array(0);
  /** What it told of its clock, when we heard it, and when it last said the same. */
  let shown: {
    readonly told: string;
    readonly ticks: number;
    readonly seenTicks: number;
    readonly exact: boolean;
  } | null = null;
  let mayTell = false;
  // What already waits in the link when the session begins was sent nobody knows when.
  let aged = link.readableLength > 0;

  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };

  const send = async (fields: Fields): Promise<void> => {
    signal.throwIfAborted();
    if (closed) throw closed;
    const bytes = encodeMessage(fields);
    let giveUp: (error: Error) => void = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      writing.add((giveUp = reject));
      link.write(bytes, (error) => (error ? reject(fail('link-closed', {}, error)) : resolve()));
    }).finally(() => writing.delete(giveUp));
    if ((await within(wire.clock, SEND_TIMEOUT_MS, signal, done)) === 'late')
      throw fail('link-silent', { ms: SEND_TIMEOUT_MS, waitingFor: 'room to write', waitingForZh: '等待写入' });
  };
  /** For answers to what the terminal sent by itself: a link that breaks meanwhile is found out by whoever waits. */
  const reply = (fields: Fields): void => void send(fields).catch(() => undefined);

  const roughTime = (): string | null => shown && later(shown.told, wire.clock.ticks() - shown.ticks);
  const toldTime = (ageMs: number): string | null =>
    shown?.exact !== true || wire.clock.ticks() - shown.seenTicks > ageMs ? null : roughTime();
  const cloudTime = (): Fields => {
    if (options.cloudTime === 'never') return {};
    const own = options.cloudTime === 'gateway' && mayTell && wire.clock.trusted();
    const time = own ? clock.toldOf(instantToWall(wire.clock.now(), wire.zone)) : toldTime(ECHO_AGE_MS);
    return time === null ? {} : { cloudtime: time };
  };

  /** Keeps the earlier reading where the later says the same: each cuts off part of a second, and their sum would be a drift. */
  const noteTime = (told: string | null): void => {
    if (told === null || later(told, 0) === null) return;
    const ticks = wire.clock.ticks();
    const exact = !aged;
    const base = shown?.exact === exact ? shown : null;
    const off = base && between(later(base.told, ticks - base.ticks) ?? '', told);
    const same = base !== null && off !== null && Math.abs(off) <= SAME_CLOCK_MS;
    shown = same ? { ...base, seenTicks: ticks } : { told, ticks, seenTicks: ticks, exact };
  };

  const register = (message: Message): void => {
    const told = readRegistration(message);
    if (registration !== null && told.serial !== registration.serial) {
      const reason = 'the serial number changed within one connection';
      const reasonZh = '同一连接中序列号发生变化';
      onGone(fail('bad-reply', { request: 'reg', requestZh: 'reg', reason, reasonZh }));
      return;
    }
    if (registrations > 0) heartbeatMs = wire.clock.ticks() - registeredTicks;
    registeredTicks = wire.clock.ticks();
    registration = told;
    registrations += 1;
    noteTime(told.time);
    clock.judge(told);
    reply({ ret: 'reg', result: true, ...cloudTime(), nosenduser: true, nosendlog: false });
  };

  const keepPush = (message: Message): void => {
    const list = readRecords(message);
    const logIndex = numberIn(message, 'logindex') ?? null;
    const count = numberIn(message, 'count') ?? list.length;
    const key = `${logIndex ?? ''} ${list.records.map((record) => `${record.enrollId} ${record.time}`).join()}`;
    // It is sent again every 20 s until it is answered, and one answer is enough.
    if (pushes.some((push) => push.key === key)) return;
    if (pushes.length >= PUSHES_MAX) return;
    pushes.push({ list, count, logIndex, key });
  };

  const onRequest = (message: Message): void => {
    switch (message.name) {
      case 'reg':
        register(message);
        break;
      case 'sendlog':
        keepPush(message);
        break;
      case 'senduser':
        // It brings a template or a photo, which is not even looked at.
        reply({ ret: 'senduser', result: true, ...cloudTime() });
        break;
      case 'sendqrcode':
        reply({ ret: 'sendqrcode', result: true, access: 0, enrollid: 0, username: '', message: 'unknown' });
        break;
      default:
        if (strange.has(message.name) || strange.size > 20) return;
        strange.add(message.name);
        wire.note({ code: 'odd', text: 'The terminal asks for something that this driver does not know' });
    }
  };

  const onCut = ({ kind, bytes }: JsonCut): void => {
    if (kind === 'gap') return;
    const message = kind === 'message' ? parseMessage(bytes) : null;
    if (!message) {
      // No window here: what is cut out of the middle of a message may be a name.
      wire.note({ code: 'noise', text: `${bytes.length} bytes belong to no message`, data: { bytes: bytes.length } });
    } else if (message.kind === 'request') onRequest(message);
    else if (pending?.name === message.name && pending.take(message)) pending = null;
    else late.delete(message.name);
  };

  const onData = (chunk: Uint8Array): void => {
    const now = wire.clock.ticks();
    if (firstBytes.length < 16)
      firstBytes = Uint8Array.from([...firstBytes, ...chunk.subarray(0, 16 - firstBytes.length)]);
    if (splitter.pending > 0 && now - lastHeardTicks > UNFINISHED_MS) splitter.flush().forEach(onCut);
    lastHeardTicks = now;
    splitter.push(chunk).forEach(onCut);
    if (link.readableLength === 0) aged = false;
    wake();
  };
  const onGone = (error?: Error): void => {
    closed ??= error instanceof GatewayError ? error : fail('link-closed', {}, error);
    for (const giveUp of writing) giveUp(closed);
    wake();
  };
  const onEnd = (): void => onGone();

  const changed = async (ms: number): Promise<void> => {
    signal.throwIfAborted();
    if (closed) throw closed;
    if (ms <= 0) return;
    let resolveArrival: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => waiting.add((resolveArrival = resolve)));
    try {
      await within(wire.clock, ms, signal, arrival);
    } finally {
      waiting.delete(resolveArrival);
    }
    check();
  };
  const check = (): void => {
    signal.throwIfAborted();
    if (closed) throw closed;
  };

  const askNow = async (cmd: string, fields: Fields, how: AskOptions): Promise<Message> => {
    const givenUp = late.get(cmd);
    while (givenUp !== undefined && late.get(cmd) === givenUp && wire.clock.ticks() < givenUp + LATE_MS)
      await changed(givenUp + LATE_MS - wire.clock.ticks());
    late.delete(cmd);
    const box: { answer: Message | null } = { answer: null };
    const mine = {
      name: cmd,
      take: (message: Message): boolean => {
        if (how.accept && !how.accept(message)) return false;
        box.answer = message;
        return true;
      },
    };
    pending = mine;
    try {
      await send({ cmd, ...fields });
      const until = wire.clock.ticks() + how.timeoutMs;
      while (box.answer === null) {
        const left = until - wire.clock.ticks();
        if (left <= 0) {
          late.set(cmd, wire.clock.ticks());
          throw fail('link-silent', { ms: how.timeoutMs, waitingFor: cmd, waitingForZh: how.waitingForZh });
        }
        await changed(left);
      }
      return box.answer;
    } finally {
      pending = null;
    }
  };

  link.on('data', onData);
  link.on('error', onGone);
  link.on('end', onEnd);
  link.on('close', onEnd);
  if (link.destroyed) onGone();

  return {
    clock,
    get registration() {
      return registration;
    },
    get registrations() {
      return registrations;
    },
    get lastHeardTicks() {
      return lastHeardTicks;
    },
    get heartbeatMs() {
      return heartbeatMs;
    },
    get firstBytes() {
      return firstBytes;
    },
    toldTime,
    roughTime,
    mayTellTime: () => void (mayTell = true),
    forgetTime: () => void (shown = null),
    ask(cmd, fields, how) {
      const mine = turn.then(() => askNow(cmd, fields, how));
      turn = mine.catch(() => undefined);
      return mine;
    },
    takePush: () => pushes.shift() ?? null,
    async accept(push) {
      await send({
        ret: 'sendlog',
        result: true,
        count: push.count,
        ...(push.logIndex === null ? {} : { logindex: push.logIndex }),
        ...cloudTime(),
        ...(options.grantAccess ? { access: 1, message: 'ok' } : {}),
      });
    },
    changed,
    check,
    [Symbol.dispose]() {
      link.off('data', onData);
      link.off('error', onGone);
      link.off('end', onEnd);
      link.off('close', onEnd);
      // A link may still fail after we have stopped listening; that is nobody's error any more.
      link.on('error', () => undefined);
      onGone();
    },
  };
}

/** The words of `wrong-protocol` for a peer that said something else. */
export function wrongPeer(firstBytes: Uint8Array): GatewayError {
  return fail('wrong-protocol', { driver: 'aiface-ws', window: hexWindow(firstBytes) });
}
