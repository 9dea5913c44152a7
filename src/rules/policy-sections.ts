/**
 * The sections of a policy file, key by key (requirements 5): how a day is credited, how hours are totalled, what is kept,
 * which patterns are told. Every value carries its description in Chinese and English in the schema's metadata (`zh`,
 * `description`). A table; what holds across sections is checked in policy-schema.ts.
 */
import { VERIFIES } from '../core/punch-words.js';
import { z } from 'zod';
import { bilingual } from '../core/faults.js';
import { parseLocalDate, zone, type LocalDate, type Zone } from '../core/time.js';
import { minuteOf } from './grid.js';

/** Adds the two descriptions. `description` is the name JSON Schema gives it; `zh` stands beside it. */
export function told<T extends z.ZodType>(schema: T, zh: string, en: string): T {
  return schema.meta({ description: en, zh });
}

export const whole = (least: number, most: number): z.ZodInt => z.int().min(least).max(most);
const percent = z.int().min(0).max(100);
const time = z
  .string()
  .refine((text) => minuteOf(text) !== null, bilingual('a time HH:mm is wanted', '应为 HH:mm 形式的时间'));
export const date = z
  .string()
  .refine(
    (text) => parseLocalDate(text) !== null,
    bilingual('a date YYYY-MM-DD that exists is wanted', '应为存在的日期 YYYY-MM-DD'),
  )
  .transform((text) => text as LocalDate);
export const zoneName = z
  .string()
  .refine(
    (text) => zone(text) !== null,
    bilingual('an IANA zone such as Asia/Shanghai is wanted', '应为 IANA 时区名,例如 Asia/Shanghai'),
  )
  .transform((text) => text as Zone);

const isAtMostOne = (text: string): boolean => {
  const [part = 0, of = 0] = text.split('/').map(Number);
  return part <= of;
};

const session = z.strictObject({
  id: told(z.enum(['AM', 'PM']), '时段代号:AM 上午,PM 下午', 'Session: AM morning, PM afternoon'),
  start: told(time, '上课时间', 'Start, wall time'),
  end: told(time, '下课时间', 'End, wall time'),
  lessons: told(whole(1, 24), '该时段的课时数', 'Class hours the session is worth'),
});

const inspectionsDue = z.strictObject({
  city: told(whole(0, 99), '市本级应查次数', 'Inspections due by the city'),
  county: told(whole(0, 99), '旗县区应查次数', 'Inspections due by the county'),
});

