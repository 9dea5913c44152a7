/**
 * Acknowledgements on their way out: merged for each gateway, stamped, signed, and sent within the broker's window.
 *
 * Promises: what is said was committed before; acknowledgements of one gateway and epoch are merged while they wait
 * (they are cumulative, upstream §8), except that each `sid` of a hello gets its own answer; notes and rejections are
 * kept when merging, up to what fits into 16 KiB. A lost acknowledgement is not sent again: the gateway asks again.
 */
import type { Clock } from '../core/time.js';
import { createDoorbell } from '../core/unit.js';
import { signJws, type Signer } from '../uplink/envelope.js';
import type { AckDraft } from './receive.js';
import type { Wire } from './mqtt.js';

const LIST_MAX = 32;
const ACK_EXPIRY_SECONDS = 300;

export interface AckOutboxOptions {
  readonly clock: Clock;
  readonly prefix: string;
  readonly signer: Signer;
  /** How long an acknowledgement may wait for others of its gateway, 0..200 ms. */
  readonly mergeMs: number;
  /** Window that gateways are told, or null to say nothing. */
  readonly win: number | null;
}

export interface AckOutbox {
  add(drafts: readonly AckDraft[]): void;
  /** Sends until the signal; one call for each connection. */
  run(wire: Wire, signal: AbortSignal): Promise<void>;
  /** Acknowledgements waiting or under way. */
  pending(): number;
  counts(): { readonly sent: number; readonly failed: number };
}

interface Waiting {
  draft: AckDraft;
  readonly dueAt: number;
}

export function mergeAcks(older: AckDraft, newer: AckDraft): AckDraft {
  const rej = [...older.rej, ...newer.rej].filter(
    (one, at, all) => all.findIndex((other) => other.seq === one.seq && other.code === one.code) === at,
  );
  return {
    ...newer,
    sid: newer.sid ?? older.sid,
    note: [...older.note, ...newer.note].slice(0, LIST_MAX),
    rej: rej.slice(0, LIST_MAX),
  };
}

/** The payload of an acknowledgement (§8); optional members are left out when they say nothing. */
export function ackPayload(draft: AckDraft, at: number, win: number | null): string {
  const { gw, ep, through, hash, sid, note, rej } = draft;
  return JSON.stringify({
    v: 1,
    gw,
    ep,
    through,
    hash,
    ...(sid === null ? {} : { sid }),
    at,
    ...(note.length === 0 ? {} : { note: note.slice(0, LIST_MAX) }),
    ...(rej.length === 0 ? {} : { rej: rej.slice(0, LIST_MAX) }),
    ...(win === null ? {} : { win }),
  });
}

export function createAckOutbox(options: AckOutboxOptions): AckOutbox {
  const { clock, prefix, signer, mergeMs, win } = options;
  const waiting = new Map<string, Waiting>();
  const underWay = new Set<Promise<void>>();
  const bell = createDoorbell(clock);
  let sent = 0;
  let failed = 0;

  const key = (draft: AckDraft, sid: string | null): string => `${draft.gw}/${draft.zone}/${draft.ep}/${sid ?? ''}`;

  function add(draft: AckDraft): void {
    const own = key(draft, draft.sid);
    // A plain acknowledgement joins whatever waits for its gateway; one with a sid only its like.
    const prefixOfGateway = key(draft, '');
    const found = draft.sid === null ? [...waiting.keys()].find((name) => name.startsWith(prefixOfGateway)) : own;
    const old = found === undefined ? undefined : waiting.get(found);
    if (found !== undefined && old) waiting.set(found, { ...old, draft: mergeAcks(old.draft, draft) });
    else waiting.set(own, { draft, dueAt: clock.ticks() + mergeMs });
  }

  function send(wire: Wire, draft: AckDraft, signal: AbortSignal): void {
    const jws = signJws(signer, 'att-ack+jws', ackPayload(draft, clock.now(), win));
    const sending = wire
      .publish(`${prefix}att/v1/${draft.zone}/${draft.gw}/down/ack`, jws, { expirySeconds: ACK_EXPIRY_SECONDS }, signal)
      .then(
        () => void (sent += 1),
        () => void (failed += 1),
      )
      .finally(() => void underWay.delete(sending));
    underWay.add(sending);
  }

  return {
    add(drafts) {
      for (const draft of drafts) add(draft);
      if (drafts.length > 0) bell.ring();
    },
    async run(wire, signal) {
      underWay.clear();
      while (!signal.aborted) {
        const [next] = waiting;
        const waitMs = next === undefined ? 60_000 : next[1].dueAt - clock.ticks();
        if (next === undefined || waitMs > 0) await bell.wait(waitMs, signal);
        else if (underWay.size >= wire.window) await Promise.race(underWay);
        else {
          waiting.delete(next[0]);
          send(wire, next[1].draft, signal);
        }
      }
    },
    pending: () => waiting.size + underWay.size,
    counts: () => ({ sent, failed }),
  };
}
