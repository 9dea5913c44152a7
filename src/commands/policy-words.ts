/** How a policy is worded for people: its head, its layers, a value. Chinese first, then English. */
import type { Policy } from '../rules/policy.js';
import type { PolicyLayer } from '../rules/policy-layers.js';
import type { SignatureState } from '../rules/policy-signature.js';

export const SIGNATURES: Readonly<Record<SignatureState, string>> = {
  good: '签名有效 signature good',
  absent: '未签名 unsigned',
  unread: '签名无法识别 signature not readable',
  'unknown-key': '签名者不在 policy.keysFile 中 signer not in policy.keysFile',
  wrong: '签名与内容不符 signature does not fit',
  unchecked: '签名未核验（须带 --config） signature not checked (needs --config)',
};

/** `自 2023-02-23 起 from 2023-02-23`. */
export function periodWords(policy: Policy): string {
  const { effectiveFrom: from, effectiveTo: to } = policy;
  return to === null ? `自 ${from} 起 from ${from}` : `${from} 至 ${to} from ${from} to ${to}`;
}

export function headLines(policy: Policy, layers: readonly PolicyLayer[]): readonly string[] {
  const { id, version, jurisdiction } = policy;
  return [
    `${id} v${version} · ${jurisdiction.name} ${jurisdiction.code} · ${periodWords(policy)}`,
    `SHA-256 ${policy.sha256}`,
    '依据 basis:',
    ...policy.basis.map((one) => `  - ${one}`),
    ...layerLines(policy, layers),
  ];
}

/** One line a layer; none for a plain preset. */
function layerLines(policy: Policy, layers: readonly PolicyLayer[]): readonly string[] {
  const named = policy.layers ?? [];
  if (named.length === 0) return [];
  return [
    '层 layers:',
    ...named.map((layer, index) => {
      const known = layers[index];
      const key = layer.signedBy === null ? '' : ` · 密钥 key ${layer.signedBy}`;
      const state =
        known === undefined ? '' : ` · ${known.shipped ? '随程序提供 shipped' : SIGNATURES[known.signature.state]}`;
      return `  ${index + 1}. ${layer.id} v${layer.version} · ${layer.sha256.slice(0, 16)}${key}${state}`;
    }),
  ];
}

/** A value on one line: sessions as `AM 08:30-12:00 4`, lists with commas, nothing as 不设 none. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return '不设 none';
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  if (isSession(value)) return `${value.id} ${value.start}-${value.end} ${value.lessons} 课时 hours`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function sourceText(source: string | null): string {
  return source === null ? '假定 assumption' : `依据 source: ${source}`;
}

interface SessionValue {
  readonly id: string;
  readonly start: string;
  readonly end: string;
  readonly lessons: number;
}

function isSession(value: unknown): value is SessionValue {
  return typeof value === 'object' && value !== null && 'lessons' in value && 'start' in value;
}
