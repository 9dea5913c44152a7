/**
 * The alert stream: a GET that never ends and tells events as parts of a multipart answer. Pictures are skipped unread. It is for
 * speed only; whatever it loses, the search finds. A stream that is silent for a minute or breaks is opened again, and a search is
 * asked for; one that is refused (few may be open at once) is tried again after minutes.
 */
import { asGatewayError } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import { boundaryOf, createMultipartReader, type Part } from '../multipart.js';
import { noticeOf, readTree, type HikEvent } from './codec.js';
import type { Conversation } from './conversation.js';

export const STREAM_PATH = '/ISAPI/Event/notification/alertStream';
const SILENCE_MS = 60_000;
const AGAIN_MS = 2_000;
const AGAIN_MAX_MS = 60_000;
const REFUSED_MS = 300_000;

export interface StreamEars {
  readonly onEvent: (event: HikEvent) => void;
  /** The stream is open; what happened before may have been missed. */
  readonly onOpen: () => void;
  readonly signal: AbortSignal;
}

/** Pictures are never wanted. */
export const keepPart = (headers: Readonly<Record<string, string>>): boolean =>
  !/^\s*image\//i.test(headers['content-type'] ?? '') && !/pictureImage/i.test(headers['content-id'] ?? '');

const hear = (part: Part, ears: StreamEars): void => {
  const tree = part.kept ? readTree(part.body) : null;
  const notice = tree && noticeOf(tree);
  if (notice?.kind === 'event') ears.onEvent(notice.event);
};

/** Listens to one stream to its end. False: the terminal does not give one. */
async function listen(conversation: Conversation, wire: Wire, ears: StreamEars): Promise<boolean> {
  await using stream = await conversation.stream(STREAM_PATH, 'the alert stream', ears.signal);
  const boundary = boundaryOf(stream.headers['content-type'] ?? '');
  if (stream.status !== 200 || boundary === null) {
    wire.note({
      code: 'odd',
      text: 'The terminal gives no alert stream; its events are found by searching',
      data: { httpStatus: stream.status },
    });
    return false;
  }
  ears.onOpen();
  const reader = createMultipartReader({ boundary, keep: keepPart, partBytesMax: 65_536 });
  for (;;) {
    const bytes = await stream.read(SILENCE_MS, 'an event or a heartbeat');
    if (bytes === null) return true;
    for (const part of reader.push(bytes)) hear(part, ears);
  }
}

/** Runs until the signal aborts. Throws what no second try mends, such as a refused password. */
export async function followStream(conversation: Conversation, wire: Wire, ears: StreamEars): Promise<void> {
  let pauseMs = AGAIN_MS;
  const { signal } = ears;
  while (!signal.aborted) {
    const began = wire.clock.ticks();
    let given = true;
    try {
      given = await listen(conversation, wire, ears);
    } catch (error) {
      signal.throwIfAborted();
      const told = asGatewayError(error);
      if (told.kind !== 'retry' && told.code !== 'bad-reply') throw error;
    }
    if (wire.clock.ticks() - began > SILENCE_MS / 2) pauseMs = AGAIN_MS;
    await wire.clock.sleep(given ? pauseMs : REFUSED_MS, signal);
    pauseMs = Math.min(pauseMs * 2, AGAIN_MAX_MS);
  }
}
