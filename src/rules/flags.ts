/**
 * Every flag code (requirements 4.14, R36) with its kind and its words, Chinese first and complete English: what exports and pages
 * print beside a code. A table; `test/rules/flags.test.ts` makes sure that no code is without words.
 *
 * A session's flag is written `AM:LATE`; a code from a newer engine comes out as the code itself, never as nothing.
 */
import type { PatternCode } from './patterns.js';

/** Whom a flag is about. `pattern` flags stand beside the results, `punch` codes only on a punch. */
export type FlagKind = 'day' | 'session' | 'person' | 'class' | 'pattern' | 'punch';

export interface FlagWords {
  readonly zh: string;
  readonly en: string;
}

const DAY = {
  CLOCK_CORRECTED: { zh: '终端时钟有偏差，时间已校正', en: 'the terminal clock was off and the time was corrected' },
  CLOCK_UNTRUSTED: {
    zh: '打卡时间不可信，须人工核对',
    en: 'a punch has no time that can be trusted; a person must review it',
  },
  GATEWAY_CLOCK_UNTRUSTED: { zh: '网关时钟未经校准', en: 'the clock of the gateway was not synchronised' },
  METHOD_REJECTED: {
    zh: '打卡的验证方式不被认可或分数过低',
    en: 'a punch by a method that is not accepted, or with too low a score',
  },
  ALTERNATIVE_METHOD: { zh: '经批准使用其他验证方式', en: 'another method of verification, granted by a supervisor' },
  NOT_SCHEDULED: { zh: '该日无课而有打卡', en: 'a punch on a date without a session' },
  OUT_OF_WINDOW: { zh: '打卡不在任何时段窗口内', en: 'a punch outside every window' },
  WRONG_CLASS: { zh: '在未分配给本班的终端打卡', en: 'a punch on a terminal that is not assigned to this class' },
  NOT_ENROLLED: { zh: '不在册而有打卡', en: 'a punch of a person who was not enrolled on that date' },
  CONCURRENT_PRESENCE: {
    zh: '短时间内在别班和本班终端均有打卡',
    en: 'punches on terminals of this and another class within a short time',
  },
  DOUBLE_ENROLMENT: { zh: '同时在另一班在册', en: 'enrolled in another class at the same time' },
  BACKFILLED: { zh: '使用了补传的打卡', en: 'a punch that arrived later was used' },
  DAY_CAP: { zh: '超过每日课时上限，已截去', en: 'hours above the cap of the day were cut' },
  ONLINE_DAY_CAP: { zh: '超过每日线上课时上限，已截去', en: 'online hours above the cap of the day were cut' },
  PRACTICE_ONLINE: { zh: '线上实操不计课时', en: 'practice held online does not count' },
  AFTER_SEAL: { zh: '封存后收到的数据，不改变结果', en: 'data that came after sealing; the result did not change' },
} as const satisfies Record<string, FlagWords>;

const SESSION = {
  ABSENT: { zh: '缺勤', en: 'absent' },
  MISSING_IN: { zh: '缺签到', en: 'the sign-in is missing' },
  MISSING_OUT: { zh: '缺签退', en: 'the sign-out is missing' },
  LATE: { zh: '迟到', en: 'late' },
  EARLY_LEAVE: { zh: '早退', en: 'left early' },
  LEAVE: { zh: '已批准请假', en: 'on approved leave' },
  LEAVE_BUT_PRESENT: { zh: '已批准请假但到课', en: 'on approved leave, but present' },
  MAKEUP: { zh: '含补签', en: 'made up' },
  MAKEUP_UNNEEDED: { zh: '补签未使用（已有打卡）', en: 'a make-up was not needed' },
  OUTAGE: { zh: '缺打卡时段内终端、供电或网络中断', en: 'terminal, power or network was out while a punch is missing' },
} as const satisfies Record<string, FlagWords>;

const PERSON = {
  MAKEUP_CAP: { zh: '补签课时超过上限，超出部分不计', en: 'make-up hours above the cap of the class do not count' },
  ONLINE_TOTAL_CAP: { zh: '线上课时超过总上限', en: 'online hours are above the cap of the class' },
  REPEAT_OCCUPATION: { zh: '曾参加同一职业（工种）的培训', en: 'was in a class of the same occupation before' },
  NO_CONSENT: { zh: '没有个人信息处理同意记录', en: 'no record of consent' },
} as const satisfies Record<string, FlagWords>;

