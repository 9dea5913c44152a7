/** A punch as `pull`, `decode` and `replay` print it: one JSON object, or one line for people. */
import { wallToInstant, type Zone } from '../core/time.js';
import type { PunchRecord } from '../drivers/driver.js';

/** The punch model as one JSON object. */
export function punchJson(punch: PunchRecord, deviceSn: string | null, zone: Zone): Record<string, unknown> {
  const instant = wallToInstant(punch.wallTime, zone);
  return { kind: 'punch', deviceSn, ...punch, instant, raw: Buffer.from(punch.raw).toString('hex') };
}

export function punchLine(punch: PunchRecord): string {
  return `${punch.wallTime}  ${punch.deviceUserId.padEnd(16)}  ${punch.verify.padEnd(8)}  ${punch.direction.padEnd(9)}  ${punch.source}`;
}
