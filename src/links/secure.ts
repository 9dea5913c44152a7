/**
 * TLS to a terminal. Terminals sign their own certificates, so the usual authorities say nothing: a person compares the
 * fingerprint once and writes it into the reach. A certificate that an authority does vouch for is taken as it is.
 */
import { connect } from 'node:tls';
import { fail } from '../core/errors.js';
import type { NetworkReach } from '../core/reach.js';
import { within, type Clock } from '../core/time.js';
import { refused, socketLink, timedOut, type Link } from './socket.js';
import type { TapStream } from './tap.js';

export type SecureReach = Extract<NetworkReach, { kind: 'https' }>;

/** Dials with TLS. Throws `link-refused`, `certificate-unknown`; the signal's reason when aborted. */
export async function dialSecure(
  reach: SecureReach,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  tap: TapStream,
): Promise<Link> {
  signal.throwIfAborted();
  const socket = connect({ host: reach.host, port: reach.port, rejectUnauthorized: false, servername: '' });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', () => resolve());
    socket.once('error', reject);
  });
  try {
    if ((await within(clock, timeoutMs, signal, connected)) === 'late') throw timedOut(reach, timeoutMs);
    const fingerprint = socket.getPeerCertificate().fingerprint256.replace(/:/g, '').toLowerCase();
    const known = reach.fingerprint === undefined ? socket.authorized : fingerprint === reach.fingerprint;
    if (!known) throw fail('certificate-unknown', { fingerprint });
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    signal.throwIfAborted();
    throw refused(reach, error);
  }
  return socketLink(socket, tap);
}
