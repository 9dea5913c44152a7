/** Captures without their persons: the same frames and punches, other ids, no name, card, password or template left. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import {
  authRequest,
  COMMAND,
  deleteUserRequest,
  encodeAnswer,
  encodePage,
  encodeRecord,
  encodeRequest,
} from '../../src/drivers/anviz-tcb/codec.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { encodeUser, encodeUsers } from '../../src/drivers/anviz-tcb/users.js';
import type { Decoded, Masks } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { GatewayError } from '../../src/core/errors.js';
import { createRig, history, loadCaptures, readPages } from './rig.js';

const options = anvizTcb.options.parse({});
/** Another number of the same length: each digit moved on by five, the first one never to zero. */
const masks: Masks = {
  id: (told) =>
    told.replace(/\d/g, (digit, at: number) => String(at === 0 && digit === '5' ? 4 : (Number(digit) + 5) % 10)),
  filler: (length) => Buffer.alloc(length, 'x'),
};
const decode = (bytes: Uint8Array, from: 'device' | 'gateway' = 'device'): readonly Decoded[] => {
  const decoder = anvizTcb.decoder(options, from);
  return [...decoder.push(bytes), ...decoder.end()];
};
const punches = (bytes: Uint8Array): string[] =>
  decode(bytes).flatMap((one) => (one.kind === 'punch' ? [`${one.punch.deviceUserId} ${one.punch.wallTime}`] : []));
const names = (bytes: Uint8Array): string[] =>
  decode(bytes).flatMap((one) => (one.kind === 'message' ? [one.name] : one.kind === 'noise' ? ['noise'] : []));
const scrub = (bytes: Uint8Array): Uint8Array => anvizTcb.scrub(options, 'device', bytes, masks);
const idHex = (id: string): string => hex(deleteUserRequest(id).subarray(0, 5));

