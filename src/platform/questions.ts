/**
 * Questions and commands to a gateway and their signed answers (upstream §12.1).
 *
 * Promises: a question is signed with the key of its use and expires; an answer counts only when the key of that
 * gateway signed it and it names the gateway and the question's id. An answer that does not come in time rejects.
 */
import { z } from 'zod';
import { fail } from '../core/errors.js';
import { randomHex } from '../core/ids.js';
import { within, type Clock } from '../core/time.js';
import { inflate } from '../uplink/batch.js';
import { sha256Hex, signJws, verifyJws, type Signer } from '../uplink/envelope.js';
import { parsePayload } from '../uplink/messages.js';
import type { Keyring } from './keyring.js';
import type { Answer } from './receive.js';

const COMMANDS = new Set([
  'resend',
  'capture',
  'sync-time',
  'sync-roster',
  'apply-policy',
  'suspend',
  'resume',
  'diagnose',
]);

const answerSchema = z.object({
  v: z.literal(1),
  gw: z.string(),
  id: z.string(),
  at: z.number(),
  ok: z.boolean(),
  data: z.unknown().optional(),
  code: z.string().optional(),
  text: z.string().optional(),
  more: z.string().optional(),
});

export type GatewayAnswer = z.infer<typeof answerSchema> & { readonly jws: string };

export interface QuestionsOptions {
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly request: Signer;
  readonly command: Signer;
  /** Name in the reply topic; unique for each worker. */
  readonly caller: string;
  readonly publish: (gw: string, jws: string, expirySeconds: number) => Promise<void>;
}

export interface Questions {
  ask(
    gw: string,
    method: string,
    params: Readonly<Record<string, unknown>>,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<GatewayAnswer>;
  /** Takes a message from `up/res/{caller}`; false when nobody waits for it or it is not genuine. */
  answered(answer: Answer): boolean;
}

export function createQuestions(options: QuestionsOptions): Questions {
  const { clock, keyring, caller } = options;
  const waiting = new Map<
    string,
    { readonly gw: string; readonly hash: string; readonly resolve: (answer: GatewayAnswer) => void }
  >();
  return {
    async ask(gw, method, params, deadlineMs, signal) {
      const id = randomHex(16);
      const at = clock.now();
      const signer = COMMANDS.has(method) ? options.command : options.request;
      const exp = at + Math.min(600_000, Math.max(1000, deadlineMs));
      const jws = signJws(
        signer,
        'att-req+jws',
        JSON.stringify({ v: 1, gw, id, from: caller, m: method, p: params, at, exp }),
      );
      const answer = new Promise<GatewayAnswer>((resolve) => {
        waiting.set(id, { gw, hash: sha256Hex(jws.slice(0, jws.lastIndexOf('.'))), resolve });
      });
      try {
        await options.publish(gw, jws, Math.ceil((exp - at) / 1000));
        const result = await within(clock, deadlineMs, signal, answer);
        if (result === 'late') throw fail('platform-silent', { gw, method, ms: deadlineMs });
        return result;
      } finally {
        waiting.delete(id);
      }
    },
    answered({ gw, jws }) {
      try {
        const verified = verifyJws(jws, { typ: 'att-res+jws', keys: keyring.lookup(gw) });
        const payload = verified.compressed ? inflate(verified.payload, 'an answer') : verified.payload;
        const said = parsePayload(answerSchema, payload, 'an answer');
        const asked = waiting.get(said.id);
        if (said.gw !== gw || asked?.gw !== gw) return false;
        asked.resolve({ ...said, jws });
        return true;
      } catch {
        return false;
      }
    },
  };
}
