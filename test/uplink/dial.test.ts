/** Below MQTT: TLS with names and authorities checked, files, addresses, and the guard against long packets. */
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { addressOf, guardPackets, readFiles } from '../../src/uplink/dial.js';
import type { UplinkAddress } from '../../src/uplink/uplink.js';
import { needs } from '../support/needs.js';
import { startMosquitto, startSide, tempDir } from './harness.js';

const openssl = needs('openssl');
const mosquitto = needs('mosquitto');

describe.skipIf(!openssl.available || !mosquitto.available)(`TLS ${openssl.reason} ${mosquitto.reason}`, () => {
  const certificate = (dir: string, name: string, host: string): void => {
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${host}`];
    const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.crt`)];
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', [...args, ...subject, ...files], { stdio: 'ignore' });
  };
  const begin = async (host: string): Promise<{ dir: string; port: number }> => {
    const dir = tempDir();
    certificate(dir, 'server', host);
    certificate(dir, 'other', 'DNS:localhost');
    const { port } = await startMosquitto([
      `certfile ${join(dir, 'server.crt')}`,
      `keyfile ${join(dir, 'server.key')}`,
    ]);
    return { dir, port };
  };

  test('the right authority and name: TLS comes about', async () => {
    const { dir, port } = await begin('DNS:localhost');
    const side = startSide(`mqtts://localhost:${port}`, { mqtt: { caFile: join(dir, 'server.crt') } });
    await side.until('connected', (status) => status.connected);
  });
  test('another authority is named as a TLS fault', async () => {
    const { dir, port } = await begin('DNS:localhost');
    const side = startSide(`mqtts://localhost:${port}`, { mqtt: { caFile: join(dir, 'other.crt') } });
    await side.until('named', (status) => status.error?.code === 'uplink-tls');
  });
  test('another server name is named as a TLS fault', async () => {
    const { dir, port } = await begin('DNS:broker.example');
    const side = startSide(`mqtts://localhost:${port}`, { mqtt: { caFile: join(dir, 'server.crt') } });
    await side.until('named', (status) => status.error?.code === 'uplink-tls');
  });
});

const address = (url: string, mqtt: Partial<UplinkAddress['mqtt']> = {}): UplinkAddress => ({
  id: 'city',
  gw: 'gw7k2m9q4t',
  zone: 'z',
  url,
  mqtt: { version: '5', keepAliveSeconds: 60, ...mqtt },
});

test.each([
  ['mqtt://broker', { tls: false, host: 'broker', port: 1883 }],
  ['mqtts://broker', { tls: true, host: 'broker', port: 8883 }],
  ['mqtts://[::1]:9000', { tls: true, host: '::1', port: 9000 }],
])('%s', (url, expected) => {
  expect(addressOf(address(url))).toMatchObject(expected);
});
test.each(['http://broker', 'broker:1883', ''])('"%s" is a fault of the settings', (url) => {
  expect(() => addressOf(address(url))).toThrow(GatewayError);
});

test('a password file ends without its line break; a missing file is named by path only', async () => {
  const dir = tempDir();
  writeFileSync(join(dir, 'password'), 'secret\r\n');
  const files = await readFiles(address('mqtt://b', { passwordFile: join(dir, 'password') }));
  expect(files.password?.toString()).toBe('secret');
  await expect(readFiles(address('mqtt://b', { keyFile: join(dir, 'none') }))).rejects.toMatchObject({
    code: 'uplink-files',
  });
});

describe('guard against long packets', () => {
  const packet = (bytes: number): Buffer => {
    const length: number[] = [];
    for (let left = bytes; ; left = Math.floor(left / 128)) {
      length.push(left >= 128 ? (left % 128) | 0x80 : left);
      if (left < 128) break;
    }
    return Buffer.concat([Buffer.from([0x30, ...length]), Buffer.alloc(Math.min(bytes, 2_000), 0xff)]);
  };
  test('speaks up at a packet above the limit and at no other, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { maxLength: 12 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        (sizes, hostile, step) => {
          let alarms = 0;
          const guard = guardPackets(1_000, () => (alarms += 1));
          const stream = Buffer.concat([...sizes.map(packet), ...(hostile ? [packet(1_500_000).subarray(0, 5)] : [])]);
          for (let at = 0; at < stream.length; at += step) guard(stream.subarray(at, at + step));
          expect(alarms).toBe(hostile ? 1 : 0);
        },
      ),
    );
  });
});
