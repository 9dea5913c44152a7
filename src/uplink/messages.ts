/**
 * The JSON inside the envelopes: schemas of acknowledgement, hello, platform state, key set and will, and the pure check
 * of an acknowledgement (upstream §8 to §11). Both sides validate with these: what one side writes the other accepts.
 *
 * Unknown members are ignored (§2). Numbers are safe integers. Nothing here reads a clock or a key.
 */
import { z } from 'zod';
import { fail } from '../core/errors.js';
import { EPOCH, GATEWAY_ID } from '../core/ids.js';
import type { PublicJwk } from './envelope.js';

export const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const time = z.number().int().min(-8.64e15).max(8.64e15);
export const hashHex = z.string().regex(/^[0-9a-f]{64}$/);
const gwSchema = z.string().regex(GATEWAY_ID);
const epSchema = z.string().regex(EPOCH);
const sidSchema = z.string().min(1).max(64);

/** Codes that stop the stream or, with `busy` and `big`, hold it up (§13). */
export const REJ_CODES = ['sig', 'key', 'epoch', 'fork', 'chain', 'big', 'busy'] as const;
export type RejCode = (typeof REJ_CODES)[number];

const note = z.object({ seq: count, code: z.string().max(64), text: z.string().max(1000).optional() });
const rejection = z.object({ seq: count, code: z.string().max(64) });

/** Acknowledgement, §8. */
export const ackSchema = z.object({
  v: z.literal(1),
  gw: gwSchema,
  ep: epSchema,
  through: count,
  hash: hashHex,
  sid: sidSchema.optional(),
  at: time,
  note: z.array(note).max(200).optional(),
  rej: z.array(rejection).max(200).optional(),
  win: z.number().int().min(1).max(1000).optional(),
  wait: count.optional(),
});
export type AckMessage = z.infer<typeof ackSchema>;

const head = z.object({ seq: count, hash: hashHex });

/** Hello, §9. */
export const helloSchema = z.object({
  v: z.literal(1),
  gw: gwSchema,
  ep: epSchema,
  head,
  acked: head,
  unsealed: count,
  oldest: time.nullish(),
  sw: z.string().max(64),
  proto: z.array(z.number().int()).max(16),
  clock: z.object({ src: z.string().max(16), offMs: z.number().nullish() }).optional(),
  disk: z.object({ freeMb: z.number(), outboxMb: z.number() }).optional(),
  pics: z.object({ waiting: count, mb: z.number() }).optional(),
  sid: sidSchema,
  at: time,
});
export type HelloMessage = z.infer<typeof helloSchema>;

/** A hello of a gateway whose outbox stands so. */
export function helloMessage(
  state: {
    readonly gw: string;
    readonly ep: string;
    readonly headSeq: number;
    readonly headHash: string;
    readonly ackedSeq: number;
    readonly ackedHash: string;
  },
  rest: Omit<HelloMessage, 'v' | 'gw' | 'ep' | 'head' | 'acked' | 'proto'>,
): HelloMessage {
  const { gw, ep, headSeq, headHash, ackedSeq, ackedHash } = state;
  return {
    v: 1,
    gw,
    ep,
    head: { seq: headSeq, hash: headHash },
    acked: { seq: ackedSeq, hash: ackedHash },
    proto: [1],
    ...rest,
  };
}

/** Platform state, §10. `until` is cut to 24 h after `at` by its reader, so that nothing silences the fleet for ever. */
export const platStateSchema = z.object({
  v: z.literal(1),
  on: z.boolean(),
  at: time,
  until: time.optional(),
  win: z.number().int().min(1).max(1000).optional(),
  slow: z.boolean().optional(),
  spread: z.number().min(0).max(3600).optional(),
  pics: z.enum(['now', 'night', 'off']).optional().catch(undefined),
  keys: z.string().optional(),
});
export type PlatStateMessage = z.infer<typeof platStateSchema>;

/** Retained `state` of a gateway and its will, §4. */
export const gatewayStateSchema = z.object({ on: z.boolean(), at: time.optional(), sid: sidSchema.optional() });
export type GatewayStateMessage = z.infer<typeof gatewayStateSchema>;

export const publicJwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});

export const KEY_USES = ['ack', 'req', 'cmd', 'ticket', 'plat'] as const;
export type KeyUse = (typeof KEY_USES)[number];

const platformKey = z.union([
  z.object({ jwk: publicJwkSchema, use: z.union([z.string(), z.array(z.string())]) }).transform((entry) => ({
    jwk: entry.jwk satisfies PublicJwk,
    uses: [entry.use].flat(),
  })),
  publicJwkSchema.extend({ use: z.union([z.string(), z.array(z.string())]) }).transform((entry) => ({
    jwk: { kty: entry.kty, crv: entry.crv, x: entry.x } satisfies PublicJwk,
    uses: [entry.use].flat(),
  })),
]);

/** Payload of `att-keys` (§11), or the same set as a plain file without `v` and `ser`. */
export const keySetSchema = z.object({
  v: z.literal(1).optional(),
  ser: count.optional(),
  at: time.optional(),
  exp: time.optional(),
  keys: z.array(platformKey).min(1).max(64),
});
export type KeySetMessage = z.infer<typeof keySetSchema>;

/** Parses a JSON payload by a schema. Throws `payload-unreadable` with the first member that is wrong. */
export function parsePayload<T>(schema: z.ZodType<T>, payload: Uint8Array, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw fail('payload-unreadable', { what, reason: 'it is not JSON in UTF-8' });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw fail('payload-unreadable', { what, reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}` });
}

/** Where a gateway stands when an acknowledgement arrives. */
export interface AckStanding {
  readonly gw: string;
  readonly ep: string;
  readonly ackedSeq: number;
  readonly headSeq: number;
  /** Own stored hash of a batch of this epoch (0: the genesis hash); null: not kept. */
  readonly hashOf: (seq: number) => string | null;
  /** `sid` of the present connection. */
  readonly sid: string;
}

/**
 * What an acknowledgement means, in the order of §8:
 * `foreign` another gateway or epoch, ignore · `stale` below our acknowledged head, ignore · `went-back` the platform
 * restored an older copy · `ahead` the platform holds more than we ever sealed, so we were restored · `fork` the hash
 * differs from ours · `unmoved` all right, nothing new · `moved` all up to `through` is delivered.
 */
export type AckFinding = 'foreign' | 'stale' | 'went-back' | 'ahead' | 'fork' | 'unmoved' | 'moved';

export function checkAck(ack: AckMessage, standing: AckStanding): AckFinding {
  if (ack.gw !== standing.gw || ack.ep !== standing.ep) return 'foreign';
  if (ack.through < standing.ackedSeq && ack.sid !== standing.sid) return 'stale';
  if (ack.through > standing.headSeq) return 'ahead';
  if (standing.hashOf(ack.through) !== ack.hash) return 'fork';
  if (ack.through < standing.ackedSeq) return 'went-back';
  return ack.through === standing.ackedSeq ? 'unmoved' : 'moved';
}