const CLASS = {
  UNAPPROVED_CLASS: { zh: '未附开班审批而启用', en: 'activated without approval of its opening' },
  TIMETABLE_CHANGED: { zh: '开班后课程表有变更', en: 'the timetable was changed after activation' },
  HOURS_REDUCED: { zh: '总课时减少', en: 'the total of hours was reduced' },
  TEACHER_MISSING: { zh: '授课教师无打卡', en: 'the planned teacher did not punch' },
  TEACHER_CHANGED: { zh: '由其他教师授课', en: 'another teacher punched instead of the planned one' },
  TEMPORARY_VENUE: { zh: '临时教学场地', en: 'temporary venue' },
  DEVICE_REBOUND: {
    zh: '终端或摄像机更换、移动或改接',
    en: 'a terminal or camera changed its number, network or room',
  },
  CAMERA_BLOCKED: { zh: '摄像机被遮挡或黑屏', en: 'the camera is covered or black' },
  CAMERA_FROZEN: { zh: '摄像机画面静止', en: 'the picture of the camera is frozen' },
  CAMERA_MOVED: { zh: '摄像机被移动', en: 'the camera was moved' },
  NO_PANORAMA: { zh: '检查缺教室全景截图', en: 'an inspection without a panorama' },
  PANORAMA_INCOMPLETE: { zh: '全景截图人数少于到课人数', en: 'a panorama that shows fewer people than are present' },
} as const satisfies Record<string, FlagWords>;

const PATTERN: Readonly<Record<PatternCode, FlagWords>> = {
  CROWD_AT_ONCE: {
    zh: '多名学员几乎同时在一台终端打卡',
    en: 'many trainees at almost the same moment on one terminal',
  },
  TWO_PLACES: { zh: '同一学员短时间内出现在两个教室', en: 'one person in two rooms within a short time' },
  ALL_BACKFILLED: { zh: '当日打卡全部为补传', en: 'all punches of the day arrived later' },
  MAKEUP_BURST: { zh: '同一日期补签集中', en: 'a burst of make-ups on one date' },
  SAME_PHOTO: { zh: '不同人员或日期的打卡照片相同', en: 'the same photo for different people or days' },
};

const PUNCH = {
  DUPLICATE: { zh: '重复打卡', en: 'a repeat of the punch that was used' },
  EXTRA: { zh: '多余打卡', en: 'another punch already fills the slot' },
} as const satisfies Record<string, FlagWords>;

const TABLES: readonly (readonly [FlagKind, Readonly<Record<string, FlagWords>>])[] = [
  ['day', DAY],
  ['session', SESSION],
  ['person', PERSON],
  ['class', CLASS],
  ['pattern', PATTERN],
  ['punch', PUNCH],
];

const KNOWN = new Map(
  TABLES.flatMap(([kind, table]) => Object.entries(table).map(([code, words]) => [code, { kind, ...words }] as const)),
);

const SESSIONS: Readonly<Record<string, FlagWords>> = {
  AM: { zh: '上午', en: 'morning' },
  PM: { zh: '下午', en: 'afternoon' },
};

/** Every code that has words, with its kind; session codes without prefix. */
export const FLAG_CODES: readonly { readonly code: string; readonly kind: FlagKind }[] = [...KNOWN].map(
  ([code, { kind }]) => ({ code, kind }),
);

/** `AM:LATE` apart: session and code; a code without prefix has session null. */
export function splitFlag(flag: string): { readonly session: string | null; readonly code: string } {
  const at = flag.indexOf(':');
  return at < 0 ? { session: null, code: flag } : { session: flag.slice(0, at), code: flag.slice(at + 1) };
}

/** null: a code this program does not know. */
export function flagKind(flag: string): FlagKind | null {
  return KNOWN.get(splitFlag(flag).code)?.kind ?? null;
}

/** Words for a code, with or without the prefix of a session: `AM:LATE` is 上午迟到, "morning: late". */
export function flagWords(flag: string): FlagWords {
  const { session, code } = splitFlag(flag);
  const words = KNOWN.get(code);
  if (!words) return { zh: flag, en: flag };
  if (session === null) return { zh: words.zh, en: words.en };
  const where = SESSIONS[session] ?? { zh: `${session} `, en: session };
  return { zh: `${where.zh}${words.zh}`, en: `${where.en}: ${words.en}` };
}
