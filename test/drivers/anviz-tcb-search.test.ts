/** The search for terminals by UDP, byte for byte, and with everything else that a broadcast brings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, Writer } from '../../src/core/bytes.js';
import { COMMAND, encodeAnswer, encodeRequest } from '../../src/drivers/anviz-tcb/codec.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { anvizSearch, readSearchAnswer, searchRequest } from '../../src/drivers/anviz-tcb/search.js';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { createRig } from './rig.js';

const data = (sizeBytes: number): Uint8Array => {
  const known = new Writer('big')
    .field(Buffer.from('FACE7'), 10)
    .field(Buffer.from('TEST0001'), 16)
    .raw(Uint8Array.of(192, 168, 0, 218, 255, 255, 255, 0, 192, 168, 0, 1))
    .raw(Uint8Array.of(2, 0, 0, 0, 0, 1))
    .raw(Uint8Array.of(10, 0, 0, 5))
    .u16(5010)
    .u8(1)
    .field(Buffer.from('02.10.04'), 8)
    .bytes();
  return new Writer('big').field(known, sizeBytes).bytes();
};

describe('a search', () => {
  it('asks everybody with an empty request', () => {
    expect(hex(searchRequest())).toBe('A5 00 00 00 00 02 00 00 47 23');
    expect(anvizSearch).toMatchObject({ port: 5050, fromPort: 5060 });
    expect(hex(anvizSearch.request)).toBe(hex(searchRequest()));
  });

  it.each([63, 167])('reads an answer of %i bytes', (sizeBytes) => {
    const answer = encodeAnswer(1, COMMAND.search, 0, data(sizeBytes));
    expect(readSearchAnswer(answer)).toEqual({
      channel: 1,
      serial: 'TEST0001',
      model: 'FACE7',
      firmware: '02.10.04',
      address: '192.168.0.218',
      port: 5010,
      mode: 'client',
      server: '10.0.0.5',
    });
    expect(anvizSearch.read(answer)).toEqual({
      serial: 'TEST0001',
      model: 'FACE7',
      firmware: '02.10.04',
      address: '192.168.0.218',
    });
  });

  it.each([26, 62, 64, 101, 200])('takes model and serial number alone from %i bytes', (sizeBytes) => {
    const answer = encodeAnswer(1, COMMAND.search, 0, data(sizeBytes));
    expect(anvizSearch.read(answer)).toEqual({ serial: 'TEST0001', model: 'FACE7', firmware: null, address: null });
  });

  it('hears nothing in its own echo, other answers, refusals, short and spoilt datagrams', () => {
    const good = encodeAnswer(1, COMMAND.search, 0, data(63));
    const spoilt = Uint8Array.from(good);
    spoilt[20] = (spoilt[20] ?? 0) ^ 1;
    for (const bytes of [
      searchRequest(),
      encodeRequest(1, COMMAND.heartbeat),
      encodeAnswer(1, COMMAND.serial, 0, data(63)),
      encodeAnswer(1, COMMAND.search, 1),
      encodeAnswer(1, COMMAND.search, 0, data(63).subarray(0, 25)),
      encodeAnswer(1, COMMAND.search, 0, new Uint8Array(63)),
      good.subarray(0, 40),
      spoilt,
      Buffer.from('M-SEARCH * HTTP/1.1'),
      new Uint8Array(0),
    ])
      expect(anvizSearch.read(bytes)).toBeNull();
  });

  it('throws for no datagram at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
        const told = anvizSearch.read(framed ? encodeAnswer(1, COMMAND.search, 0, bytes) : bytes);
        expect(told === null || told.serial.length > 0).toBe(true);
      }),
    );
  });

  it('finds the simulated terminal, which answers nothing else', () => {
    for (const searchBytes of [63, 167, 80]) {
      const terminal = createRig(anvizTcb, { simulatorOptions: { searchBytes, ip: '192.0.2.77' } })
        .terminal as AnvizTerminal;
      const found = anvizSearch.read(terminal.answerSearch(anvizSearch.request) ?? new Uint8Array(0));
      expect(found).toMatchObject({ serial: 'TEST0001', model: 'FACE7' });
      expect(found?.address).toBe(searchBytes === 80 ? null : '192.0.2.77');
      expect(terminal.answerSearch(encodeRequest(0, COMMAND.serial))).toBeNull();
      expect(terminal.answerSearch(Buffer.from('who is there'))).toBeNull();
    }
  });
});
