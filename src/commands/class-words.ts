/** What imports, drafts and states of classes are called for people, Chinese first. No name and no document number. */
import { NEEDED, type NeededKey } from '../classes/class-judge.js';
import type { ImportOutcome } from '../classes/class-import.js';
import type { DraftOutcome } from '../classes/drafts.js';
import type { ClassState } from '../classes/lifecycle.js';
import type { ClassDiff } from '../classes/roster-diff.js';
import type { ClassDay } from '../classes/timetable.js';
import type { LocalDate } from '../core/time.js';
import type { Calendar } from '../rules/calendar.js';

export const STATES: Readonly<Record<ClassState, string>> = {
  draft: '草稿 draft',
  ready: '待启用 ready',
  active: '进行中 active',
  ended: '已结束 ended',
  sealed: '已封存 sealed',
};

const RESULT = {
  created: '已导入 / imported',
  changed: '已更新 / updated',
  same: '无变化 / nothing changed',
} as const;

const PLANNED = {
  created: '将导入 / would be imported',
  changed: '将更新 / would be updated',
  same: '无变化 / nothing would change',
} as const;

/** What an import of a class did, or would do. */
export function outcomeLines(outcome: ImportOutcome, dryRun = false): readonly string[] {
  const { diff } = outcome;
  const lines = [
    `${outcome.classNo}: ${(dryRun ? PLANNED : RESULT)[outcome.result]}`,
    `  学员 trainees ${outcome.trainees} · 上课日 class days ${outcome.classDays} · 策略 policy ${outcome.policy.id} v${outcome.policy.ver}`,
    `  花名册 roster v${outcome.rosterVersion} ${outcome.rosterHash.slice(0, 16)} · 课程表 timetable v${outcome.timetableVersion} ${outcome.timetableHash.slice(0, 16)}`,
  ];
  return diff === null || outcome.result === 'same' ? lines : [...lines, ...diffLines(diff)];
}

/** What an import of a draft did, or would do, and what is still missing. */
export function draftLines(outcome: DraftOutcome, dryRun = false): readonly string[] {
  const { classNo, result, state, version, hash, missing, diff } = outcome;
  return [
    `${classNo}: ${(dryRun ? PLANNED : RESULT)[result]} · ${STATES[state]} v${version} ${hash.slice(0, 16)}`,
    `  学员 trainees ${outcome.trainees} · 上课日 class days ${outcome.classDays}`,
    ...(diff === null || result === 'same' ? [] : diffLines(diff)),
    ...missingLines(missing),
  ];
}

/** One sentence for each thing that is missing. */
export const missingLines = (missing: readonly NeededKey[]): readonly string[] =>
  missing.map((key) => `  ? ${key}: ${NEEDED[key].zh} ${NEEDED[key].en}`);

function diffLines(diff: ClassDiff): readonly string[] {
  const lines: string[] = [];
  const list = (mark: string, words: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push(`  ${mark} ${words}: ${items.join(', ')}`);
  };
  list('~', '班级信息 class', diff.head);
  list('+', '新增学员 added', diff.roster.added);
  list('-', '移除学员 removed', diff.roster.removed);
  list(
    '~',
    '更改学员 changed',
    diff.roster.changed.map((one) => `${one.traineeNo} (${one.fields.join(', ')})`),
  );
  list('~', '教师 teachers', diff.roster.teachers ? ['*'] : []);
  list('+', '新增日期 dates added', diff.timetable.added);
  list('-', '取消日期 dates removed', diff.timetable.removed);
  list('~', '更改日期 dates changed', diff.timetable.changed);
  const { hoursBefore, hoursAfter } = diff.timetable;
  if (hoursBefore !== hoursAfter) lines.push(`  ~ 课时 hours: ${hoursBefore} -> ${hoursAfter}`);
  return lines;
}

export interface HolidayLesson {
  readonly date: LocalDate;
  readonly name: string;
}

/** Class days on public holidays (§10): worth a warning, and never removed for it. */
export const holidaysAmong = (days: readonly ClassDay[], calendar: Calendar): readonly HolidayLesson[] =>
  days.flatMap(({ date }) => {
    const name = calendar.holidayOn(date);
    return name === null ? [] : [{ date, name }];
  });

export const holidayLines = (found: readonly HolidayLesson[]): readonly string[] =>
  found.map(({ date, name }) => `注意 note ${date} ${name}: 上课日是法定节假日 / a class day on a public holiday`);
