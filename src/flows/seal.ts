/**
 * Journal to outbox: one unit for each upstream. It takes the next unsealed facts, reduces them to the field set, signs
 * them as a batch and moves the chain head, all in one store transaction (upstream §6). A sealed batch is never rebuilt.
 *
 * It seals when 500 facts wait, when the batch would grow past its size, when the oldest has waited for the linger, or on
 * "send now". Its first start, and a change of gateway id or platform id, begin a new epoch with random id.
 */
import type { Clock } from '../core/time.js';
import type { Doorbell, Unit } from '../core/unit.js';
import type { JsonValue, Numbered } from '../rules/facts.js';
import type { Store, Tx, UpstreamState } from '../store/store.js';
import {
  BATCH_RECORDS_MAX,
  estimateJwsBytes,
  freshEpoch,
  sealBatch,
  BATCH_JWS_BYTES_AIM,
  type Continuation,
} from '../uplink/batch.js';
import type { Signer } from '../uplink/envelope.js';
import type { FieldSet, PersonLookup } from '../uplink/records.js';

export interface SealOptions {
  readonly upstream: string;
  readonly gw: string;
  readonly aud: string;
  readonly store: Store;
  readonly clock: Clock;
  /** Real time, for the linger. */
  readonly wire: Clock;
  readonly fields: FieldSet;
  /** The key in force for a batch that begins at journal number `n0`: a `key` event ends the batch of the old key (§11). */
  readonly signer: (n0: number) => Signer;
  /** Rung when facts were added. */
  readonly journalBell: Doorbell;
  /** Rung by us when a batch was sealed. */
  readonly outboxBell: Doorbell;
  readonly persons?: PersonLookup;
  /** Linger in milliseconds, 2 s when left out; at least 10 s while the platform says that it is slow. */
  readonly lingerMs?: number | undefined;
  readonly slow?: () => boolean;
  /** Largest batch that the present broker takes; null: no limit known. */
  readonly batchBytesMax?: () => number | null;
  /**
   * True while the platform has not been heard since the start. A database that is an older copy must not sign other
   * contents under numbers that it used before (C4), so sealing under an old epoch waits for the platform, for ten minutes at most.
   */
  readonly hold?: () => boolean;
  readonly holdMs?: number;
  /** What is known of an epoch before a lost database (§9). */
  readonly continuation?: Continuation | null;
}

export interface Seal {
  readonly unit: Unit;
  /** Seals what waits at once ("send now"). */
  now(): void;
}

const LINGER_MS = 2_000;
const LINGER_SLOW_MS = 10_000;
const HOLD_MS = 600_000;
/** How long the unit sleeps when nothing waits; the doorbell wakes it earlier. */
const IDLE_MS = 60_000;
/** Batches sealed in one go before other units get their turn: each takes tens of milliseconds (P10). */
const RUN = 2;
/** Least batch worth making; a broker that takes less than this takes nothing. */
const BATCH_BYTES_LEAST = 2_048;

/** A new epoch of an upstream. `ackedN`: last journal number that the platform has already. */
function newEpoch(
  base: Pick<UpstreamState, 'upstream' | 'gw' | 'aud' | 'platAt'>,
  ackedN: number,
  cont: Continuation | null,
): UpstreamState {
  return {
    ...base,
    ...freshEpoch(base.gw, base.aud),
    sealedN: ackedN,
    ackedN,
    cont: cont === null ? null : ({ ...cont } satisfies Readonly<Record<string, JsonValue>>),
  };
}

function beginEpoch(tx: Tx, options: SealOptions, state: UpstreamState): UpstreamState {
  const cont = state.cont as { readonly why?: string } | null;
  tx.putUpstream(state);
  tx.addEvent({
    kind: 'event',
    what: 'epoch',
    at: options.clock.now(),
    data: { upstream: options.upstream, ep: state.ep, why: cont?.why ?? 'first' },
  });
  return state;
}

/** The upstream's state, begun anew at the first start or when the identity in the settings is another. */
export function ensureUpstream(options: SealOptions): UpstreamState {
  const { store, upstream, gw, aud } = options;
  const old = store.upstream(upstream);
  if (old?.gw === gw && old.aud === aud) return old;
  return store.transact((tx) => {
    if (old === null)
      return beginEpoch(tx, options, newEpoch({ upstream, gw, aud, platAt: 0 }, 0, options.continuation ?? null));
    // Another platform has received nothing; the same platform keeps what it acknowledged to the replaced identity.
    const samePlatform = old.aud === aud;
    const cont: Continuation = { ep: old.ep, seq: old.ackedSeq, hash: old.ackedHash, why: 'replace' };
    const base = { upstream, gw, aud, platAt: samePlatform ? old.platAt : 0 };
    return beginEpoch(tx, options, newEpoch(base, samePlatform ? old.ackedN : 0, samePlatform ? cont : null));
  });
}

