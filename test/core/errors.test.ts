import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { asGatewayError, ERRORS, fail, GatewayError, systemCode, type ErrorCode } from '../../src/core/errors.js';
import { createLog } from '../../src/core/log.js';

test('an error says what happened and what to do, in both languages', () => {
  const error = fail('port-in-use', { host: '127.0.0.1', port: 8080 });
  expect(error.message).toBe(
    'Port 8080 on 127.0.0.1 is in use by another program. Stop the other program or choose another port in web.listen.',
  );
  expect(error.explain('zh')).toEqual({
    what: '127.0.0.1 的端口 8080 已被其他程序占用。',
    remedy: '请停止该程序，或在 web.listen 中更换端口。',
  });
});

test('every code has four texts, and both languages use the same words of the context', () => {
  const words = (text: string): readonly string[] =>
    [...text.matchAll(/\{(\w+)\}/g)].map((match) => (match[1] ?? '').replace(/(?:Zh|En)$/, ''));
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { en, zh, remedyEn, remedyZh } = ERRORS[code];
    for (const text of [en, zh, remedyEn, remedyZh]) expect(text.trim(), code).not.toBe('');
    expect(zh + remedyZh, code).toMatch(/[\u4e00-\u9fff]/);
    expect(en + remedyEn, code).not.toMatch(/[\u4e00-\u9fff]/);
    expect(new Set(words(zh + remedyZh)), code).toEqual(new Set(words(en + remedyEn)));
  }
});

test('the Chinese sentence takes the Chinese word, and the English one where there is no other', () => {
  const refused = fail('link-refused', { reach: 'tcp://a:1', reason: 'no answer', reasonZh: '没有应答' });
  expect(refused.explain('zh').what).toBe('无法打开 tcp://a:1：没有应答。');
  expect(refused.explain('en').what).toBe('tcp://a:1 could not be opened: no answer.');
  expect(fail('link-refused', { reach: 'tcp://a:1', reason: 'EIO' }).explain('zh').what).toBe(
    '无法打开 tcp://a:1：EIO。',
  );
});

test('what we did not foresee is a bug that keeps its cause', () => {
  const cause = new TypeError('x');
  const error = asGatewayError(cause);
  expect([error.code, error.kind, error.cause]).toEqual(['unexpected', 'bug', cause]);
  expect(asGatewayError(error)).toBe(error);
  expect(asGatewayError('text')).toBeInstanceOf(GatewayError);
  expect(systemCode(Object.assign(new Error('x'), { code: 'EIO' }))).toBe('EIO');
});

test('secrets and persons are redacted from log lines, at any of the first levels', () => {
  let written = '';
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const log = createLog({ destination });
  log.info(
    { password: 's3cret', user: { name: '张三' }, deep: { er: { documentNumber: '150203' } }, terminal: 'front' },
    'hello',
  );
  expect(written).not.toMatch(/s3cret|张三|150203/);
  expect(JSON.parse(written)).toMatchObject({ level: 'info', terminal: 'front', msg: 'hello' });
});
