/** Two small parts of a conversation: a bell that wakes everyone who waits, and a tally that keeps a sick terminal from flooding the log. */

export interface Bell {
  ring(): void;
  /** Resolves at the next ring. */
  next(): Promise<void>;
}

/** Wakes everyone who waits for something to happen. */
export function createBell(): Bell {
  let waiting: (() => void)[] = [];
  return {
    ring() {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}

/** Notes the first, the tenth, the hundredth ... of a kind. */
export function createTally(note: (count: number) => void): () => void {
  let count = 0;
  let next = 1;
  return () => {
    count += 1;
    if (count < next) return;
    next *= 10;
    note(count);
  };
}
