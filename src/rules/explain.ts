/**
 * The sentences of an explanation, Chinese first, complete English, for an official who has never seen the program.
 * A table from code to text; `test/rules/explain.test.ts` makes sure that no code is without its two sentences.
 */
import type { DayCredit, ExplanationLine } from './day-credit.js';

export type ExplainLanguage = 'zh' | 'en';

type Sentence = Readonly<Record<ExplainLanguage, string>>;

/** `{session}` and `{lesson}` come from the line itself, other words in braces from its parameters. */
export const SENTENCES: Readonly<Record<string, Sentence>> = {
  SESSION_HOURS: {
    zh: '{session} {start}–{end}：计 {hours} 课时（共 {lessons} 课时）。',
    en: '{session} {start}–{end}: {hours} of {lessons} hours count.',
  },
  SESSION_ONLINE: {
    zh: '{session}为线上课，不打卡，只按线上学习记录计课时。',
    en: '{session} is held online: no punches, hours come from online records only.',
  },
  SESSION_LATE: {
    zh: '{session}迟到 {late} 分钟，超过 {lateGrace} 分钟宽限。',
    en: '{session}: {late} minutes late, beyond the grace of {lateGrace} minutes.',
  },
  SESSION_EARLY_LEAVE: {
    zh: '{session}早退 {early} 分钟，超过 {earlyGrace} 分钟宽限。',
    en: '{session}: left {early} minutes early, beyond the grace of {earlyGrace} minutes.',
  },
  SESSION_ABSENT: {
    zh: '{session}签到、签退均无可用的打卡，记为缺勤。',
    en: '{session}: no usable punch to sign in or out, absent.',
  },
  SESSION_MISSING_IN: { zh: '{session}缺签到。', en: '{session}: the sign-in is missing.' },
  SESSION_MISSING_OUT: { zh: '{session}缺签退。', en: '{session}: the sign-out is missing.' },
  SESSION_LEAVE: {
    zh: '{session}已批准请假：不计课时，不算缺勤。',
    en: '{session}: leave was approved; no hours and no absence.',
  },
  SESSION_LEAVE_BUT_PRESENT: {
    zh: '{session}已批准请假，但人已到课，按实际打卡计。',
    en: '{session}: leave was approved, but the person came; the punches count.',
  },
  SESSION_MAKEUP: { zh: '{session}含已批准的补签。', en: '{session}: an approved make-up was used.' },
  SESSION_MAKEUP_UNNEEDED: {
    zh: '{session}的补签未使用：该次打卡已经存在。',
    en: '{session}: a make-up was not used, because the punch is there.',
  },
  SESSION_OUTAGE: {
    zh: '{session}缺打卡的时间内，终端、供电或网络曾中断。',
    en: '{session}: terminal, power or network was out while a missing punch could have been made.',
  },

  SLOT_DEVICE: { zh: '{slot}：{time}，终端 {terminal}。', en: '{slot}: {time}, terminal {terminal}.' },
  SLOT_CORRECTED: {
    zh: '{slot}：{time}（终端 {terminal} 显示 {told}，其时钟偏差 {offset} 秒，已校正）。',
    en: '{slot}: {time} (terminal {terminal} said {told}; its clock was {offset} s off and was corrected).',
  },
  SLOT_RECEIVED: {
    zh: '{slot}：{time}，按网关接收时间（终端 {terminal} 显示 {told}，其时钟不可用）。',
    en: '{slot}: {time}, the time of receipt (terminal {terminal} said {told}; its clock could not be used).',
  },
  SLOT_REVIEWED: {
    zh: '{slot}：{time}，经人工核对（终端 {terminal} 显示 {told}，其时钟不可信）。',
    en: '{slot}: {time}, as found by a review (terminal {terminal} said {told}; its clock could not be trusted).',
  },
  SLOT_MAKEUP: { zh: '{slot}：补签，按 {time} 计。', en: '{slot}: made up, counted as {time}.' },
  SLOT_EMPTY: {
    zh: '{slot}：{open}–{close} 之间没有可用的打卡。',
    en: '{slot}: no usable punch between {open} and {close}.',
  },

  LESSON_COUNTED: {
    zh: '{session}第{lesson}节 {start}–{end} 计入：{in} 签到，{out} 签退。',
    en: '{session}, lesson {lesson}, {start}–{end} counts: signed in {in}, signed out {out}.',
  },
  LESSON_LATE: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：{in} 签到，迟到超过 {lateGrace} 分钟宽限。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: signed in {in}, later than the grace of {lateGrace} minutes.',
  },
  LESSON_EARLY: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：{out} 签退，早退超过 {earlyGrace} 分钟宽限。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: signed out {out}, earlier than the grace of {earlyGrace} minutes.',
  },
  LESSON_LATE_AND_EARLY: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：{in} 签到、{out} 签退，迟到和早退均超过宽限（{lateGrace}、{earlyGrace} 分钟）。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: signed in {in} and out {out}, both beyond the grace ({lateGrace} and {earlyGrace} minutes).',
  },
  LESSON_ABSENT: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：签到、签退均无可用的打卡。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: no usable punch to sign in or out.',
  },
  LESSON_NO_IN: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：缺签到（签退 {out}），须两次打卡齐全。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: no sign-in (signed out {out}); both are needed.',
  },
  LESSON_NO_OUT: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：缺签退（签到 {in}），须两次打卡齐全。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: no sign-out (signed in {in}); both are needed.',
  },
  LESSON_LEAVE: {
    zh: '{session}第{lesson}节 {start}–{end} 不计：已批准请假。',
    en: '{session}, lesson {lesson}, {start}–{end} does not count: leave was approved.',
  },
  LESSON_BY_SESSION: {
    zh: '{session}第{lesson}节 {start}–{end} 计入：{in} 签到、{out} 签退齐全，整段计入。',
    en: '{session}, lesson {lesson}, {start}–{end} counts: signed in {in} and out {out}, the whole session counts.',
  },
  LESSON_BY_SLOTS: {
    zh: '{session}第{lesson}节 {start}–{end} 不单独计算：每次打卡计半段，本段共 {hours} 课时。',
    en: '{session}, lesson {lesson}, {start}–{end} is not judged alone: each punch earns half the session, {hours} hours in all.',
  },
  LESSON_BY_MINUTES: {
    zh: '{session}第{lesson}节 {start}–{end}：{in} 至 {out} 在场，本节计 {minutes} 分钟。',
    en: '{session}, lesson {lesson}, {start}–{end}: present from {in} to {out}, {minutes} minutes of this lesson.',
  },

  PUNCH_CLOCK_UNTRUSTED: {
    zh: '打卡 {told}（终端 {terminal}）未使用：终端时钟不可信，且为补传，须人工核对。',
    en: 'Punch {told} (terminal {terminal}) is not used: the clock cannot be trusted and the punch came late; a person must review it.',
  },
  PUNCH_NOT_ENROLLED: {
    zh: '打卡 {told}（终端 {terminal}）未使用：该日不在学员的在册期内。',
    en: 'Punch {told} (terminal {terminal}) is not used: the person was not enrolled on that date.',
  },
  PUNCH_WRONG_CLASS: {
    zh: '打卡 {told}（终端 {terminal}）未使用：该终端未分配给本班。',
    en: 'Punch {told} (terminal {terminal}) is not used: that terminal is not assigned to this class.',
  },
  PUNCH_METHOD_REJECTED: {
    zh: '打卡 {told}（终端 {terminal}）未使用：验证方式不被认可，或比对分数过低。',
    en: 'Punch {told} (terminal {terminal}) is not used: the method is not accepted, or the match score is too low.',
  },
  PUNCH_NOT_SCHEDULED: {
    zh: '打卡 {told}（终端 {terminal}）未使用：该日没有课。',
    en: 'Punch {told} (terminal {terminal}) is not used: no session on that date.',
  },
  PUNCH_OUT_OF_WINDOW: {
    zh: '打卡 {told}（终端 {terminal}）未使用：不在任何打卡窗口内。',
    en: 'Punch {told} (terminal {terminal}) is not used: it is in no punch window.',
  },
  PUNCH_DOUBLE_ENROLMENT: {
    zh: '打卡 {told}（终端 {terminal}）未使用：该学员同时在另一班，此次打卡计入先报名的班。',
    en: 'Punch {told} (terminal {terminal}) is not used: the person is in another class too, and the one enrolled in earlier takes it.',
  },
  PUNCH_DUPLICATE: {
    zh: '打卡 {told}（终端 {terminal}）未使用：与已用的打卡相隔不超过 {seconds} 秒，视为重复。',
    en: 'Punch {told} (terminal {terminal}) is not used: within {seconds} s of the one used, a repeat.',
  },
  PUNCH_EXTRA: {
    zh: '打卡 {told}（终端 {terminal}）未使用：该次签到或签退已由另一次打卡完成。',
    en: 'Punch {told} (terminal {terminal}) is not used: another punch already fills that slot.',
  },

  DAY_NOT_SCHEDULED: { zh: '该日没有安排课程。', en: 'No session is scheduled on this date.' },
  DAY_NOT_ENROLLED: {
    zh: '该日不在学员的在册期内，没有当日结果。',
    en: 'The person was not enrolled on this date; there is no day result.',
  },
  DAY_ONLINE: {
    zh: '线上学习 {minutes} 分钟，每 {lessonMinutes} 分钟一课时，计 {hours} 课时。',
    en: 'Online: {minutes} minutes at {lessonMinutes} minutes an hour; {hours} hours count.',
  },
  GATEWAY_CLOCK_UNTRUSTED: {
    zh: '注意：网关自身时钟未经校准，当日各时间须核对。',
    en: "Note: the gateway's own clock was not synchronised; the times of this day need a check.",
  },
  CONCURRENT_PRESENCE: {
    zh: '注意：{seconds} 秒之内，该学员在别班终端和本班终端都有打卡。',
    en: 'Note: within {seconds} s the person punched on a terminal of another class and on one of this class.',
  },
  DOUBLE_ENROLMENT: {
    zh: '注意：该学员同时在另一班，两班当日的打卡时间重叠。',
    en: 'Note: the person is in another class too, and windows of both contain a punch.',
  },
  PRACTICE_ONLINE: { zh: '线上实操记录不计课时。', en: 'Practice held online does not count.' },
  ONLINE_DAY_CAP: {
    zh: '线上课时超过每日 {onlineCap} 课时的上限，已截去。',
    en: 'Online hours above {onlineCap} a day were cut.',
  },
  DAY_CAP: { zh: '当日课时超过 {cap} 课时的上限，已截去。', en: 'Hours above {cap} a day were cut.' },
  DAY_TOTAL: {
    zh: '当日合计 {total} 课时：打卡 {byPunch}，补签 {fromMakeup}，线上 {online}。',
    en: 'The day counts {total} hours: {byPunch} by punches, {fromMakeup} by make-ups, {online} online.',
  },
};

