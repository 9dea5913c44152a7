/**
 * What a punch means to the house, wherever it comes from: whose it is, which days of credit it can change, and which time counts.
 * The daemon's terminals and `rollcall import punches` ask the same three questions, so they get them from here.
 */
import type { Classes } from './classes/classes.js';
import type { IntakeParts } from './flows/intake.js';
import { clockedPunch, effectiveTime } from './rules/effective-time.js';
import type { Policy } from './rules/policy.js';

export function punchMeaning(
  classes: Classes,
  { clock: rule }: Policy,
): Pick<IntakeParts, 'match' | 'daysTouchedBy' | 'effective'> {
  return {
    match: (terminalId, userId, at) => classes.match(terminalId, userId, at),
    daysTouchedBy: (punch) => classes.daysTouchedBy(punch),
    effective: (punch) => effectiveTime(clockedPunch(punch), rule).at,
  };
}
