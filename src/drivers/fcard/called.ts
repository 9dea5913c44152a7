/**
 * The first bytes of a terminal that calls the gateway (TCP client mode): a frame in answer layout with CODE FF FF FF FF,
 * as a rule the keep-alive 19 22. Its serial number stands in every frame. Pure.
 */
import { asGatewayError } from '../../core/errors.js';
import type { Heard } from '../driver.js';
import { createFramer } from '../framing.js';
import { createFrameRule, FLAG, parseFrame, STATUS, UNASKED, WATCH } from './codec.js';

const NO: Heard = { is: 'no' };

/** What the first bytes of a connection say: no other frame than one told by itself may come first. */
export function hear(first: Uint8Array): Heard {
  if (first.length === 0) return { is: 'more' };
  if (first[0] !== FLAG) return NO;
  const framer = createFramer(createFrameRule());
  const [cut] = framer.push(first);
  if (cut === undefined) {
    // FF FF FF FF comes first; others begin differently and need not be waited for.
    const start = first.findIndex((byte) => byte !== FLAG);
    const head = start < 0 ? first.subarray(0, 0) : first.subarray(start, start + 4);
    return head.every((byte) => byte === 0xff) ? { is: 'more' } : NO;
  }
  if (cut.kind === 'noise') return NO;
  try {
    const frame = parseFrame(cut.bytes, 'device');
    if (frame.code !== UNASKED || (frame.type !== WATCH && frame.type !== STATUS) || frame.sn === '') return NO;
    return { is: 'yes', serial: frame.sn };
  } catch (error) {
    asGatewayError(error);
    return NO;
  }
}
