/**
 * `rollcall policy validate FILE…` and `rollcall policy sign FILE --key PEM`: every fault of a policy or a layer with line, key
 * and reason; its hash, layers and how its signature stands; and writing the signature into the file, comments untouched.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import { fileFault, readLocated, type FileFault } from '../core/faults.js';
import { isUsable, openPolicies, readPolicyText, signatureFaults } from '../policies.js';
import { contentOf, idOf, type ComposedPolicy } from '../rules/policy-layers.js';
import { checkSignature, policyKeys, policySigner, type PolicySigner } from '../rules/policy-signature.js';
import { EXIT, type Console } from './console.js';
import { policyPlace, tellFaults, type PolicyOptions, type PolicyPlace } from './policy-lookup.js';
import { headLines } from './policy-words.js';

/** Exit code 0 when every file is good, else 2. An unsigned layer is good and told so: it is signed when it is finished. */
export function runPolicyValidate(
  files: readonly string[],
  config: string | undefined,
  options: PolicyOptions,
  io: Console,
): number {
  const place = policyPlace(config, options, io);
  if (place === null) return EXIT.usage;
  const good = files.map((file) => validateOne(file, place, io)).every((one) => one);
  return good ? EXIT.good : EXIT.usage;
}

function validateOne(file: string, { policies, settings }: PolicyPlace, io: Console): boolean {
  const composed = policies.composeFile(file);
  const faults = [
    ...composed.faults,
    ...signatureNotes(composed, settings?.policy.keysFile),
    ...nameNotes(file, composed),
  ];
  tellFaults(faults, io);
  const errors = faults.filter((fault) => fault.severity === 'error').length;
  const { policy, layers } = composed;
  if (io.json) {
    const state = layers.at(-1)?.signature ?? null;
    const { id = null, version = null, sha256 = null } = policy ?? {};
    const facts = { id, version, sha256, layers: policy?.layers ?? [], signature: state };
    io.out(
      JSON.stringify({ kind: 'file', ok: errors === 0, file, errors, warnings: faults.length - errors, ...facts }),
    );
    return errors === 0;
  }
  if (errors > 0 || policy === null) {
    io.err(`${file}: 错误 errors: ${errors}`);
    return false;
  }
  io.out(`${file}: 正确 good`);
  for (const line of headLines(policy, layers)) io.out(`  ${line}`);
  if (layers.at(-1)?.signature.state === 'absent' && layers.at(-1)?.shipped === false)
    io.out(
      '  签名后 SHA-256 会改变；班级只能使用已签名的层。 Signing changes the SHA-256; a class can only use a signed layer.',
    );
  return true;
}

/** A signature that stands wrong is an error; one that is missing, or cannot be checked here, is a note. */
function signatureNotes(composed: ComposedPolicy, keysFile: string | null | undefined): readonly FileFault[] {
  return composed.layers
    .filter((layer) => !isUsable(layer) && layer.signature.state !== 'unchecked')
    .flatMap((layer) => {
      const severity = layer.signature.state === 'absent' ? ('warning' as const) : ('error' as const);
      return signatureFaults(layer, keysFile).map((fault) => ({ ...fault, severity }));
    });
}

function nameNotes(file: string, { policy, layers }: ComposedPolicy): readonly FileFault[] {
  const wanted = policy === null ? '' : `${policy.id}.yaml`;
  if (policy === null || layers.at(-1)?.shipped === true || basename(file) === wanted) return [];
  const words = {
    reason: `in policy.dir the file must be named ${wanted}`,
    reasonZh: `放入 policy.dir 时文件须名为 ${wanted}`,
  };
  return [fileFault('wrong-value', words, { file, line: 1, column: 1 }, 'id', { severity: 'warning' })];
}

/** Signs a sound layer. Throws `policy-key-bad`, `policy-unreadable`. */
export function runPolicySign(file: string, keyFile: string, options: PolicyOptions, io: Console): number {
  const policies = openPolicies({ site: 'baotou-2023', presetsDir: options.policiesDir });
  const { faults } = policies.composeFile(file);
  const found = readPolicyText(file, false);
  if (faults.length > 0 || 'faults' in found) {
    tellFaults(faults, io);
    io.err(`${file}: 未签名，错误 not signed, errors: ${faults.length}`);
    return EXIT.usage;
  }
  const signer = signerOf(keyFile);
  const text = readFileSync(file, 'utf8');
  const signed = withSignature(text, signer.sign(contentOf(found)));
  requireGood(file, signed, signer);
  replaceFile(file, signed);
  const { policy } = policies.composeFile(file);
  const [id, sha256] = [idOf(found), policy?.sha256 ?? ''];
  if (io.json) io.out(JSON.stringify({ ok: true, file, id, sha256, keyId: signer.keyId, jwk: signer.jwk }));
  else {
    io.out(`${file}: 已签名 signed`);
    io.out(`  ${id} · SHA-256 ${sha256}`);
    io.out(`  密钥 key ${signer.keyId}`);
    io.out(`  公钥，列入 policy.keysFile 的 "keys" 中 public key, for "keys" of policy.keysFile:`);
    io.out(`  ${JSON.stringify(signer.jwk)}`);
  }
  return EXIT.good;
}

function signerOf(file: string): PolicySigner {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    throw fail('policy-unreadable', { reason: `${file}: ${systemCode(error) ?? 'unknown'}` });
  }
  const signer = policySigner(pem);
  if (signer === null) throw fail('policy-key-bad', { file });
  return signer;
}

/** The text with its one line `signature: …` replaced, or added at the end; not a letter else is touched. */
export function withSignature(text: string, signature: string): string {
  const line = `signature: "${signature}"`;
  if (/^signature:/m.test(text)) return text.replace(/^signature:[^\r\n]*/m, line);
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  return `${text}${text.endsWith('\n') || text === '' ? '' : end}${line}${end}`;
}

/** A text may be written in ways that a line cannot be put into: what would not verify is never written. */
function requireGood(file: string, text: string, signer: PolicySigner): void {
  const { root, faults, empty } = readLocated(file, text);
  const keys = policyKeys({ keys: [signer.jwk] });
  const state =
    root === null || faults.length > 0 ? null : checkSignature(contentOf({ root, empty, shipped: false }), keys);
  if (state?.state !== 'good')
    throw fail('policy-unreadable', {
      reason: `${file}: the key "signature" cannot be put in; write the file in lines "key: value"`,
    });
}

function replaceFile(file: string, text: string): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, text, { mode: statSync(file).mode & 0o777 });
  renameSync(fresh, file);
}
