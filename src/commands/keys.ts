/** `rollcall keys`: the gateway's public signing key in the form in which a platform registers it. The private key is never shown. */
import { mkdirSync } from 'node:fs';
import type { Driver } from '../drivers/driver.js';
import { signingKeyOf } from '../gateway.js';
import { loadSettings } from '../settings.js';
import { faultLines } from './check-config.js';
import { EXIT, type Console } from './console.js';

export async function runKeys(
  config: string,
  options: { readonly drivers: readonly Driver[]; readonly env: Readonly<Record<string, string | undefined>> },
  io: Console,
): Promise<number> {
  const { settings, faults } = loadSettings(config, options);
  // At commissioning the platform's key file is often still missing: the entry is parked, and this says why it is not below.
  for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
  if (settings === null) return EXIT.usage;
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  const signer = signingKeyOf(settings.dataDir);
  const jwk = { ...signer.publicJwk, kid: signer.keyId, use: 'sig', alg: 'EdDSA' };
  const gateways = settings.upstreams.map(({ gw, zone, aud }) => ({ gw, zone, aud, jwk }));
  if (io.json) io.out(JSON.stringify({ jwk, gateways }));
  else {
    io.out(JSON.stringify({ gateways: gateways.length > 0 ? gateways : [{ jwk }] }, null, 2));
    io.err(
      `公钥编号末 8 位 last 8 characters of the key id: ${signer.keyId.slice(-8)}(请与平台操作员核对 compare with the platform's operator)`,
    );
  }
  return EXIT.good;
}
