/**
 * The event stream of one terminal on a connection of its own: attaches, cuts the parts, and tells whether it still beats.
 * Three heartbeats missing mean that it is dead, although the connection may look alive. Nothing is asked of the terminal
 * here but the stream itself.
 */
import { GatewayError } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import type { HttpStream } from '../http-client.js';
import type { Api } from './api.js';
import type { DahuaOptions } from './options.js';
import { createPartSplitter, parseEvents, type PartSplitter, type StreamEvent } from './parts.js';

export interface EventStream extends AsyncDisposable {
  /** Events that came within `ms`; empty when none came; null when the stream is dead. */
  next(ms: number): Promise<readonly StreamEvent[] | null>;
  /** Whether something came since the last call of `beat`. */
  beat(): boolean;
  readonly attachedTicks: number;
}

const BEATS_MISSING = 3;

const isTransient = (error: unknown): error is GatewayError =>
  error instanceof GatewayError && (error.code === 'link-silent' || error.code === 'link-closed');

export const boundaryOf = (type: string): string | null =>
  /multipart\/(?:x-mixed-replace|mixed)[^]*?boundary=\s*"?([^";\s]{1,70})/i.exec(type)?.[1]?.replace(/^--/, '') ?? null;

/** Attaches. Null when this firmware refuses or has no such events; errors of the wire are thrown. */
export async function attachEvents(api: Api, options: DahuaOptions, wire: Wire): Promise<EventStream | null> {
  const codes = `[${options.eventCodes.join(',')}]`;
  const stream = await api.attach(
    `/cgi-bin/eventManager.cgi?action=attach&codes=${codes}&heartbeat=${options.heartbeatSeconds}`,
  );
  const boundary = stream.status === 200 ? boundaryOf(stream.headers['content-type'] ?? '') : null;
  if (boundary === null) {
    await stream[Symbol.asyncDispose]();
    return null;
  }
  return follow(stream, createPartSplitter(boundary), options, wire);
}

function follow(stream: HttpStream, splitter: PartSplitter, options: DahuaOptions, wire: Wire): EventStream {
  const silentMs = BEATS_MISSING * options.heartbeatSeconds * 1000;
  const attachedTicks = wire.clock.ticks();
  let heardTicks = attachedTicks;
  let beaten = false;
  let noiseBytes = 0;

  const eventsOf = (chunk: Uint8Array): StreamEvent[] => {
    const events: StreamEvent[] = [];
    for (const cut of splitter.push(chunk)) {
      if (cut.kind === 'part') {
        // Pictures are passed over; they are neither asked for nor kept.
        if (!cut.part.type.startsWith('image/')) events.push(...parseEvents(cut.part.body));
      } else if (cut.bytes.some((byte) => byte !== 0x0d && byte !== 0x0a)) noiseBytes += cut.bytes.length;
    }
    if (noiseBytes > 0)
      wire.note({
        code: 'noise',
        text: `${noiseBytes} bytes of the event stream belong to no part`,
        data: { bytes: noiseBytes },
      });
    noiseBytes = 0;
    return events.filter(({ code }) => code !== 'Heartbeat');
  };

  return {
    attachedTicks,
    async next(ms) {
      const left = heardTicks + silentMs - wire.clock.ticks();
      if (left <= 0) return null;
      try {
        const chunk = await stream.read(Math.max(1, Math.min(ms, left)), 'event');
        if (chunk === null) return null;
        heardTicks = wire.clock.ticks();
        beaten = true;
        return eventsOf(chunk);
      } catch (error) {
        if (!isTransient(error)) throw error;
        return error.code === 'link-silent' ? [] : null;
      }
    },
    beat() {
      const was = beaten;
      beaten = false;
      return was;
    },
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
