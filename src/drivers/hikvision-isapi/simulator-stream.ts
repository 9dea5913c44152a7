/**
 * How a simulated terminal tells events at once: the parts of its alert stream, with heartbeats, events of the past and photos,
 * and the pushes that it repeats until they are answered with 200. A photo here is a few bytes that nobody may keep.
 */
import type { Duplex } from 'node:stream';
import { linkedController, within } from '../../core/time.js';
import { faultyLink } from '../faults.js';
import { createHttpClient } from '../http-client.js';
import { writeMultipart, writePart } from '../multipart.js';
import { alerted, dated, faultFires, shortSerial, wallClock, type State, type StoredEvent } from './simulator-state.js';
import { writeXml } from './xml.js';

export const BOUNDARY = 'MIME_boundary';
const PHOTO = Buffer.concat([
  Buffer.from([0xff, 0xd8, 0xff, 0xe0]),
  Buffer.from(`\r\n--${BOUNDARY}\r\nContent-Length: 3\r\n\r\nno!`),
  Buffer.from([0xff, 0xd9]),
]);
const AGAIN_MS = 5000;

interface Body {
  readonly type: string;
  readonly text: string;
}

function eventBody(state: State, event: StoredEvent, current: boolean | null, pictures: number): Body {
  const tree = alerted(state, event, current, pictures);
  if (state.options.eventFormat === 'xml' || state.options.pushForm === 'xml')
    return { type: 'application/xml; charset="UTF-8"', text: writeXml('EventNotificationAlert', tree) };
  return { type: 'application/json; charset="UTF-8"', text: JSON.stringify(tree, null, '\t') };
}

const heartbeat = (state: State): string =>
  writeXml('EventNotificationAlert', {
    ipAddress: '192.0.2.9',
    dateTime: dated(state, wallClock(state)),
    activePostCount: 0,
    eventType: 'videoloss',
    eventState: 'inactive',
    shortSerialNumber: shortSerial(state),
  });

const photoPart = () => ({
  headers: {
    'Content-Disposition': 'form-data; name="Picture"; filename="Picture.jpg"',
    'Content-Type': 'image/jpeg',
    'Content-ID': 'pictureImage',
  },
  body: PHOTO,
});

/** The body of an alert stream, until `gone`. */
export async function* streamParts(state: State, gone: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const { wire } = state.setup;
  const began = wire.ticks();
  const photo = state.options.pictures ? 1 : 0;
  const told = (event: StoredEvent, current: boolean): Uint8Array => {
    const body = eventBody(state, event, current, photo);
    const part = writePart(BOUNDARY, { headers: { 'Content-Type': body.type }, body: body.text });
    return photo > 0 ? Buffer.concat([part, writePart(BOUNDARY, photoPart())]) : part;
  };
  let next = state.serial;
  const replayed = state.events.slice(-Math.max(1, state.options.replay));
  if (state.options.replay > 0) for (const event of replayed) yield told(event, false);
  let beat = wire.ticks();
  let wake: () => void = () => undefined;
  const listener = (): void => wake();
  state.listeners.add(listener);
  const rest = linkedController(gone);
  try {
    while (!gone.aborted) {
      for (const event of state.events.filter(({ serial, live }) => live && serial > next)) {
        next = event.serial;
        if (!faultFires(state, 'lost-event')) yield told(event, true);
      }
      if (next > state.serial) next = state.serial;
      const now = wire.ticks();
      const dropMs = state.faults.has('stream-drop') ? Number(state.faults.get('stream-drop')) * 1000 : Infinity;
      if (now - began >= (dropMs > 0 ? dropMs : 40_000)) return;
      const beats = state.options.heartbeatSeconds * 1000;
      if (beats > 0 && now - beat >= beats && !state.faults.has('no-heartbeat')) {
        beat = now;
        yield writePart(BOUNDARY, {
          headers: { 'Content-Type': 'application/xml; charset="UTF-8"' },
          body: heartbeat(state),
        });
      }
      const due = beats > 0 ? Math.max(1, beats - (now - beat)) : 10_000;
      await within(wire, Math.min(due, 1000), rest.signal, new Promise<void>((resolve) => (wake = resolve))).catch(
        () => undefined,
      );
    }
  } finally {
    rest.end();
    state.listeners.delete(listener);
  }
}

/** One push, as this terminal wraps it. */
export function pushBody(state: State, event: StoredEvent): Body {
  const photo = state.options.pictures && state.options.pushForm === 'multipart' ? 1 : 0;
  const body = eventBody(state, event, null, photo);
  if (state.options.pushForm !== 'multipart') return body;
  const parts = [
    {
      headers: { 'Content-Disposition': 'form-data; name="event_log"', 'Content-Type': body.type },
      body: body.text,
    },
    ...(photo > 0 ? [photoPart()] : []),
  ];
  return {
    type: `multipart/form-data; boundary=${BOUNDARY}`,
    text: Buffer.from(writeMultipart(BOUNDARY, parts)).toString('latin1'),
  };
}

/** Pushes every event until it was answered with 200, and again when it was not. */
export async function pushEvents(
  state: State,
  dial: (signal: AbortSignal) => Promise<Duplex>,
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  const { wire } = state.setup;
  while (!signal.aborted) {
    const event = state.events.find(({ pushed }) => !pushed);
    const { push } = state;
    if (!event || !push || state.faults.has('push-stops')) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          state.listeners.delete(end);
          signal.removeEventListener('abort', end);
          resolve();
        };
        state.listeners.add(end);
        signal.addEventListener('abort', end, { once: true });
        if (signal.aborted) end();
      });
      continue;
    }
    const turn = linkedController(signal);
    try {
      const link = faultyLink(await dial(turn.signal), state.faults, random, wire, turn.signal);
      const { type, text } = pushBody(state, event);
      const body = state.options.pushForm === 'multipart' ? Buffer.from(text, 'latin1') : Buffer.from(text, 'utf8');
      const client = createHttpClient({
        link,
        wire: { clock: wire, note: () => undefined, zone: state.setup.zone, host: null, dial: null, nextCall: null },
        signal: turn.signal,
        driver: 'hikvision-isapi',
        login: null,
      });
      const ask = {
        method: 'POST',
        path: push.url,
        headers: { 'Content-Type': type },
        body,
        waitingFor: 'the gateway',
      };
      const { status } = await client.ask(ask);
      if (status === 200) event.pushed = true;
      link.destroy();
    } catch {
      // The gateway is away or slow; the event is kept and sent again.
    } finally {
      turn.end();
    }
    if (!event.pushed) await wire.sleep(AGAIN_MS, signal).catch(() => undefined);
  }
}
