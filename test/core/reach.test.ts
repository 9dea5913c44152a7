import { describe, expect, test } from 'vitest';
import { formatReach, parseReach } from '../../src/core/reach.js';

describe('reach', () => {
  test.each([
    'tcp://192.168.1.201:4370',
    'tcp://[fe80::1]:4370',
    'tcp-listen://0.0.0.0:5010',
    'udp://10.0.0.7:4370',
    'serial:///dev/ttyUSB0?baud=115200',
    'serial:///dev/serial/by-id/usb-FTDI-if00?baud=9600&parity=even&stopBits=2',
  ])('%s is read and written the same', (text) => {
    expect(formatReach(parseReach(text))).toBe(text);
  });

  test('takes the port of the driver when none is written, and 8N1 at 9600 on a serial line', () => {
    expect(parseReach('tcp://clock.local', 4370)).toEqual({ kind: 'tcp', host: 'clock.local', port: 4370 });
    expect(parseReach('tcp-listen://:5010')).toEqual({ kind: 'tcp-listen', host: '0.0.0.0', port: 5010 });
    expect(parseReach('serial:///dev/ttyS0')).toEqual({
      kind: 'serial',
      path: '/dev/ttyS0',
      baud: 9600,
      parity: 'none',
      dataBits: 8,
      stopBits: 1,
    });
  });

  test.each([
    ['192.168.1.201:4370', /begin with/],
    ['tpc://a:1', /"tpc"/],
    ['tcp://a', /port is missing/],
    ['tcp://:4370', /host is missing/],
    ['tcp://a:70000', /1 to 65535/],
    ['tcp://a:0', /1 to 65535/],
    ['serial://ttyUSB0', /absolute/],
    ['serial:///dev/ttyUSB0?bauds=9600', /"bauds".*baud/],
    ['serial:///dev/ttyUSB0?baud=9', /baud must be/],
    ['serial:///dev/ttyUSB0?parity=maybe', /parity must be one of none, even, odd/],
    ['tcp://a:1/path', /host:port/],
  ])('%s is refused with the reason', (text, reason) => {
    expect(() => parseReach(text)).toThrow(reason);
    expect(() => parseReach(text)).toThrow(expect.objectContaining({ code: 'bad-reach', kind: 'settings' }) as Error);
    // A Chinese sentence says in Chinese what is wrong.
    expect(() => parseReach(text)).toThrow(
      expect.objectContaining({
        context: expect.objectContaining({ reasonZh: expect.stringMatching(/[\u4e00-\u9fff]/) as string }) as object,
      }) as Error,
    );
  });
});