describe('scrubbing', () => {
  it.each(loadCaptures(join(import.meta.dirname, '../captures/anviz-tcb')))('keeps $name in frame', ({ bytes }) => {
    const clean = scrub(bytes);
    expect(clean.length).toBe(bytes.length);
    expect(names(clean)).toEqual(names(bytes));
    expect(punches(clean)).toEqual(punches(bytes).map((one) => one.replace(/^\d+/, (id) => masks.id(id))));
    for (const id of ['20250017', '20250018']) expect(hex(clean)).not.toContain(idHex(id));
  });

  it('leaves no original byte of a person in a whole session of every layout', async () => {
    for (const userLayout of [27, 30, 40] as const) {
      const rig = createRig(anvizTcb, {
        users: [
          { id: '20250017', name: '张三丰' },
          { id: '123456789012', name: 'Annabell' },
        ],
        records: history(60, [
          { id: '20250017', name: '' },
          { id: '123456789012', name: '' },
        ]),
        options: { authPassword: 'geheim77' },
        simulatorOptions: { authPassword: 'geheim77', userLayout },
      });
      const told: Buffer[] = [];
      const asked = await rig.run(async () => {
        const connection = await rig.connect();
        connection.link.on('data', (chunk: Buffer) => told.push(chunk));
        await connection.session.identify();
        await readPages(connection, null, { follow: false });
        await connection.session.users?.put({ id: '20250017', name: '张君宝' });
        await connection.session.users?.remove('123456789012');
        await connection.close();
        return Buffer.concat(connection.sent);
      });
      for (const bytes of [Buffer.concat(told), asked]) {
        const clean = scrub(bytes);
        expect(clean.length).toBe(bytes.length);
        expect(names(clean)).toEqual(names(bytes));
        expect(punches(clean).length).toBe(punches(bytes).length);
        expect(names(clean)).not.toContain('noise');
        for (const secret of [idHex('20250017'), idHex('123456789012')]) {
          expect(hex(clean)).not.toContain(secret);
        }
        for (const text of ['geheim77', 'Annabell'])
          for (const coded of [Buffer.from(text), Buffer.from(text, 'utf16le').swap16()])
            expect(hex(clean)).not.toContain(hex(coded));
        expect(hex(clean)).not.toContain('D5 C5');
        expect(hex(clean)).not.toContain('5F 20');
      }
    }
  });

  it('fills passwords, cards, templates and what it does not know; keeps what is nobody’s', () => {
    const clean = (bytes: Uint8Array): string => hex(scrub(bytes));
    const user = encodeUser({ id: '42', name: '李四', password: 1_234_567, card: 7_654_321 }, 30);
    const scrubbed = scrub(encodeRequest(1, COMMAND.setUsers, encodeUsers([user])));
    expect(hex(scrubbed.subarray(9, 31))).toBe(`00 00 00 00 61${' 78'.repeat(17)}`);
    expect(hex(scrubbed.subarray(31))).toMatch(/^FF 01 06 00 01 78 00 40 /);
    expect(clean(encodeRequest(1, COMMAND.auth, authRequest('admin', '12345')))).not.toContain('31 32 33');
    // A template going down and up, a record going up, and a command of which nothing is known.
    const template = new Uint8Array(338).fill(0x33);
    for (const bytes of [
      encodeAnswer(1, 0x44, 0, template),
      encodeAnswer(1, 0x41, 0, template),
      encodeAnswer(1, 0x6e, 0, template),
    ])
      expect(clean(bytes)).not.toContain('33 33 33');
    const config = Buffer.concat([Buffer.from('02.10.04'), Uint8Array.of(0x51, 0x52, 0x53, 1, 2, 3, 4, 5, 6, 7)]);
    expect(clean(encodeAnswer(1, COMMAND.config1, 0, config))).toContain(`${hex(Buffer.from('02.10.04'))} 78 78 78 01`);
    const clock = encodeAnswer(1, COMMAND.clock, 0, Uint8Array.of(25, 9, 1, 8, 5, 30));
    expect(clean(clock)).toBe(hex(clock));
  });

  it('zeroes a broken frame, and keeps the sound ones around it', () => {
    const record = encodeRecord({ userId: '20250017', seconds: 1, backup: 1, state: 0, workCode: 0 });
    const good = encodeAnswer(1, COMMAND.records, 0, encodePage([record]));
    const broken = Uint8Array.from(good);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 0xff;
    const clean = scrub(Buffer.concat([good, broken, good, good.subarray(0, 15)]));
    expect(hex(clean.subarray(good.length, 2 * good.length))).toBe('00 '.repeat(good.length).trim());
    expect(punches(clean)).toHaveLength(2);
    expect(hex(clean)).not.toContain(idHex('20250017'));
    expect(hex(clean.subarray(-15))).toBe('00 '.repeat(15).trim());
  });

  it('keeps an id of thirteen digits within five bytes', () => {
    const record = encodeRecord({ userId: '1099511627775', seconds: 1, backup: 1, state: 0, workCode: 0 });
    const clean = scrub(encodeAnswer(1, COMMAND.realTime, 0, record));
    expect(punches(clean)[0]).toMatch(/^\d{13} /);
    expect(punches(clean)[0]).not.toContain('1099511627775');
  });

  it('throws nothing but a GatewayError, and never changes a length, whatever is spoilt', () => {
    const random = seededRandom(20260911);
    const samples = [
      ...loadCaptures(join(import.meta.dirname, '../captures/anviz-tcb')).map((sample) => sample.bytes),
      encodeAnswer(1, COMMAND.users, 0, encodeUsers([encodeUser({ id: '42', name: '李四' }, 40)])),
      encodeAnswer(1, COMMAND.users, 0, new Uint8Array(32)),
    ];
    for (let round = 0; round < 10_000; round += 1) {
      const bytes = Uint8Array.from(samples[round % samples.length] ?? []);
      for (let count = 0; count < 3; count += 1)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      try {
        expect(scrub(bytes).length).toBe(bytes.length);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
    }
  });
});
