/** A gateway's end held by hand: what the terminal says comes as text, what the driver says is kept. */
import { duplexPair, type Duplex } from 'node:stream';
import { aifaceWs } from '../../src/drivers/aiface-ws/driver.js';
import type { Finding, PunchPage, TerminalSession } from '../../src/drivers/driver.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';
import { benchWire } from './rig.js';

export type Said = Readonly<Record<string, unknown>>;

export interface Hand {
  readonly clock: FakeClock;
  readonly session: TerminalSession;
  readonly findings: Finding[];
  /** Everything the driver has sent; each piece must be one message. */
  readonly said: Said[];
  readonly terminal: Duplex;
  tell(message: unknown): void;
  tellBytes(bytes: Uint8Array): void;
  register(info?: Readonly<Record<string, unknown>>): void;
  /** Answers each request by name from now on. */
  answer(answers: Readonly<Record<string, (asked: Said) => unknown>>): void;
  close(): Promise<void>;
}

export async function createHand(options: Readonly<Record<string, unknown>> = {}, before?: Uint8Array): Promise<Hand> {
  const clock = createFakeClock(Date.UTC(2025, 8, 1, 0, 0, 0));
  const [ours, theirs] = duplexPair();
  // A pair made of memory does not notice that one half is gone; a socket does.
  theirs.on('close', () => ours.destroy());
  const findings: Finding[] = [];
  const said: Said[] = [];
  const stop = new AbortController();
  let answers: Readonly<Record<string, (asked: Said) => unknown>> = {};
  const tell = (message: unknown): void => void theirs.write(JSON.stringify(message));
  theirs.on('data', (chunk: Buffer) => {
    const message = JSON.parse(chunk.toString()) as Said;
    said.push(message);
    const reply = typeof message.cmd === 'string' ? answers[message.cmd]?.(message) : undefined;
    if (reply !== undefined) tell(reply);
  });
  if (before) {
    theirs.write(before);
    await clock.advance(1);
  }
  const wire = benchWire(clock, (finding) => findings.push(finding));
  const session = await aifaceWs.open(ours, aifaceWs.options.parse(options), wire, stop.signal);
  const hand: Hand = {
    clock,
    session,
    findings,
    said,
    terminal: theirs,
    tell,
    tellBytes: (bytes) => void theirs.write(bytes),
    register: (info = {}) =>
      tell({
        cmd: 'reg',
        sn: 'TEST00000001',
        devinfo: { modelname: 'ai07', firmware: 'x1', usedlog: 0, usednewlog: 0, time: '2025-09-01 08:00:00', ...info },
      }),
    answer: (more) => (answers = { ...answers, ...more }),
    close: async () => {
      await session[Symbol.asyncDispose]();
      stop.abort();
      ours.destroy();
      theirs.destroy();
    },
  };
  return hand;
}

/** Takes pages in the background, confirming each when `confirms` says so. */
export function follow(
  hand: Hand,
  after: Parameters<TerminalSession['pages']>[0] = null,
  confirms: () => boolean = () => true,
): { readonly pages: PunchPage[]; readonly ended: Promise<unknown> } {
  const pages: PunchPage[] = [];
  const take = async (): Promise<void> => {
    for await (const page of hand.session.pages(after, { follow: true })) {
      pages.push(page);
      if (confirms()) await hand.session.confirm(page);
    }
  };
  const ended = take().then(
    () => null,
    (error: unknown) => error,
  );
  return { pages, ended };
}

/** A log that is answered page by page, as a terminal does. */
export function logAnswers(
  cmd: string,
  records: readonly Said[],
  size = 50,
): Readonly<Record<string, (asked: Said) => unknown>> {
  let at = 0;
  return {
    [cmd]: (asked) => {
      if (asked.stn === true) at = 0;
      const record = records.slice(at, at + size);
      const from = at;
      at += record.length;
      return { ret: cmd, result: true, count: records.length, from, to: at - 1, record };
    },
  };
}

export const record = (index: number): Said => ({
  enrollid: 1000 + index,
  time: `2025-08-31 ${String(8 + Math.floor(index / 60)).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}:00`,
  mode: 8,
  inout: 0,
  event: 0,
});
