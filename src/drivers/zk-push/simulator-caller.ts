/**
 * The HTTP side of a simulated terminal: one request at a time over a link it dials, kept or closed as its firmware does,
 * written through the faults of the wire. An answer without a length, a date or the right type is none, as for real firmware.
 */
import type { Duplex } from 'node:stream';
import { within, type Clock } from '../../core/time.js';
import { createFaultyWire, type FaultyWire } from '../faults.js';
import { createHttpSplitter, type HttpMessage } from '../http-message.js';
import type { ZkPushSimulatorOptions } from './options.js';

export interface Caller {
  /** The answer, or null when there was none in time. */
  ask(method: 'GET' | 'POST', target: string, body?: Uint8Array): Promise<HttpMessage | null>;
  hangUp(): void;
}

export interface CallerParts {
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly options: ZkPushSimulatorOptions;
  readonly faults: Map<string, string>;
  readonly random: () => number;
  /** Whether this upload is to be cut in the middle of its body. */
  readonly cut: () => boolean;
}

interface Line {
  readonly link: Duplex;
  readonly wire: FaultyWire;
  readonly answers: HttpMessage[];
  wake: () => void;
}

const CHUNK_BYTES = 1000;

function chunked(body: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += CHUNK_BYTES) {
    const piece = body.subarray(at, at + CHUNK_BYTES);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

export function createCaller(parts: CallerParts): Caller {
  const { signal, clock, options } = parts;
  let line: Line | null = null;

  const hangUp = (): void => {
    line?.link.destroy();
    line = null;
  };

  const dialled = async (): Promise<Line | null> => {
    if (line && !line.link.destroyed && line.link.writable) return line;
    const link = await parts.dial(signal).catch(() => null);
    if (link === null || signal.aborted) {
      link?.destroy();
      return null;
    }
    const wire = createFaultyWire(link, parts.faults, parts.random, clock);
    const made: Line = { link, wire, answers: [], wake: () => undefined };
    const splitter = createHttpSplitter({ kind: 'response' });
    link.on('data', (chunk: Uint8Array) => {
      wire.received(chunk);
      for (const cut of splitter.push(chunk)) if (cut.kind === 'message') made.answers.push(cut.message);
      made.wake();
    });
    for (const event of ['end', 'close', 'error']) link.on(event, () => made.wake());
    line = made;
    return made;
  };

  const request = (method: string, target: string, body: Uint8Array | undefined): readonly Uint8Array[] => {
    const length = options.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body?.length ?? 0}`;
    const head = [
      `${method} ${target} HTTP/1.1`,
      'Host: 192.0.2.1:8081',
      'User-Agent: iClock Proxy/1.09',
      `Connection: ${options.keepAlive ? 'keep-alive' : 'close'}`,
      'Accept: */*',
      ...(body === undefined ? [] : ['Content-Type: text/plain', length]),
    ];
    const first = Buffer.from(`${head.join('\r\n')}\r\n\r\n`);
    if (body === undefined) return [first];
    const sent = options.chunked ? chunked(body) : body;
    return options.splitBody ? [first, sent] : [Buffer.concat([first, sent])];
  };

  const ask: Caller['ask'] = async (method, target, body) => {
    const on = await dialled();
    if (on === null) return null;
    on.answers.length = 0;
    for (const piece of request(method, target, body)) {
      const cut = body !== undefined && body.length > 1 && parts.cut();
      if (!(await on.wire.send(cut ? piece.subarray(0, piece.length - (body.length >> 1)) : piece, signal)))
        return null;
      if (cut) {
        await on.wire.flush();
        return null;
      }
    }
    if (!(await on.wire.flush())) return null;
    const began = clock.ticks();
    for (;;) {
      const answer = on.answers.shift();
      if (answer) return answer;
      const left = options.answerTimeoutMs - (clock.ticks() - began);
      if (on.link.destroyed || on.link.readableEnded || left <= 0) return null;
      const arrival = new Promise<void>((resolve) => (on.wake = resolve));
      await within(clock, left, signal, arrival);
    }
  };

  return {
    async ask(method, target, body) {
      const answer = await ask(method, target, body).catch((error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      });
      if (answer === null || !options.keepAlive || answer.headers.connection === 'close') hangUp();
      const { headers = {} } = answer ?? {};
      const believed =
        headers['content-length'] !== undefined &&
        headers.date !== undefined &&
        (headers['content-type'] ?? '').includes('text/plain');
      return answer?.status === 200 && believed ? answer : null;
    },
    hangUp,
  };
}