const WORDS: Readonly<Record<string, Sentence>> = {
  AM: { zh: '上午', en: 'Morning' },
  PM: { zh: '下午', en: 'Afternoon' },
  AM_IN: { zh: '上午签到', en: 'Morning sign-in' },
  AM_OUT: { zh: '上午签退', en: 'Morning sign-out' },
  PM_IN: { zh: '下午签到', en: 'Afternoon sign-in' },
  PM_OUT: { zh: '下午签退', en: 'Afternoon sign-out' },
};

/** One line as a sentence. A code from a newer engine comes out as the code itself. */
export function explainLine(line: ExplanationLine, language: ExplainLanguage): string {
  const sentence = SENTENCES[line.code];
  if (!sentence) return line.code;
  const values: Readonly<Record<string, string | number>> = {
    ...line.params,
    session: line.session ?? '',
    lesson: line.lesson ?? '',
  };
  return sentence[language].replace(/\{(\w+)\}/g, (whole, key: string) => {
    const value = values[key];
    return value === undefined ? whole : (WORDS[String(value)]?.[language] ?? String(value));
  });
}

/** Every sentence of a day, in order: sessions with slots and lessons, unused punches, caps, total. */
export function explainDay(credit: DayCredit, language: ExplainLanguage): readonly string[] {
  return credit.explanation.map((line) => explainLine(line, language));
}