/** How a day is credited. */
export const credit = {
  lesson: told(
    z.strictObject({
      minutes: told(whole(1, 240), '一课时的分钟数', 'Minutes of one lesson'),
      breakMinutes: told(whole(0, 120), '课间休息分钟数', 'Minutes of the break between lessons'),
    }),
    '课时长度',
    'Length of a lesson',
  ),
  sessions: told(
    z.array(session).max(2),
    '标准上课时段;课程表可另行规定',
    'Standard sessions; a timetable may name others',
  ),
  dayCapHours: told(whole(0, 24), '每日最多认定的课时', 'Most hours that one day can count'),
  dayClose: told(time, '当日结果定稿时间', 'Time at which the day result becomes final'),
  windows: told(
    z.strictObject({
      openBeforeMinutes: told(
        whole(0, 720),
        '上课前多少分钟开始可签到',
        'Minutes before the start at which sign-in opens',
      ),
      closeAfterMinutes: told(
        whole(0, 720),
        '下课后多少分钟停止签退',
        'Minutes after the end at which sign-out closes',
      ),
      cut: told(
        z.literal('midpoint'),
        '签到与签退窗口的分界:时段中点',
        'Where sign-in ends and sign-out begins: midpoint of the session',
      ),
      noonSplit: told(
        z.literal('midpoint'),
        '午间窗口相接时的分界:午休中点',
        'Where windows part that meet at noon: midpoint of the pause',
      ),
    }),
    '打卡窗口',
    'Punch windows',
  ),
  punch: told(
    z.strictObject({
      acceptedMethods: told(z.array(z.enum(VERIFIES)).min(1), '认可的验证方式', 'Accepted ways of verification'),
      minScore: told(
        z.number().nullable().default(null),
        '最低比对分数;空:信任终端',
        'Lowest match score; null: trust the terminal',
      ),
      precision: told(
        z.enum(['minute', 'second']),
        '比较精度:minute 舍去秒;second 课时比较保留秒',
        'minute cuts seconds off; second keeps them for lessons',
      ),
      dedupeSeconds: told(
        whole(0, 3600),
        '多少秒内的重复打卡视为同一次',
        'Repeats within so many seconds are duplicates',
      ),
      direction: told(
        z.enum(['ignore', 'require']),
        '终端上报的进出方向:忽略或必须相符',
        'Direction told by the terminal: ignored, or it must fit',
      ),
    }),
    '打卡',
    'Punches',
  ),
  grace: told(
    z.strictObject({
      lateMinutes: told(whole(0, 240), '迟到宽限分钟数', 'Minutes of grace for coming late'),
      earlyMinutes: told(whole(0, 240), '早退宽限分钟数', 'Minutes of grace for leaving early'),
    }),
    '宽限',
    'Grace',
  ),
  credit: told(
    z.strictObject({
      mode: told(
        z.enum(['lessons', 'session', 'slot', 'proportional']),
        '计算方式:lessons 逐节;session 整段;slot 按打卡次数;proportional 按分钟',
        'How hours are counted: by lesson, by session, by slot, or by minutes',
      ),
      roundingStep: told(
        z.union([z.literal(1), z.literal(0.5), z.literal(0.25), z.literal(0.1)]),
        '向下取整的步长(课时),用于 slot 和 proportional',
        'Hours are rounded down to this step (modes slot and proportional)',
      ),
    }),
    '课时认定',
    'Credit',
  ),
  clock: told(
    z
      .strictObject({
        okSeconds: told(
          whole(0, 3600),
          '终端时钟误差在此秒数内按终端时间',
          'Terminal clock errors up to this are ignored',
        ),
        correctMaxSeconds: told(whole(0, 86400), '误差在此秒数内予以校正', 'Errors up to this are corrected'),
        staleAfterHours: told(
          whole(1, 8760),
          '误差测量多少小时后失效',
          'Hours after which a measured error is too old',
        ),
      })
      .refine((value) => value.okSeconds <= value.correctMaxSeconds, {
        path: ['correctMaxSeconds'],
        message: bilingual('not below okSeconds', '不得小于 okSeconds'),
      }),
    '终端时钟',
    'Terminal clocks',
  ),
  concurrent: told(
    z.strictObject({
      withinSeconds: told(
        whole(0, 86400),
        '多少秒内在别班终端也打卡即提示',
        'Punches on two classes within so many seconds are flagged',
      ),
    }),
    '同时出现在两处',
    'Presence in two places',
  ),
  leave: told(
    z.strictObject({
      creditHours: told(z.literal(0), '请假计入的课时', 'Hours that leave earns'),
      staysInDenominator: told(z.literal(true), '请假仍计入规定课时', 'Leave does not lower the required hours'),
    }),
    '请假',
    'Leave',
  ),
};

