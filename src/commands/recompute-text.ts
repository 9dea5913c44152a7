/** What computing anew would change, in words: hours and flags before and after, and the lines of the explanation that differ. */
import type { DayDifference, ResultBrief } from '../classes/recompute.js';
import type { ToldLine, TotalChange } from './recompute.js';

export interface ToldDifference extends Omit<DayDifference, 'lines'> {
  readonly sealed: boolean;
  readonly pending: boolean;
  readonly lines: readonly { readonly before: ToldLine | null; readonly after: ToldLine | null }[];
}

const hoursText = (brief: ResultBrief | null): string => (brief === null ? '无 none' : String(brief.hours));

export function differenceLines(day: ToldDifference): readonly string[] {
  const flags = [...day.flagsAdded.map((flag) => `+${flag}`), ...day.flagsRemoved.map((flag) => `-${flag}`)];
  const words = [
    `${day.classNo} ${day.traineeNo} ${day.date}`,
    `课时 hours ${hoursText(day.before)} -> ${hoursText(day.after)}`,
    flags.join(' '),
    day.sealed ? '（已封存，不改变 sealed, does not change）' : '',
    day.pending ? '（已在待计算之列 waits to be computed already）' : '',
  ];
  const lines = day.lines.flatMap(({ before, after }) => [
    ...(before === null ? [] : [`  - ${before.zh} ${before.en}`]),
    ...(after === null ? [] : [`  + ${after.zh} ${after.en}`]),
  ]);
  return [words.filter((word) => word !== '').join('  '), ...lines];
}

const reachedText = (reached: boolean | null): string =>
  reached === null ? '未设线 no line' : reached ? '达到 reached' : '未达到 not reached';

export function totalChangeLine(classNo: string, { traineeNo, before, after, requiredHours }: TotalChange): string {
  const side = (one: TotalChange['before']): string =>
    `${one.totalHours}/${requiredHours} = ${one.percent.toFixed(1)} % (出勤线 attendance ${reachedText(one.attendanceQualified)}, 考前线 exam ${reachedText(one.examEligible)})`;
  return `${classNo} ${traineeNo} 累计 total ${side(before)} -> ${side(after)}`;
}

export function summaryLine(found: {
  readonly days: number;
  readonly changed: number;
  readonly people: number;
  readonly written: boolean;
}): string {
  const counts = `共重算 ${found.days} 天，会变 ${found.changed} 天，涉及 ${found.people} 人。 ${found.days} days computed anew, ${found.changed} would change, of ${found.people} people.`;
  if (!found.written) return counts;
  return `${counts} 已交给守护进程，启动后生成新版本。 Handed to the daemon, which makes new versions when it starts.`;
}
