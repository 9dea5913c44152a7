/** A driver that only declares: enough for settings and catalog, which never open a link. */
import { z } from 'zod';
import type { Driver } from '../../src/drivers/driver.js';

const never = (): never => {
  throw new Error('the settings must not use a driver');
};

export const sampleDriver: Driver = {
  name: 'sample-tc',
  options: z.strictObject({
    channel: z.int().min(0).max(255).default(0),
    commKey: z.int().min(0).max(999_999).default(0),
    devicePassword: z.string().max(12).optional(),
    recordBytes: z.union([z.literal(14), z.literal(17)]).default(14),
    encoding: z.enum(['utf-8', 'gbk']).default('utf-8'),
  }),
  simulatorOptions: z.strictObject({}),
  faults: [],
  capabilities: new Set(['punch.poll', 'clock.read', 'clock.set'] as const),
  defaultPort: 5010,
  decoderVersion: '1',
  seqIsIdentity: false,
  reaches: new Set(['tcp', 'serial'] as const),
  open: never,
  scrub: never,
  decoder: never,
  simulate: never,
};
