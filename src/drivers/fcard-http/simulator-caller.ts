/**
 * The HTTP side of a simulated terminal that pushes: one request at a time over one connection that it dials, written through
 * the faults of the wire, with the terminal's patience. A connection that brought no answer is hung up.
 */
import type { Duplex } from 'node:stream';
import { within, type Clock } from '../../core/time.js';
import { createFaultyWire, type FaultyWire } from '../faults.js';
import { createHttpSplitter, type HttpMessage } from '../http-message.js';
import { parseObject, type Json } from './codec.js';

export interface Caller {
  /** The JSON of the answer; null when there was none in time. */
  post(path: string, type: string, body: Uint8Array): Promise<Json | null>;
  hangUp(): void;
}

interface Line {
  readonly link: Duplex;
  readonly wire: FaultyWire;
  readonly answers: HttpMessage[];
  wake: () => void;
}

export function createCaller(parts: {
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly faults: Map<string, string>;
  readonly random: () => number;
  readonly answerMs: number;
}): Caller {
  const { clock, signal } = parts;
  let line: Line | null = null;

  const hangUp = (): void => {
    line?.link.destroy();
    line = null;
  };
  const dialled = async (): Promise<Line> => {
    if (line && !line.link.destroyed && line.link.writable) return line;
    const link = await parts.dial(signal);
    const made: Line = {
      link,
      wire: createFaultyWire(link, parts.faults, parts.random, clock),
      answers: [],
      wake: () => undefined,
    };
    const splitter = createHttpSplitter({ kind: 'response' });
    link.on('data', (chunk: Uint8Array) => {
      made.wire.received(chunk);
      for (const cut of splitter.push(chunk)) if (cut.kind === 'message') made.answers.push(cut.message);
      made.wake();
    });
    for (const event of ['end', 'close', 'error']) link.on(event, () => made.wake());
    line = made;
    return made;
  };

  const ask = async (path: string, type: string, body: Uint8Array): Promise<HttpMessage | null> => {
    const on = await dialled();
    on.answers.length = 0;
    const head = `POST ${path} HTTP/1.1\r\nHost: 192.0.2.1:8080\r\nConnection: keep-alive\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    if (!(await on.wire.send(Buffer.concat([Buffer.from(head), body]), signal)) || !(await on.wire.flush()))
      return null;
    const began = clock.ticks();
    for (;;) {
      const answer = on.answers.shift();
      if (answer) return answer;
      const leftMs = parts.answerMs - (clock.ticks() - began);
      if (on.link.destroyed || on.link.readableEnded || leftMs <= 0) return null;
      await within(clock, leftMs, signal, new Promise<void>((resolve) => (on.wake = resolve)));
    }
  };

  return {
    async post(path, type, body) {
      try {
        const answer = await ask(path, type, body);
        if (answer?.status === 200) return parseObject(answer.body);
      } catch (error) {
        if (signal.aborted) throw error;
      }
      hangUp();
      return null;
    },
    hangUp,
  };
}
