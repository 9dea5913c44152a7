/** `--set key=value` and `--fault name[=value]`: what a person types, checked against what the driver declares. */
import { z } from 'zod';
import { fail } from '../core/errors.js';
import { nearestWord } from '../core/faults.js';
import type { Driver } from '../drivers/driver.js';

/** A typed value: `true`, numbers and JSON lists as such, anything else as text. */
function valueOf(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text === 'null') return null;
  if (/^-?(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  if (/^[[{]/.test(text)) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}

export function parseSets(sets: readonly string[]): Record<string, unknown> {
  const found = new Map<string, unknown>();
  for (const text of sets) {
    const at = text.indexOf('=');
    if (at < 1)
      throw fail('bad-argument', { argument: `--set ${text}`, reason: 'write key=value', reasonZh: '请写成 键=值' });
    found.set(text.slice(0, at), valueOf(text.slice(at + 1)));
  }
  return Object.fromEntries(found);
}

export function parseFaults(faults: readonly string[]): Map<string, string> {
  return new Map(
    faults.map((text) => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Checks options against the driver's schema; the message names the option, never a secret's value. */
export function checkOptions<T>(schema: z.ZodType<T>, given: unknown, what: string): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue ? issue.path.join('.') : '';
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const near = unknown === undefined ? null : nearestWord(unknown, known);
  const hint =
    near === null ? (unknown === undefined ? '' : ` (known: ${known.join(', ')})`) : ` (did you mean "${near}"?)`;
  throw fail('bad-argument', {
    argument: unknown ?? (key === '' ? what : key),
    reason: `${unknown === undefined ? (issue?.message ?? 'invalid') : `${what} does not know it`}${hint}`,
    reasonZh: `${unknown === undefined ? '取值无效' : '没有这个选项'}${hint}`,
  });
}

export function findDriver(drivers: readonly Driver[], name: string): Driver {
  const driver = drivers.find((one) => one.name === name);
  if (driver) return driver;
  const names = drivers.map((one) => one.name);
  const near = nearestWord(name, names);
  const hint = near === null ? `known are ${names.join(', ')}` : `did you mean "${near}"?`;
  throw fail('bad-argument', {
    argument: `--driver ${name}`,
    reason: hint,
    reasonZh: near === null ? `已知驱动:${names.join('、')}` : `是否指 “${near}”?`,
  });
}
