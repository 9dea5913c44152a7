/**
 * `--set key=value`, `--fault name[=value]` and `--since TIME`: what a person types, checked against what the driver
 * declares. `--set commKeyFile=FILE` keeps a secret out of the arguments, which every user of the machine can read.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fail, systemCode } from '../core/errors.js';
import { isSecretKey, nearestWord } from '../core/faults.js';
import { parseWallTime, type WallTime } from '../core/time.js';
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
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    const secret = key.endsWith('File') && isSecretKey(key.slice(0, -4)) ? key.slice(0, -4) : null;
    if (secret === null) found.set(key, valueOf(value));
    else found.set(secret, readSecret(value));
  }
  return Object.fromEntries(found);
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw fail('file-unreadable', { file, reason: systemCode(error) ?? 'unknown' }, error);
  }
}

/** Names of the secrets that were typed as they are, where `ps` shows them. */
export function secretsInArguments(sets: readonly string[]): readonly string[] {
  return sets.map((text) => text.split('=', 1)[0] ?? '').filter(isSecretKey);
}

/** `YYYY-MM-DD`, with `HH:mm` or `HH:mm:ss` after a space or `T`; throws `bad-argument`. */
export function parseSince(text: string): WallTime {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?)?$/.exec(text);
  const [, date = '', time = '00:00', seconds = ':00'] = match ?? [];
  const wall = match ? parseWallTime(`${date} ${time}${seconds}`) : null;
  if (wall !== null) return wall;
  throw fail('bad-argument', {
    argument: `--since ${text}`,
    reason: 'write YYYY-MM-DD or "YYYY-MM-DD HH:mm:ss"',
    reasonZh: '请写成 YYYY-MM-DD 或 "YYYY-MM-DD HH:mm:ss"',
  });
}

/** Throws `bad-argument` with the nearest known name for a fault that the driver's simulator cannot show. */
export function checkFault(driver: Driver, name: string): void {
  if (driver.faults.includes(name)) return;
  throw fail('bad-argument', { argument: `--fault ${name}`, ...guess(name, driver.faults) });
}

/** What the person may have meant: the nearest known word, or all of them. */
export function guess(word: string, known: readonly string[]): { readonly reason: string; readonly reasonZh: string } {
  const near = nearestWord(word, known);
  return near === null
    ? { reason: `known are ${known.join(', ')}`, reasonZh: `可用的有：${known.join('、')}` }
    : { reason: `it is not known; did you mean "${near}"`, reasonZh: `没有这个名称，是否应为 “${near}”` };
}

export function parseFaults(driver: Driver, faults: readonly string[]): Map<string, string> {
  return new Map(
    faults.map((text) => {
      const at = text.indexOf('=');
      const name = at < 0 ? text : text.slice(0, at);
      checkFault(driver, name);
      return [name, at < 0 ? '' : text.slice(at + 1)];
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
  if (unknown !== undefined) throw fail('bad-argument', { argument: `--set ${unknown}`, ...guess(unknown, known) });
  const reason = issue?.message ?? 'invalid';
  throw fail('bad-argument', {
    argument: `--set ${key === '' ? what : key}`,
    reason,
    reasonZh: `取值无效(${reason})`,
  });
}

export function findDriver(drivers: readonly Driver[], name: string): Driver {
  const driver = drivers.find((one) => one.name === name);
  if (driver) return driver;
  const names = drivers.map((one) => one.name);
  throw fail('bad-argument', { argument: `--driver ${name}`, ...guess(name, names) });
}
