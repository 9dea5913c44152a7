/**
 * Settings for display: every secret masked, drivers and reaches as words. What is masked is decided by the name of the key
 * alone, so a new secret option is masked before anyone thinks of it.
 */
import { isSecretKey } from '../core/faults.js';
import { formatReach, type Reach } from '../core/reach.js';

/** Any part of the settings for display: secrets masked, drivers and reaches as words. */
export function redact(value: unknown, key = ''): unknown {
  if (typeof value === 'function') return undefined;
  if (isSecretKey(key) && !key.endsWith('File') && value !== null && value !== undefined) return '[redacted]';
  if (value instanceof Set) return [...(value as ReadonlySet<unknown>)];
  if (Array.isArray(value)) return value.map((item: unknown) => redact(item));
  if (typeof value !== 'object' || value === null) return value;
  if (key === 'driver' && 'name' in value) return value.name;
  if (key === 'reach' && 'kind' in value) return formatReach(value as Reach);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redact(inner, name)]));
}
