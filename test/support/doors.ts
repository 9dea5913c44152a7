/**
 * The ports of a gateway of one life, in memory: where simulated terminals call, and wires as the rooms of links give them. What
 * the real listener promises holds here too: a link is closed when its conversation settles, and all of them when the port closes.
 */
import type { Listen } from '../../src/flows/reception.js';
import type { Door, Wire } from './station.js';

export interface Doors {
  readonly listen: Listen;
  /** Who answers now; null: nobody listens. */
  readonly answering: () => Door | null;
  /** A wire as a link. */
  readonly link: (wire: Wire) => Wire['link'] & AsyncDisposable;
  /** The process is dead: nobody answers, every wire is cut. */
  readonly sever: () => void;
}

export function createDoors(): Doors {
  const doors = new Map<number, Door>();
  const wires = new Set<Wire>();
  let dead = false;
  const link: Doors['link'] = (wire) => {
    wires.add(wire);
    wire.link.once('close', () => wires.delete(wire));
    return Object.assign(wire.link, {
      [Symbol.asyncDispose]: async () => {
        wire.cut();
        return Promise.resolve();
      },
    });
  };
  return {
    link,
    answering: () => doors.values().next().value ?? null,
    sever() {
      dead = true;
      doors.clear();
      for (const one of wires) one.cut();
    },
    listen: async (reach, onLink, signal) => {
      const called = new Set<Wire>();
      if (!dead)
        doors.set(reach.port, (wire) => {
          called.add(wire);
          void onLink(link(wire), '192.0.2.7:40001')
            .catch(() => undefined)
            .finally(() => {
              called.delete(wire);
              wire.cut();
            });
        });
      const closed = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          doors.delete(reach.port);
          for (const one of called) one.cut();
          resolve();
        });
      });
      return Promise.resolve({ port: reach.port, closed });
    },
  };
}