/** How the hours of a class are totalled and judged. */
export const totals = {
  makeup: told(
    z.strictObject({
      allowed: told(z.boolean(), '是否允许补签', 'Whether make-ups are allowed'),
      requireSecondPerson: told(z.boolean(), '补签须由另一人审批', 'A second person must approve'),
      requireEvidence: told(z.boolean(), '补签须附证据', 'Evidence is required'),
      deadlineDays: told(whole(0, 365), '可在多少天内申请补签', 'Days within which a make-up may be requested'),
      maxPercentOfRequired: told(
        percent,
        '补签课时占规定课时的上限(%)',
        'Most make-up hours, percent of the required hours',
      ),
    }),
    '补签',
    'Make-ups',
  ),
  online: told(
    z.strictObject({
      lessonMinutes: told(whole(1, 240), '线上一课时的分钟数', 'Minutes of one online lesson'),
      dayCapHours: told(whole(0, 24), '每日线上课时上限', 'Most online hours of one day'),
      totalCapPercent: told(percent, '线上课时占规定课时的上限(%)', 'Most online hours, percent of the required hours'),
      practiceOnline: told(z.boolean(), '实操课可否线上进行', 'Whether practice may be held online'),
      overCap: told(
        z.enum(['cap', 'flag']),
        '超出总上限:cap 截去;flag 只标记',
        'Above the total cap: cut, or only flag',
      ),
    }),
    '线上课时',
    'Online hours',
  ),
  thresholds: told(
    z.strictObject({
      attendancePercent: told(
        percent.nullable().default(null),
        '出勤合格线(%);空:不设',
        'Attendance threshold in percent; null: none',
      ),
      examPercent: told(
        percent.nullable().default(null),
        '结业考试资格线(%);空:不设',
        'Threshold for the final examination; null: none',
      ),
      theoryPercent: told(
        percent.nullable().default(null),
        '理论课时线(%);空:不设',
        'Threshold over theory lessons; null: none',
      ),
      practicePercent: told(
        percent.nullable().default(null),
        '实操课时线(%);空:不设',
        'Threshold over practice lessons; null: none',
      ),
    }),
    '合格线',
    'Thresholds',
  ),
  spotCheck: told(
    z.strictObject({
      passPercent: told(percent, '抽查到课率合格线(%)', 'Share that must be present at a spot check'),
      phoneShare: told(
        z
          .string()
          .regex(/^[1-9]\d?\/[1-9]\d?$/, bilingual('a fraction such as 1/3 is wanted', '应为分数,例如 1/3'))
          .refine(isAtMostOne, bilingual('no more than 1/1', '不得大于 1/1')),
        '电话抽查比例',
        'Share of trainees to be phoned',
      ),
      panoramas: told(whole(0, 99), '每次抽查的全景截图数', 'Panoramas for each check'),
      excludeLeave: told(z.boolean(), '请假人员不计入应到', 'People on leave are not expected'),
    }),
    '抽查',
    'Spot checks',
  ),
  inspections: told(
    z.strictObject({
      hoursLimit: told(whole(1, 10000), '课时分界', 'Planned hours that part small from large classes'),
      upToLimit: told(inspectionsDue, '不超过分界的班级', 'Classes up to the limit'),
      above: told(inspectionsDue, '超过分界的班级', 'Classes above the limit'),
    }),
    '监督检查次数',
    'Inspections due',
  ),
  feedbackWorkingDays: told(whole(0, 99), '结业后几个工作日内反馈', 'Working days for the feedback after the class'),
};

/** What is kept, and what tells a person apart. */
export const keeping = {
  evidence: told(
    z.strictObject({
      sessionFrames: told(
        z.strictObject({
          afterStartMinutes: told(whole(0, 720), '上课后多少分钟取帧', 'Frame so many minutes after the start'),
          beforeEndMinutes: told(whole(0, 720), '下课前多少分钟取帧', 'Frame so many minutes before the end'),
          randomPerLesson: told(whole(0, 60), '每课时随机取帧数', 'Random frames for each lesson'),
        }),
        '定时取帧',
        'Frames on schedule',
      ),
      punchPhotos: told(
        z.enum(['none', 'keepLocal', 'onRequest', 'upload']),
        '打卡照片:none 不留;keepLocal 留在本机;onRequest 按请求上传;upload 上传',
        'Punch photos: none, kept here, sent on request, sent',
      ),
    }),
    '影像证据',
    'Pictures as evidence',
  ),
  retention: told(
    z.strictObject({
      recordsYears: told(whole(5, 100), '记录保存年数', 'Years that records are kept'),
      framesYears: told(whole(5, 100), '影像保存年数', 'Years that frames are kept'),
      punchPhotoDaysAfterSeal: told(
        whole(0, 36500),
        '封存后打卡照片保存天数',
        'Days that punch photos are kept after sealing',
      ),
    }),
    '留存期限',
    'Retention',
  ),
  identity: told(
    z.strictObject({
      upstream: told(z.literal('traineeNo'), '上报使用的人员标识', 'What identifies a person upstream'),
      mask: told(
        z.string().regex(/^\d{1,2}\+\d{1,2}$/, bilingual('a mask such as 6+4 is wanted', '应为掩码,例如 6+4')),
        '证件号显示前后位数',
        'Digits shown at the head and tail of a document number',
      ),
    }),
    '身份标识',
    'Identity',
  ),
};
