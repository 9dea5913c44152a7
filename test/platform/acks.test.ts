import { describe, expect, test } from 'vitest';
import { ackPayload, createAckOutbox } from '../../src/platform/acks.js';
import type { Wire } from '../../src/platform/mqtt.js';
import type { AckDraft } from '../../src/platform/receive.js';
import { keyLookup, verifyJws } from '../../src/uplink/envelope.js';
import { ackSchema, parsePayload, type AckMessage } from '../../src/uplink/messages.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { EP, EP2, GW, seedSigner, ZONE } from './bench.js';

const signer = seedSigner('test key: platform');
const draft = (through: number, more: Partial<AckDraft> = {}): AckDraft => ({
  ...{ zone: ZONE, gw: GW, ep: EP, through, hash: String(through % 10).repeat(64), sid: null, note: [], rej: [] },
  ...more,
});

interface Sent {
  readonly topic: string;
  readonly ack: AckMessage;
  readonly finish: (error?: Error) => void;
}

function outbox(mergeMs: number, window = 20) {
  const clock = createFakeClock();
  const sent: Sent[] = [];
  const wire: Wire = {
    window,
    sharedSubscriptions: true,
    closed: new Promise(() => undefined),
    subscribe: () => Promise.resolve(),
    close: () => Promise.resolve(),
    publish: (topic, payload, _options, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('stopped'));
        });
        const ack = parsePayload(
          ackSchema,
          verifyJws(payload, { typ: 'att-ack+jws', keys: keyLookup([signer.publicJwk]) }).payload,
          'ack',
        );
        sent.push({
          topic,
          ack,
          finish: (error) => {
            if (error) reject(error);
            else resolve();
          },
        });
      }),
  };
  const acks = createAckOutbox({ clock, prefix: 'city/', signer, mergeMs, win: 4 });
  const stop = new AbortController();
  const ended = acks.run(wire, stop.signal).catch(() => 'ended');
  return { clock, acks, sent, stop: () => (stop.abort(), ended) };
}

describe('acknowledgements on their way out', () => {
  test('those of one gateway within the merge time become one, with the notes and rejections of all', async () => {
    const { clock, acks, sent, stop } = outbox(200);
    acks.add([draft(1, { note: [{ seq: 1, code: 'schema', text: 'odd' }] }), draft(2)]);
    await clock.advance(199);
    acks.add([draft(3, { rej: [{ seq: 9, code: 'chain' }] }), draft(3, { rej: [{ seq: 9, code: 'chain' }] })]);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect(sent.map(({ topic, ack }) => [topic, ack])).toMatchObject([
      [
        `city/att/v1/${ZONE}/${GW}/down/ack`,
        { through: 3, note: [{ seq: 1 }], rej: [{ seq: 9, code: 'chain' }], win: 4 },
      ],
    ]);
    expect(sent[0]?.ack.rej).toHaveLength(1);
    await stop();
  });

  test('every sid gets its own, other gateways and epochs are not merged, and a plain one joins a waiting sid', async () => {
    const { clock, acks, sent, stop } = outbox(50);
    acks.add([
      draft(1, { sid: 'a' }),
      draft(1, { sid: 'b' }),
      draft(2),
      draft(1, { gw: 'gw00000000' }),
      draft(1, { ep: EP2 }),
    ]);
    await clock.advance(50);
    expect(sent.map(({ ack }) => [ack.gw, ack.ep, ack.sid, ack.through])).toEqual([
      [GW, EP, 'a', 2],
      [GW, EP, 'b', 1],
      ['gw00000000', EP, undefined, 1],
      [GW, EP2, undefined, 1],
    ]);
    await stop();
  });

  test('without merge time it goes out at once, within the window of the broker; a refused one is only counted', async () => {
    const { acks, sent, stop } = outbox(0, 2);
    acks.add(Array.from({ length: 5 }, (_, index) => draft(1, { gw: `gw0000000${index}` })));
    await settle();
    expect(sent).toHaveLength(2);
    sent[0]?.finish();
    sent[1]?.finish(new Error('refused'));
    await settle();
    expect(sent).toHaveLength(4);
    expect(acks.counts()).toEqual({ sent: 1, failed: 1 });
    expect(acks.pending()).toBe(3);
    await stop();
  });

  test('the largest acknowledgement stays within 16 KiB', () => {
    const note = Array.from({ length: 400 }, (_, seq) => ({ seq, code: 'unknown-kind', text: '考'.repeat(53) }));
    const rej = Array.from({ length: 400 }, (_, seq) => ({ seq, code: 'chain' as const }));
    const payload = ackPayload(draft(9_007_199_254_740_991, { note, rej, sid: 's'.repeat(64) }), 1_789_000_000_000, 4);
    expect(Buffer.byteLength(payload) * 1.4).toBeLessThan(16_384);
  });
});
