/**
 * What the readers of one session share: a terminal keeps one prepared data set at a time, so whoever prepares another one
 * (the user table between two pages of the log) takes the first away. `inTurn` keeps two readings apart; `holder` tells a
 * reader that was set aside that it must prepare its set anew before it goes on.
 */
import type { Finding } from '../driver.js';
import { createTally } from './bells.js';

export interface SetDesk {
  /** Does one piece of work at a time, in order. Never call it from inside such work. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Whose set the terminal keeps prepared. */
  holder: object | null;
  /** The terminal refuses prepared sets and knows the old direct read. */
  direct: boolean;
  /** Over datagrams: how much to ask for at once; less after losses. */
  chunkBytes: number;
  /** To be told when a part of an answer got lost. */
  readonly datagramsMissing: () => void;
}

/** Largest chunk asked for over datagrams. */
export const DATAGRAM_CHUNK_BYTES = 16_384;

export function createDesk(note: (finding: Finding) => void): SetDesk {
  let turns: Promise<unknown> = Promise.resolve();
  return {
    inTurn<T>(work: () => Promise<T>): Promise<T> {
      const result = turns.then(work);
      turns = result.catch(() => undefined);
      return result;
    },
    holder: null,
    direct: false,
    chunkBytes: DATAGRAM_CHUNK_BYTES,
    datagramsMissing: createTally((count) =>
      note({ code: 'gap', text: `${count} answers so far lacked datagrams and were asked for again`, data: { count } }),
    ),
  };
}
