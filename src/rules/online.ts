/**
 * The hours of a day under its caps (requirements 4.8, 4.9): by punch, by make-up, online, in that order of right.
 * Integers in hundredths of an hour. A cap raises its flag only when it takes hours away.
 */
import type { OnlineRecord } from './day-credit.js';
import type { Centihours } from './hours.js';
import type { Policy } from './policy.js';

export interface DayHours {
  readonly offline: Centihours;
  readonly byPunch: Centihours;
  readonly fromMakeup: Centihours;
  readonly online: Centihours;
  readonly total: Centihours;
  /** Online minutes that were counted, before rounding and caps. */
  readonly onlineMinutes: number;
  readonly flags: readonly ('DAY_CAP' | 'ONLINE_DAY_CAP' | 'PRACTICE_ONLINE')[];
}

export function dayHours(
  sessions: readonly { readonly centihours: Centihours; readonly byPunch: Centihours }[],
  records: readonly OnlineRecord[],
  policy: Policy,
): DayHours {
  const flags: DayHours['flags'][number][] = [];
  const cap = policy.dayCapHours * 100;
  const all = sessions.reduce((sum, one) => sum + one.centihours, 0);
  const punched = sessions.reduce((sum, one) => sum + one.byPunch, 0);
  const offline = Math.min(cap, all);
  const byPunch = Math.min(cap, punched);

  const practiceCounts = policy.online.practiceOnline;
  if (!practiceCounts && records.some(({ kind }) => kind === 'practice')) flags.push('PRACTICE_ONLINE');
  const onlineMinutes = records
    .filter(({ kind }) => kind === 'theory' || practiceCounts)
    .reduce((sum, { minutes }) => sum + minutes, 0);
  const earned = Math.floor(onlineMinutes / policy.online.lessonMinutes) * 100;
  const ofDay = Math.min(earned, policy.online.dayCapHours * 100);
  if (ofDay < earned) flags.push('ONLINE_DAY_CAP');
  const online = Math.min(ofDay, cap - offline);
  if (offline < all || online < ofDay) flags.push('DAY_CAP');
  return { offline, byPunch, fromMakeup: offline - byPunch, online, total: offline + online, onlineMinutes, flags };
}
