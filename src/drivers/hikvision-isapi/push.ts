/**
 * Events that the terminal posts to us (`httpHosts`): one request for one event, wrapped in form-data with or without a picture, or
 * plain. It is answered with 200 only after the punch is stored; anything else makes the terminal send it again. Pictures
 * are skipped unread. The path carries a secret word, and the event must carry the end of the terminal's serial number.
 *
 * The slot of the terminal is written only with its owner's consent (`configurePush`), read back and compared.
 */
import { timingSafeEqual } from 'node:crypto';
import { within, type WallTime } from '../../core/time.js';
import type { Heard, Wire } from '../driver.js';
import { peekRequest } from '../http-message.js';
import { createHttpDesk, type HttpCall, type HttpReply } from '../http-server.js';
import { boundaryOf, readMultipart } from '../multipart.js';
import { keepPart } from './alert-stream.js';
import { listAt, noticeOf, readTree, textAt, treeAt, type HikEvent } from './codec.js';
import { refusalOf, type Conversation } from './conversation.js';
import type { HikOptions } from './options.js';
import type { Tree } from './xml.js';

export const PUSH_PREFIX = '/hik/';
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** A terminal that waits longer has given up by itself. */
const STORE_MS = 30_000;

/** `POST /hik/WORD`, told as early as it can be. */
export function hearPush(first: Uint8Array): Heard {
  const peeked = peekRequest(first);
  if (peeked.is !== 'request') return peeked;
  const { method, target, targetComplete } = peeked;
  if (method !== 'POST' && method !== 'PUT') return { is: 'no' };
  const path = target.replace(/^http:\/\/[^/]*/i, '');
  const begins = path.startsWith(PUSH_PREFIX) || PUSH_PREFIX.startsWith(path);
  if (!begins && !(path === target && 'http://'.startsWith(target.slice(0, 7)))) return { is: 'no' };
  if (!targetComplete) return { is: 'more' };
  const key = /^\/hik\/([A-Za-z0-9_-]{1,64})\/?(?:\?.*)?$/.exec(path)?.[1];
  return key === undefined ? { is: 'no' } : { is: 'yes', serial: null, key };
}

const sameWord = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};

/** Everything that a pushed body tells; null when it tells nothing that we know. */
export function pushedEvents(contentType: string, body: Uint8Array): readonly HikEvent[] | null {
  const bodies =
    boundaryOf(contentType) === null
      ? [body]
      : readMultipart(contentType, body, { keep: keepPart }).flatMap((part) => (part.kept ? [part.body] : []));
  const trees = bodies.map(readTree).filter((tree) => tree !== null);
  const notices = trees.map(noticeOf).filter((notice) => notice !== null);
  if (notices.length === 0) return null;
  return notices.flatMap((notice) => (notice.kind === 'event' ? [notice.event] : []));
}

export interface PushEars {
  /** `stored` must be called when the event is stored or is no punch. False: it is not from this terminal. */
  readonly onEvent: (event: HikEvent, stored: () => void) => boolean;
  readonly signal: AbortSignal;
}

/** Takes the calls of the terminal until the signal aborts. */
export async function servePushes(
  nextCall: NonNullable<Wire['nextCall']>,
  key: string,
  wire: Wire,
  ears: PushEars,
): Promise<void> {
  const text = (status: number): HttpReply => ({ status, headers: { 'Content-Type': 'text/plain' }, body: 'OK' });
  const onCall = async (call: HttpCall, gone: AbortSignal): Promise<HttpReply | null> => {
    const word = call.path.startsWith(PUSH_PREFIX) ? call.path.slice(PUSH_PREFIX.length).replace(/\/$/, '') : '';
    if (!sameWord(word, key)) return { status: 404 };
    const events = pushedEvents(call.headers['content-type'] ?? '', call.body);
    if (!events) {
      // It would be sent for ever; whatever it was, the search finds what counts.
      wire.note({ code: 'odd', text: 'A push was not understood', data: { sizeBytes: call.body.length } });
      return text(200);
    }
    const accepted: boolean[] = [];
    const stored = events.map((event) => new Promise<void>((resolve) => accepted.push(ears.onEvent(event, resolve))));
    if (accepted.includes(false)) return { status: 403 };
    return (await within(wire.clock, STORE_MS, gone, Promise.all(stored))) === 'late' ? null : text(200);
  };
  await using desk = createHttpDesk({ clock: wire.clock, signal: ears.signal, sizeBytesMax: BODY_BYTES_MAX, onCall });
  while (!ears.signal.aborted) desk.take(await nextCall(ears.signal));
}

const HOSTS = '/ISAPI/Event/notification/httpHosts';

/** Points the first slot of the terminal at us; false when it did not take it. */
export async function configurePush(conversation: Conversation, options: HikOptions, wire: Wire): Promise<boolean> {
  const { pushHost, pushKey } = options;
  if (!options.configurePush || pushHost === undefined || pushKey === undefined) return false;
  const [host = '', port = ''] = pushHost.split(':');
  const byName = !/^[\d.]+$/.test(host);
  const wanted: Tree = {
    id: '1',
    url: `${PUSH_PREFIX}${pushKey}`,
    protocolType: 'HTTP',
    parameterFormatType: 'JSON',
    addressingFormatType: byName ? 'hostname' : 'ipaddress',
    [byName ? 'hostName' : 'ipAddress']: host,
    portNo: port,
    httpAuthenticationMethod: 'none',
  };
  const isOurs = async (): Promise<boolean> => {
    const { tree } = await conversation.ask({ method: 'GET', path: HOSTS, waitingFor: 'the push slots' });
    const slot = listAt(treeAt(tree, 'HttpHostNotificationList'), 'HttpHostNotification').find(
      (one) => textAt(one, 'id') === '1',
    );
    return ['url', 'portNo', byName ? 'hostName' : 'ipAddress'].every(
      (name) => textAt(slot ?? null, name) === textAt(wanted, name),
    );
  };
  try {
    if (await isOurs()) return true;
    await conversation.ask({
      method: 'PUT',
      path: HOSTS,
      xml: { root: 'HttpHostNotificationList', tree: { HttpHostNotification: [wanted] } },
      waitingFor: 'writing the push slot',
    });
    const taken = await isOurs();
    wire.note({
      code: 'odd',
      text: taken
        ? 'The first push slot of the terminal now points at this gateway'
        : 'The terminal did not keep the push slot',
    });
    return taken;
  } catch (error) {
    if (!refusalOf(error)) throw error;
    wire.note({ code: 'odd', text: 'The terminal refused the push slot; its events are found by searching' });
    return false;
  }
}

/** Sees whether pushes keep coming: some firmwares never resume them after a restart. */
export interface PushWatch {
  pushed(userId: string, wall: WallTime): void;
  /** Punches that a search has brought; true when one should long have been pushed and was not. */
  missed(punches: readonly { readonly deviceUserId: string; readonly wallTime: WallTime }[], before: WallTime): boolean;
}

const REMEMBERED = 4096;

export function createPushWatch(since: WallTime): PushWatch {
  const known = new Set<string>();
  let from = since;
  return {
    pushed(userId, wall) {
      if (known.size >= REMEMBERED) known.clear();
      known.add(`${userId} ${wall}`);
    },
    missed(punches, before) {
      const found = punches.some(
        ({ deviceUserId, wallTime }) =>
          wallTime > from && wallTime < before && !known.has(`${deviceUserId} ${wallTime}`),
      );
      // Told once for what lies behind; what comes after is looked at again.
      if (found) from = before;
      return found;
    },
  };
}
