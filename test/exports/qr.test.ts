/** QR codes: read back by a decoder that shares no code with the encoder, and refused when too dense for paper. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { QR_BYTES_MAX, qrMatrix, qrPng } from '../../src/exports/qr.js';
import { needs } from '../support/needs.js';
import { readQr } from './qr-reader.js';

const dir = mkdtempSync(join(tmpdir(), 'rollcall-qr-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const TEXTS = [
  'rollcall:0123456789abcdef',
  'eyJ0eXAi'.repeat(90).slice(0, 720),
  'x'.repeat(QR_BYTES_MAX),
  '考勤 08:21',
];

test.each(TEXTS)('an independent reader finds the text again (%#)', (text) => {
  const { size, isDark } = qrMatrix(text);
  expect(readQr(size, isDark)).toEqual({ text, level: 'M' });
});

test('a changed module inside the tolerance of the code is noticed by that reader, so it does read', () => {
  const { size, isDark } = qrMatrix('rollcall:abc');
  const changed = (row: number, column: number): boolean => isDark(row, column) !== (row === 12 && column === 12);
  expect(() => readQr(size, changed)).toThrow('codeword');
});

test('one byte more than paper can carry is refused', () => {
  expect(() => qrMatrix('x'.repeat(QR_BYTES_MAX + 1))).toThrow('too long');
});

test('the picture is a PNG of every module with its quiet zone, and the same every time', async () => {
  const png = Buffer.from(await qrPng('rollcall:abc', 3));
  expect(png.subarray(1, 4).toString('latin1')).toBe('PNG');
  expect(png.readUInt32BE(16)).toBe((qrMatrix('rollcall:abc').size + 8) * 3);
  expect(Buffer.from(await qrPng('rollcall:abc', 3)).equals(png)).toBe(true);
});

const zbar = needs('zbarimg');
describe.skipIf(!zbar.available)(`zbarimg ${zbar.reason}`, () => {
  test.each(TEXTS.slice(0, 3))('a common scanner reads the picture (%#)', async (text) => {
    const file = join(dir, 'code.png');
    writeFileSync(file, await qrPng(text));
    const { stdout } = spawnSync('zbarimg', ['--raw', '-q', file], { encoding: 'utf8' });
    expect(stdout.trim()).toBe(text);
  });
});
