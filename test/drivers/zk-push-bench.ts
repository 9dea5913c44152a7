/** A PUSH session on the bench with a terminal that the test plays by hand: requests as text, answers as messages. */
import { duplexPair, type Duplex } from 'node:stream';
import type { Zone } from '../../src/core/time.js';
import type { Finding, TerminalSession } from '../../src/drivers/driver.js';
import { createHttpSplitter, type HttpMessage } from '../../src/drivers/http-message.js';
import { zkPush } from '../../src/drivers/zk-push/driver.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';
import { benchWire, SITE_ZONE } from './rig.js';

export interface HandMade {
  readonly session: TerminalSession;
  readonly clock: FakeClock;
  readonly findings: Finding[];
  /** Sends one request and waits a little: the answer, or null when there was none (yet). */
  ask(method: 'GET' | 'POST', target: string, body?: string | Uint8Array): Promise<HttpMessage | null>;
  /** What has been answered since the last look. */
  answers(): HttpMessage[];
  /** Writes bytes as they are. */
  write(bytes: string | Uint8Array): void;
  readonly closed: boolean;
  dispose(): Promise<void>;
}

export const textOf = (message: HttpMessage | null): string | null =>
  message && Buffer.from(message.body).toString('utf8');

/** Throws what opening throws. */
export async function playByHand(
  options: Readonly<Record<string, unknown>> = {},
  more: { readonly zone?: Zone; readonly now?: number } = {},
): Promise<HandMade> {
  const clock = createFakeClock(more.now);
  const findings: Finding[] = [];
  const waiting: Duplex[] = [];
  let wake: () => void = () => undefined;
  const stop = new AbortController();
  let theirs: Duplex | null = null;
  let got: HttpMessage[] = [];

  const dial = (): Duplex => {
    const [ours, far] = duplexPair();
    ours.on('close', () => far.destroy());
    far.on('close', () => ours.destroy());
    for (const side of [ours, far]) side.on('error', () => undefined);
    const splitter = createHttpSplitter({ kind: 'response' });
    far.on('data', (chunk: Uint8Array) => {
      for (const cut of splitter.push(chunk)) if (cut.kind === 'message') got.push(cut.message);
    });
    theirs = far;
    return ours;
  };
  const line = (): Duplex => {
    if (theirs === null || theirs.destroyed) {
      waiting.push(dial());
      wake();
    }
    if (theirs === null) throw new Error('no line');
    return theirs;
  };
  const nextCall = async (signal: AbortSignal): Promise<Duplex> => {
    for (;;) {
      signal.throwIfAborted();
      const link = waiting.shift();
      if (link) return link;
      await new Promise<void>((resolve) => {
        wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  };
  const session = await zkPush.open(
    dial(),
    zkPush.options.parse(options),
    benchWire(clock, (finding) => findings.push(finding), { nextCall, zone: more.zone ?? SITE_ZONE }),
    stop.signal,
  );
  return {
    session,
    clock,
    findings,
    async ask(method, target, body) {
      got = [];
      const bytes = Buffer.from(body ?? '');
      const length = body === undefined ? '' : `Content-Length: ${bytes.length}\r\n`;
      line().write(
        Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: gateway\r\n${length}\r\n`), bytes]),
      );
      await clock.advance(20);
      return got[0] ?? null;
    },
    answers: () => got.splice(0),
    write: (bytes) => void line().write(Buffer.from(bytes)),
    get closed() {
      return theirs?.destroyed ?? true;
    },
    async dispose() {
      await session[Symbol.asyncDispose]();
      theirs?.destroy();
    },
  };
}
