/**
 * Commands to a terminal that fetches them: each has an id, lies here until a poll takes it, and waits for its result. One
 * that was fetched and not answered is handed out again under the same id after a minute, three times, then it counts as
 * unanswered; not while the terminal uploads, because an answer may take as long as the data before it.
 */
import { randomInt } from 'node:crypto';
import { fail } from '../../core/errors.js';
import { within, type Clock } from '../../core/time.js';
import { composeCommands, type Command, type CommandResult } from './command.js';

export interface Channel {
  /** Resolves with the result, or `unanswered`. Throws `link-silent` when the terminal has not called for too long. */
  run(text: string): Promise<CommandResult | 'unanswered'>;
  /** The body that a poll gets: commands that are due, or `OK`. */
  handOut(encoding: 'gbk' | 'utf-8'): Uint8Array;
  take(results: readonly CommandResult[]): void;
}

export interface ChannelParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Monotonic time of the last request, and of the last upload. */
  readonly heardAt: () => number;
  readonly uploadedAt: () => number;
  /** Silence after which the terminal is gone. */
  readonly silenceMs: number;
}

interface Entry extends Command {
  readonly resolve: (result: CommandResult | 'unanswered') => void;
  handedOut: number;
  at: number;
}

const REPEAT_MS = 60_000;
const REPEATS = 3;

export function createChannel(parts: ChannelParts): Channel {
  const { clock } = parts;
  const entries = new Map<string, Entry>();
  // Digits, because some firmware reads a number; from a random start, because a late result of an earlier session must not fit.
  let number = randomInt(100_000_000, 900_000_000);

  const due = (): Entry[] => {
    const now = clock.ticks();
    const busy = now - parts.uploadedAt() < REPEAT_MS;
    const ready: Entry[] = [];
    for (const entry of entries.values()) {
      if (entry.handedOut === 0) ready.push(entry);
      else if (now - entry.at >= REPEAT_MS && !busy) {
        if (entry.handedOut <= REPEATS) ready.push(entry);
        else settle(entry, 'unanswered');
      }
    }
    return ready;
  };

  const settle = (entry: Entry, result: CommandResult | 'unanswered'): void => {
    entries.delete(entry.id);
    entry.resolve(result);
  };

  return {
    async run(text) {
      number += 1;
      const id = String(number);
      let resolve: Entry['resolve'] = () => undefined;
      const answer = new Promise<CommandResult | 'unanswered'>((done) => (resolve = done));
      entries.set(id, { id, text, resolve, handedOut: 0, at: 0 });
      try {
        for (;;) {
          const silence = clock.ticks() - parts.heardAt();
          const left = parts.silenceMs - silence;
          if (left <= 0)
            throw fail('link-silent', {
              ms: Math.round(silence),
              waitingFor: 'the terminal to fetch a command',
              waitingForZh: '等待考勤机取命令',
            });
          const told = await within(clock, left, parts.signal, answer);
          if (told !== 'late') return told;
        }
      } finally {
        entries.delete(id);
      }
    },
    handOut(encoding) {
      const ready = due();
      const { body, taken } = composeCommands(ready, encoding);
      for (const entry of ready.slice(0, taken)) {
        entry.handedOut += 1;
        entry.at = clock.ticks();
      }
      return body;
    },
    take(results) {
      for (const result of results) {
        const entry = entries.get(result.id);
        if (entry) settle(entry, result);
      }
    },
  };
}
