/**
 * The way to the broker below MQTT: files, address, TCP, TLS 1.2 or later with the server name checked, no delay on the
 * socket (upstream §5), and a guard against packets that are too long. Knows nothing of MQTT but how long a packet is.
 * Secrets are read here and go nowhere but into the connection; errors name paths, never contents.
 */
import { readFile } from 'node:fs/promises';
import { connect as tcpConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { fail, systemCode } from '../core/errors.js';
import { within, type Clock } from '../core/time.js';
import { dialError } from './refusals.js';
import type { UplinkAddress } from './uplink.js';

/** Secrets and certificates of an upstream, read anew for each connection so that a renewed file is taken. */
export interface Files {
  readonly password?: Buffer;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Reads the files that the settings name; throws `uplink-files`. */
export async function readFiles(settings: UplinkAddress): Promise<Files> {
  const load = async (path: string | undefined): Promise<Buffer | undefined> => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path);
    } catch (cause) {
      throw fail(
        'uplink-files',
        { upstream: settings.id, reason: `${path}: ${systemCode(cause) ?? 'unreadable'}` },
        cause,
      );
    }
  };
  const { passwordFile, caFile, certFile, keyFile } = settings.mqtt;
  const [password, ca, cert, key] = await Promise.all([passwordFile, caFile, certFile, keyFile].map(load));
  return {
    ...(password ? { password: Buffer.from(password.toString('utf8').replace(/\r?\n$/, '')) } : {}),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
  };
}

/** Where the broker is. */
export interface Address {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** `host:port`, for people. */
  readonly name: string;
}

/** The address in the settings; throws `uplink-files` when the URL is not one of ours. */
export function addressOf(settings: UplinkAddress): Address {
  const url = URL.canParse(settings.url) ? new URL(settings.url) : null;
  if (url === null || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '') {
    throw fail('uplink-files', { upstream: settings.id, reason: 'url must be mqtt://host:port or mqtts://host:port' });
  }
  const tls = url.protocol === 'mqtts:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port);
  return { tls, host, port, name: `${url.hostname}:${port}` };
}

/** Opens the socket. A TCP connection without a TLS answer is `uplink-silent`, all else says why. */
export async function dial(
  address: Address,
  files: Files,
  wire: Clock,
  connectMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const target = { host: address.host, port: address.port };
  const stage = { reached: false };
  const socket = address.tls
    ? tlsConnect({
        ...target,
        ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
        ...(files.ca ? { ca: files.ca } : {}),
        ...(files.cert ? { cert: files.cert } : {}),
        ...(files.key ? { key: files.key } : {}),
        minVersion: 'TLSv1.2',
      })
    : tcpConnect(target);
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('connect', () => {
      stage.reached = true;
      if (!address.tls) resolve();
    });
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed during the handshake')));
  });
  try {
    const outcome = await within(wire, connectMs, signal, opened);
    if (outcome !== 'late') return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw dialError(error, address.name);
  }
  socket.destroy();
  if (stage.reached) throw fail('uplink-silent', { broker: address.name, ms: connectMs, waitingFor: 'TLS' });
  throw fail('uplink-unreachable', { broker: address.name, reason: `no answer within ${connectMs} ms` });
}

/** Ends the connection when a packet announces more than we take; 3.1.1 has no way to say so to the broker. */
export function guardPackets(bytesMax: number, onTooBig: () => void): (chunk: Buffer) => void {
  let skip = 0;
  let header = true;
  let length = 0;
  let factor = 1;
  return (chunk) => {
    for (let at = 0; at < chunk.length;) {
      if (skip > 0) {
        const step = Math.min(skip, chunk.length - at);
        skip -= step;
        at += step;
      } else if (header) {
        header = false;
        length = 0;
        factor = 1;
        at += 1;
      } else {
        const byte = chunk[at] ?? 0;
        length += (byte & 0x7f) * factor;
        factor *= 128;
        at += 1;
        if ((byte & 0x80) !== 0 && factor <= 128 ** 3) continue;
        if (length > bytesMax) onTooBig();
        skip = length;
        header = true;
      }
    }
  };
}
