/**
 * The words of the attendance table (requirements 9.1), the same on paper and in a workbook: titles, heads, marks, legend, what
 * stands under the table. Pure texts; nothing here says that somebody has passed: both thresholds stand side by side and the
 * county judges (R40, R63).
 */
import type { LocalDate } from '../core/time.js';
import type { SlotId } from '../rules/day-credit.js';
import {
  DAYS_PER_SHEET,
  type AttendanceDay,
  type AttendancePerson,
  type AttendanceTable,
  type Mark,
  type PersonDay,
  type SlotCell,
  type TableVariant,
} from './attendance.js';

/** In the head of each day; 上到 is the arrival of the morning. */
export const SLOT_HEADS: Readonly<Record<SlotId, string>> = {
  AM_IN: '上到',
  AM_OUT: '上退',
  PM_IN: '下到',
  PM_OUT: '下退',
};

/** In sentences. */
export const SLOT_WORDS: Readonly<Record<SlotId, string>> = {
  AM_IN: '上午签到',
  AM_OUT: '上午签退',
  PM_IN: '下午签到',
  PM_OUT: '下午签退',
};

/** Between parts of a line. */
export const GAP = '\u3000';

export const SESSION_WORDS = { AM: '上午', PM: '下午' } as const;
export const REQUEST_WORDS = { leave: '请假', makeup: '补签', review: '复核' } as const;

export const MARK_WORDS: Readonly<Record<Mark, { readonly zh: string; readonly en: string }>> = {
  缺: { zh: '缺打卡', en: 'punch missing' },
  迟: { zh: '迟到', en: 'late' },
  退: { zh: '早退', en: 'left early' },
  假: { zh: '请假', en: 'on leave' },
  补: { zh: '补签', en: 'made up' },
  网: { zh: '线上', en: 'online' },
  '—': { zh: '未安排或不在册', en: 'not scheduled or not enrolled' },
};

/** Shown for a slot that was filled in time, where only marks are shown. */
export const PRESENT = '√';

const STATUS = {
  provisional: { zh: '临时', en: 'provisional' },
  final: { zh: '已定', en: 'final' },
  sealed: { zh: '已封存', en: 'sealed' },
} as const;

export const statusWords = (table: Pick<AttendanceTable, 'status'>): { readonly zh: string; readonly en: string } =>
  STATUS[table.status];

/** `昆区实训学校 学员考勤表`; a provisional one says so in the title itself. */
export function titleOf(table: AttendanceTable): string {
  const title = `${table.institution} 学员考勤表`;
  return table.status === 'provisional' ? `${title}（临时 provisional）` : title;
}

export function headParts(table: AttendanceTable): readonly string[] {
  const other = table.otherClassNo === null ? '' : `（${numberKind(table, true)} ${table.otherClassNo}）`;
  return [
    `班级名称/编号：${table.className} / ${numberKind(table, false)} ${table.classNo}${other}`,
    `职业（工种）及等级：${table.occupation}`,
    `培训起止日期：${table.from} 至 ${table.to}`,
    `总课时：${table.plannedHours}`,
    `培训地点：${table.room}`,
    `班主任：${table.classTeacher ?? '＿＿＿＿'}`,
  ];
}

function numberKind(table: AttendanceTable, isOther: boolean): string {
  return (table.classNoKind === 'city') === isOther ? '自治区编号' : '市编号';
}

/** `9月7日`. */
export function dateWords(date: LocalDate): string {
  const [, month, day] = date.split('-').map(Number);
  return `${month ?? 0}月${day ?? 0}日`;
}

/** Days of each sheet, at most `DAYS_PER_SHEET`; one sheet without days where there are none. */
export function daySheets(days: readonly AttendanceDay[]): readonly (readonly AttendanceDay[])[] {
  const sheets: (readonly AttendanceDay[])[] = [];
  for (let at = 0; at < days.length; at += DAYS_PER_SHEET) sheets.push(days.slice(at, at + DAYS_PER_SHEET));
  return sheets.length === 0 ? [[]] : sheets;
}

/** `08:21`, `08:52 迟`, `缺`; empty where nothing is known yet. */
export function slotText(cell: SlotCell | undefined, variant: TableVariant): string {
  if (cell === undefined) return '';
  const marks = cell.marks.join('');
  if (variant === 'times') return [cell.time ?? '', marks].filter((part) => part !== '').join(' ');
  return cell.time !== null && marks === '' ? PRESENT : marks;
}

/** What stands under 线上 of a day: `网 4`, `—`, or nothing. */
export function onlineText(day: PersonDay): string {
  if (day.onlineHours > 0) return `网 ${day.onlineHours}`;
  return isAway(day) ? '—' : '';
}

/** Hours of the day as text, with a star while they may still change; `—` for who was not enrolled. */
export const hoursText = (day: PersonDay): string =>
  day.hours === null ? (isAway(day) ? '—' : '') : `${day.hours}${day.status === 'provisional' ? '*' : ''}`;

