/** Keys, facts and vectors for the tests of this room. The keys are those of the published vectors. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { instant, type Instant, type WallTime } from '../../src/core/time.js';
import type { EventFact, Numbered, PunchFact } from '../../src/rules/facts.js';
import { signerFromSeed } from '../../src/uplink/envelope.js';

const seed = (text: string): Buffer => createHash('sha256').update(text).digest();
export const gatewaySigner = signerFromSeed(seed('test key: gateway'));
export const platformSigner = signerFromSeed(seed('test key: platform'));
export const strangerSigner = signerFromSeed(seed('test key: stranger'));

interface VectorKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
}
interface Vectors {
  readonly gw: string;
  readonly aud: string;
  readonly ep: string;
  readonly genesis: string;
  readonly gatewayKey: VectorKey;
  readonly platformKey: VectorKey;
  readonly batches: readonly { readonly payload: string; readonly jws: string; readonly hash: string }[];
  readonly ack: { readonly payload: string; readonly jws: string };
  readonly mustFail: readonly { readonly stage: string; readonly why: string; readonly jws: string }[];
}
export const vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')) as Vectors;

/** The punch of the first published batch, with journal number `n`. */
export function punch(n: number, changes: Partial<PunchFact> = {}): Numbered<PunchFact> {
  return {
    n,
    kind: 'punch',
    deviceSn: 'TEST0001',
    terminalId: 'door',
    deviceUserId: '20250017',
    deviceUid: null,
    wallTime: '2026-09-10 08:26:30' as WallTime,
    instant: instant(1788999990000),
    rx: instant(1788999990412),
    rxTicks: 1000,
    clockTrusted: true,
    offsetMs: -1840,
    offsetAgeMs: 10,
    effective: instant(1788999991840),
    direction: 'in',
    directionRaw: 0,
    verify: 'face',
    verifyRaw: 15,
    score: null,
    source: 'poll',
    delivery: 'live',
    seq: null,
    seqEpoch: null,
    firmware: null,
    raw: Uint8Array.of(1, 2, 3),
    decoder: 'test-1',
    traineeNo: 'T0017',
    ...changes,
  };
}

export function event(n: number, changes: Partial<EventFact> = {}): Numbered<EventFact> {
  return {
    n,
    kind: 'event',
    what: 'clock',
    at: 1788999996000 as Instant,
    data: { deviceSn: 'TEST0001', driftMs: -1840 },
    ...changes,
  };
}
