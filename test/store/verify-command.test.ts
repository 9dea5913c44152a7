/** `rollcall verify DIR`: receipts are evidence only as far as the platform's signature on them was checked, and it says so. */
import { expect, test } from 'vitest';
import { runVerify } from '../../src/commands/verify.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPlatformKeys } from '../../src/platform/keys.js';
import { signJws, type Signer } from '../../src/uplink/envelope.js';
import { soundDir, tamper, tempDir } from './fixtures.js';

function run(
  dir: string,
  keysFile?: string,
): { readonly code: number; readonly found: unknown; readonly words: string } {
  const [out, err]: [string[], string[]] = [[], []];
  const io = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const code = runVerify(
    { paths: [dir], ...(keysFile === undefined ? {} : { keysFile }) },
    { ...io, json: true, tty: false },
  );
  return { code, found: JSON.parse(out[0] ?? '{}'), words: err.join('\n') };
}

/** The receipts of a sound directory, signed by this key. */
function signReceipts(dir: string, signer: Signer): void {
  tamper(dir, (db) => {
    const rows = db.prepare('SELECT id, jws FROM receipt').all() as { id: number; jws: string }[];
    for (const { id, jws } of rows) {
      const said = Buffer.from(jws.split('.')[1] ?? '', 'base64url');
      db.prepare('UPDATE receipt SET jws = ? WHERE id = ?').run(signJws(signer, 'att-ack+jws', said), id);
    }
  });
}

test('receipts signed by another than the platform are told with its keys, and without them it says that nobody looked', () => {
  const dir = soundDir();
  const [platform, stranger] = [loadPlatformKeys(tempDir()), loadPlatformKeys(tempDir())];
  signReceipts(dir, stranger.signers.ack);
  expect(run(dir)).toMatchObject({ code: 0, words: expect.stringContaining('were not checked') as string });
  expect(run(dir, platform.file)).toMatchObject({ code: 1, found: { ok: false, firstFault: { promise: 8, n: 1 } } });
  signReceipts(dir, platform.signers.ack);
  const good = run(dir, platform.file);
  expect(good).toMatchObject({ code: 0, found: { ok: true, anchoredUpTo: 15 } });
  expect(good.words).not.toContain('were not checked');
  signReceipts(dir, platform.signers.req);
  expect(run(dir, platform.file).code).toBe(1);
});

test('the keys that `rollcall keys` prints serve for a file of batches', () => {
  const dir = tempDir();
  const [signer, file, keysFile] = [
    loadPlatformKeys(tempDir()).signers.ack,
    join(dir, 'batches.txt'),
    join(dir, 'gateways.json'),
  ];
  writeFileSync(file, `${signJws(signer, 'att-batch+jws', '{}')}\n`);
  writeFileSync(keysFile, JSON.stringify({ gateways: [{ gw: 'gw7k2m9q4t1z', jwk: signer.publicJwk }] }));
  expect(run(file, keysFile)).toMatchObject({ code: 1, found: { signaturesChecked: true } });
});
