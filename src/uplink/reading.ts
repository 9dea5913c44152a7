/**
 * Messages of the platform to events of the conversation: verified with the key set, read by their schemas (upstream §8,
 * §10). What cannot be verified or read becomes the event `bad` with its reason; this never throws a peer's fault.
 */
import { asGatewayError } from '../core/errors.js';
import type { ConversationEvent } from './conversation-words.js';
import { verifyJws } from './envelope.js';
import { ackSchema, parsePayload, platStateSchema } from './messages.js';
import type { PlatformKeys } from './platform-keys.js';
import type { Incoming } from './uplink.js';

function readAck(payload: Uint8Array, keys: PlatformKeys): ConversationEvent {
  const jws = Buffer.from(payload).toString('latin1');
  const verified = verifyJws(jws, { typ: 'att-ack+jws', keys: keys.lookup('ack') });
  return { kind: 'ack', ack: parsePayload(ackSchema, verified.payload, 'an acknowledgement'), jws };
}

function readPlat(payload: Uint8Array, keys: PlatformKeys): ConversationEvent {
  if (payload.length === 0) return { kind: 'plat', plat: null };
  const verified = verifyJws(payload, { typ: 'att-plat+jws', keys: keys.lookup('plat') });
  const plat = parsePayload(platStateSchema, verified.payload, 'the platform state');
  if (plat.keys !== undefined) keys.adopt(plat.keys);
  return { kind: 'plat', plat };
}

/** Reads an acknowledgement or a platform state; other channels are for others. */
export function readMessage(message: Incoming, keys: PlatformKeys): ConversationEvent {
  try {
    return message.channel === 'ack' ? readAck(message.payload, keys) : readPlat(message.payload, keys);
  } catch (error) {
    return { kind: 'bad', error: asGatewayError(error) };
  }
}
