/**
 * Which gateways the platform knows: by a file and by a call. The file is YAML or JSON, one entry a gateway.
 *
 * Promises: registering again changes nothing; another key for a known gateway is valid from the batch after its head
 * (upstream §11, lost key); a gateway never changes its `aud`, because its chain begins with it.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { fail } from '../core/errors.js';
import { GATEWAY_ID, ZONE_WORD } from '../core/ids.js';
import { registeredKey, type PublicJwk } from '../uplink/envelope.js';
import { publicJwkSchema } from '../uplink/messages.js';
import type { PlatformStore } from './store.js';

const gatewaySchema = z.object({
  gw: z.string().regex(GATEWAY_ID),
  zone: z.coerce.string().regex(ZONE_WORD),
  aud: z.string().min(1).max(128),
  jwk: publicJwkSchema.optional(),
  keys: z.array(publicJwkSchema).max(16).optional(),
});
const fileSchema = z.object({ gateways: z.array(gatewaySchema).max(100_000) });

export interface GatewayEntry {
  readonly gw: string;
  readonly zone: string;
  readonly aud: string;
  /** Signing keys, oldest first. */
  readonly keys: readonly PublicJwk[];
}

/** Reads the list of gateways; throws `platform-config` naming the entry that is wrong. */
export function readGatewayFile(file: string): readonly GatewayEntry[] {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw fail('platform-config', { file, reason: error instanceof Error ? error.message : String(error) }, error);
  }
  const parsed = fileSchema.safeParse(value ?? { gateways: [] });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fail('platform-config', { file, reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}` });
  }
  return parsed.data.gateways.map(({ gw, zone, aud, jwk, keys }) => ({
    gw,
    zone,
    aud,
    keys: [...(jwk ? [jwk] : []), ...(keys ?? [])],
  }));
}

export function registerGateway(store: PlatformStore, entry: GatewayEntry, now: number): void {
  const { gw, zone, aud } = entry;
  store.transact(() => {
    const known = store.gateway(gw);
    if (known && known.aud !== aud)
      throw fail('platform-config', { file: gw, reason: `aud is ${known.aud} for ever and cannot become ${aud}` });
    store.putGateway(gw, zone, aud, now);
    const ep = known?.ep ?? null;
    const next = ep === null ? { ord: 0, seq: 0 } : { ord: store.lastOrd(gw), seq: (store.head(gw, ep)?.seq ?? 0) + 1 };
    for (const jwk of entry.keys) store.addKey(gw, registeredKey(jwk).kid, jwk.x, next.ord, next.seq);
  });
}

/** No batch from `seq` of the open epoch on is accepted under this key any more (stolen gateway). */
export function revokeKey(store: PlatformStore, gw: string, kid: string, seq: number): void {
  store.endKey(gw, kid, Math.max(1, store.lastOrd(gw)), seq - 1);
}