/** Facts up to and including the first `key` event: the next batch may have another signer. */
function untilKeyChange(facts: readonly Numbered[]): readonly Numbered[] {
  const at = facts.findIndex((fact) => fact.kind === 'event' && fact.what === 'key');
  return at < 0 ? facts : facts.slice(0, at + 1);
}

/** Seals one batch of what comes after `sealedN`; false when nothing waits. One transaction. */
export function sealNext(options: SealOptions): boolean {
  const { store, upstream, clock, fields, persons } = options;
  const limit = options.batchBytesMax?.() ?? null;
  return store.transact((tx) => {
    const state = store.upstream(upstream);
    if (state === null) return false;
    const facts = untilKeyChange(store.facts(state.sealedN, BATCH_RECORDS_MAX));
    const first = facts[0];
    if (first === undefined) return false;
    tx.addBatch(
      sealBatch({
        upstream,
        gw: state.gw,
        aud: state.aud,
        ep: state.ep,
        seq: state.headSeq + 1,
        prev: state.headHash,
        at: clock.now(),
        facts,
        journalHashAt: (n) => store.hashAt(n) ?? '',
        ...(state.headSeq === 0 ? { cont: state.cont } : {}),
        fields,
        signer: options.signer(first.n),
        ...(persons ? { persons } : {}),
        ...(limit === null ? {} : { jwsBytesAim: Math.max(BATCH_BYTES_LEAST, Math.min(limit, BATCH_JWS_BYTES_AIM)) }),
      }),
    );
    return true;
  });
}

/** The sealing unit. */
export function createSeal(options: SealOptions): Seal {
  const { store, upstream, wire, clock, journalBell, outboxBell } = options;
  let urgent = false;
  let waitingSince: number | null = null;
  let heldEpoch: string | null = null;
  let heldUntil = 0;
  let estimated = { from: 0, upTo: 0, bytes: 0 };

  const lingerMs = (): number => {
    const usual = options.lingerMs ?? LINGER_MS;
    return options.slow?.() === true ? Math.max(usual, LINGER_SLOW_MS) : usual;
  };

  /** Estimates only what came since the last look, so that each doorbell costs little. */
  const estimate = (sealedN: number, headN: number): number => {
    if (estimated.from !== sealedN) estimated = { from: sealedN, upTo: sealedN, bytes: 0 };
    if (headN > estimated.upTo) {
      const facts = store.facts(estimated.upTo, BATCH_RECORDS_MAX);
      estimated = {
        from: sealedN,
        upTo: facts.at(-1)?.n ?? estimated.upTo,
        bytes: estimated.bytes + estimateJwsBytes(facts, options.fields),
      };
    }
    return estimated.bytes;
  };

  /** Milliseconds until sealing is due; 0: now; null: nothing waits. */
  const dueIn = (state: UpstreamState): number | null => {
    const head = store.head().n;
    const waiting = head - state.sealedN;
    if (waiting <= 0) {
      waitingSince = null;
      return null;
    }
    waitingSince ??= wire.ticks();
    const holdMs = state.ep === heldEpoch && options.hold?.() === true ? heldUntil - wire.ticks() : 0;
    if (holdMs > 0) return holdMs;
    if (urgent || waiting >= BATCH_RECORDS_MAX) return 0;
    const receivedAt = store.factAt(state.sealedN + 1);
    // After a start the wall clock knows the age; while running the monotonic one does, so a clock step delays nothing.
    const age = Math.max(wire.ticks() - waitingSince, receivedAt === null ? 0 : clock.now() - receivedAt);
    if (age >= lingerMs()) return 0;
    return estimate(state.sealedN, head) >= BATCH_JWS_BYTES_AIM ? 0 : lingerMs() - age;
  };

  return {
    now() {
      urgent = true;
      journalBell.ring();
    },
    unit: {
      name: `seal:${upstream}`,
      async run(signal) {
        // An epoch that this start begins has no numbers that could have been used before.
        heldEpoch = store.upstream(upstream)?.ep ?? null;
        heldUntil = wire.ticks() + (options.holdMs ?? HOLD_MS);
        ensureUpstream(options);
        while (!signal.aborted) {
          const due = dueIn(store.upstream(upstream) ?? ensureUpstream(options));
          if (due === null) urgent = false;
          if (due === 0) {
            let sealed = 0;
            while (sealed < RUN && (dueIn(store.upstream(upstream) ?? ensureUpstream(options)) ?? 1) === 0) {
              if (!sealNext(options)) break;
              sealed += 1;
              waitingSince = null;
            }
            outboxBell.ring();
            await wire.sleep(0, signal);
          } else {
            await journalBell.wait(due ?? IDLE_MS, signal);
          }
        }
      },
    },
  };
}