/** Not enrolled: every slot of the date carries the dash. */
const isAway = (day: PersonDay): boolean =>
  day.hours === null && day.slots.length > 0 && day.slots.every(({ marks }) => marks.includes('—'));

/** Numerator and denominator: `96/120`. */
export const totalText = (person: AttendancePerson): string => `${person.totalHours}/${person.requiredHours}`;

/** One decimal where there is one: `79.1%`, `80%`. */
export const percentText = (percent: number | null): string => (percent === null ? '' : `${percent}%`);

/** `达到` and `未达到` for each threshold that is set; never more than that (R40). */
export function thresholdWords(table: AttendanceTable, person: AttendancePerson): readonly string[] {
  const { attendancePercent, examPercent } = table.thresholds;
  const line = (percent: number, answer: boolean | null): string[] =>
    answer === null ? [] : [`${percent}%线${answer ? '达到' : '未达到'}`];
  return [
    ...(attendancePercent === null ? [] : line(attendancePercent, person.attendanceQualified)),
    ...(examPercent === null ? [] : line(examPercent, person.examEligible)),
  ];
}

/** What the thresholds mean in hours, and how many reach them. */
export function thresholdLines(table: AttendanceTable): readonly string[] {
  const { attendancePercent, examPercent } = table.thresholds;
  const { plannedHours, people } = table;
  const line = (what: string, percent: number | null, answers: readonly (boolean | null)[]): string[] => {
    if (percent === null) return [];
    // Rounded up: hours have two decimals at most.
    const hours = Math.ceil(plannedHours * percent) / 100;
    return [
      `${what} ${percent}%线：累计不少于 ${hours}/${plannedHours} 课时，达到 ${answers.filter(Boolean).length}/${people.length} 人`,
    ];
  };
  return [
    ...line(
      '出勤',
      attendancePercent,
      people.map((one) => one.attendanceQualified),
    ),
    ...line(
      '结业考试',
      examPercent,
      people.map((one) => one.examEligible),
    ),
  ];
}

/** An hour that may still change carries a star, which is explained only where there can be one. */
export function legendText(variant: TableVariant, { status }: Pick<AttendanceTable, 'status'>): string {
  const marks = Object.entries(MARK_WORDS).map(([mark, { zh }]) => `${mark} ${zh}`);
  const first = variant === 'marks' ? [`${PRESENT} 按时打卡`] : [];
  const last = status === 'provisional' && variant !== 'summary' ? ['* 临时结果'] : [];
  return `图例：${[...first, ...marks, ...last].join(GAP)}`;
}

/** Stands under the thresholds wherever they are printed (R40, R63). */
export const JUDGED_WORDS =
  '各线回答不同的问题，均予列出；是否符合由旗县区确认。 The thresholds answer different questions; the county decides.';

/** Says plainly whether the QR code proves anything. */
export function signatureNote(token: string): string {
  return token.startsWith('rollcall:')
    ? '未签名：制表时签名密钥不可用，二维码只含数据摘要。 Unsigned: the signing key was not within reach, the QR code holds the digest only.'
    : '二维码为本网关签名的摘要，不联网即可核验：rollcall verify 文件 --keys 公钥文件。 The QR code is a summary signed by the gateway; it can be verified without network.';
}

/** Heads behind the days. On each of several sheets the totals are those of the whole class, and say so. */
export function endHeads(table: AttendanceTable, days: readonly AttendanceDay[]): readonly string[] {
  const whole = table.days.length > days.length ? '（全期）' : '';
  return [`累计课时${whole}`, `出勤率${whole}`, '学员签名', '备注'];
}

/** Which head count stands where (R11). */
export const COUNT_WORDS =
  '应到：当日在册人数；实到：该次打卡已有记录（含补签）的人数；出勤率：实到÷应到，累计课时÷总课时，均舍去尾数。';

/** Who signs, in the order of the form; the number of the page follows. */
export function signatureParts(table: AttendanceTable): readonly string[] {
  const blank = '＿＿＿＿＿＿';
  return [
    `制表人：${table.madeBy}`,
    `班主任（签字）：${blank}`,
    `培训机构（盖章）：${blank}`,
    `监管人员（签字）：${blank}`,
    `制表日期：${table.madeOn}`,
  ];
}

/** Policy, version of the results and digest: what a reader needs to find the same data again. */
export function originLines(table: AttendanceTable): readonly string[] {
  const { policy } = table;
  return [
    `认定政策：${policy.id} 第 ${policy.ver} 版（SHA-256 ${policy.sha256.slice(0, 16)}…）`,
    `结果状态：${statusWords(table).zh} ${statusWords(table).en}${GAP}结果版本：截至记录号 ${table.throughN}`,
    `数据摘要 SHA-256：${table.digest}`,
  ];
}

/** For the foot of every page. */
export const shortOrigin = (table: AttendanceTable): string =>
  `${table.policy.id} v${table.policy.ver} · n${table.throughN} · ${table.digest.slice(0, 16)}`;
