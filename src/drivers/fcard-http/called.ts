/**
 * The first bytes of a terminal that pushes: a POST to one of the routes, and the serial number, which stands in the JSON
 * or in the first part of the form, long before any photo. Pure.
 */
import { asGatewayError } from '../../core/errors.js';
import type { Heard } from '../driver.js';
import { createHttpSplitter, peekRequest } from '../http-message.js';
import { splitTarget } from '../http-server.js';
import { readForm, routeOf } from './codec.js';

const NO: Heard = { is: 'no' };
const MORE: Heard = { is: 'more' };

/** The serial number in an unfinished body; it must be followed by what ends it. */
function serialIn(text: string): string {
  const json = /"(?:Device)?SN"\s*:\s*"([^"\\]{1,64})"/i.exec(text)?.[1];
  const part = /name\s*=\s*"?SN"?\r?\n(?:[\w-]+:[^\n]*\n)*\r?\n([^\r\n]{1,64})\r?\n/i.exec(text)?.[1];
  return (json ?? part ?? '').trim();
}

export function hear(first: Uint8Array): Heard {
  const peeked = peekRequest(first);
  if (peeked.is !== 'request') return peeked.is === 'no' ? NO : MORE;
  if (peeked.method !== 'POST') return NO;
  if (!peeked.targetComplete) return MORE;
  if (routeOf(splitTarget(peeked.target).path) === null) return NO;
  if (peeked.headers === null) return MORE;
  const text = Buffer.from(first.subarray(0, 16_384)).toString('latin1');
  const head = text.search(/\r?\n\r?\n/);
  const serial = serialIn(text.slice(head));
  if (serial !== '') return { is: 'yes', serial };
  const [cut] = createHttpSplitter({ kind: 'request' }).push(first);
  if (cut === undefined) return MORE;
  if (cut.kind !== 'message') return NO;
  try {
    // Compressed as a whole: it can only be read when it is complete.
    const { sn } = readForm(cut.message.headers, cut.message.body);
    return sn === '' ? NO : { is: 'yes', serial: sn };
  } catch (error) {
    asGatewayError(error);
    return NO;
  }
}
