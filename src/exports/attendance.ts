/**
 * The attendance table 学员考勤表 (requirements 9.1) as data: what stands on it, whoever draws it. XLSX and PDF are drawn from the
 * same value, so they cannot differ. Plain JSON; no key, no clock, no database.
 */
import type { LocalDate } from '../core/time.js';
import type { SlotId } from '../rules/day-credit.js';
import type { SessionId } from '../rules/grid.js';

/** `times` shows the time of each slot, `marks` only marks, `summary` no days at all. */
export type TableVariant = 'times' | 'marks' | 'summary';

/** 缺 missing, 迟 late, 退 early, 假 leave, 补 make-up, 网 online, — not scheduled. Empty: present and in time. */
export type Mark = '缺' | '迟' | '退' | '假' | '补' | '网' | '—';

export interface SlotCell {
  readonly slot: SlotId;
  /** `HH:mm`, or null where the slot is empty. */
  readonly time: string | null;
  /** In the order of the legend; a late arrival has its time and 迟. */
  readonly marks: readonly Mark[];
}

export interface PersonDay {
  readonly date: LocalDate;
  /** One cell for each slot column of that date. */
  readonly slots: readonly SlotCell[];
  /** Hours of the day, punches, make-ups and online together; null: not enrolled, or no result yet. */
  readonly hours: number | null;
  readonly onlineHours: number;
  readonly status: 'provisional' | 'final' | 'sealed' | null;
}

export interface AttendanceDay {
  readonly date: LocalDate;
  /** Columns of the date, in order; empty where it is online only. */
  readonly slots: readonly SlotId[];
  readonly sessions: readonly SessionId[];
  /** A session of the date is held online. */
  readonly online: boolean;
}

export interface AttendancePerson {
  /** 序号, from 1. */
  readonly no: number;
  readonly traineeNo: string;
  readonly name: string;
  readonly maskedDocument: string;
  readonly days: readonly PersonDay[];
  readonly hoursByPunch: number;
  readonly makeupCounted: number;
  readonly onlineCounted: number;
  readonly totalHours: number;
  readonly requiredHours: number;
  /** 出勤率: one decimal, rounded down. */
  readonly percent: number;
  readonly attendanceQualified: boolean | null;
  readonly examEligible: boolean | null;
  /** 备注: enrolment dates, caps, in both languages where words are needed. */
  readonly remarks: readonly string[];
}

/** 合计行 for one slot of one date. */
export interface SlotTotal {
  readonly date: LocalDate;
  readonly slot: SlotId;
  readonly expected: number;
  readonly present: number;
  /** One decimal, rounded down; null when nobody was expected. */
  readonly percent: number | null;
}

export interface MakeupLine {
  readonly date: LocalDate;
  readonly traineeNo: string;
  readonly name: string;
  /** Leave: session; make-up: slot; review: as told by the terminal. */
  readonly kind: 'leave' | 'makeup' | 'review';
  readonly place: string;
  readonly reasonZh: string;
  readonly text: string | null;
  readonly requestedBy: string;
  readonly approvedBy: string;
  /** Local date and time, `YYYY-MM-DD HH:mm`. */
  readonly approvedAt: string;
}

export interface FlagLine {
  /** Null: the class as a whole. */
  readonly date: LocalDate | null;
  readonly traineeNo: string | null;
  readonly name: string | null;
  /** `AM:LATE`, `CLOCK_CORRECTED`, … */
  readonly code: string;
  readonly zh: string;
  readonly en: string;
}

/** What somebody noted on a date, or on the class as a whole. */
export interface NoteLine {
  readonly date: LocalDate | null;
  readonly text: string;
  readonly by: string;
  readonly on: LocalDate;
}

export interface AttendanceTable {
  readonly institution: string;
  readonly className: string;
  /** The number by which the reader knows the class, city or region (R3), and the other one. */
  readonly classNo: string;
  readonly classNoKind: 'city' | 'regional';
  readonly otherClassNo: string | null;
  /** Name, code and level. */
  readonly occupation: string;
  readonly from: LocalDate;
  readonly to: LocalDate;
  readonly plannedHours: number;
  readonly room: string;
  readonly classTeacher: string | null;
  readonly days: readonly AttendanceDay[];
  readonly people: readonly AttendancePerson[];
  readonly slotTotals: readonly SlotTotal[];
  readonly makeups: readonly MakeupLine[];
  readonly flags: readonly FlagLine[];
  readonly notes: readonly NoteLine[];
  /** Percent of the required hours; null: the policy sets none. */
  readonly thresholds: { readonly attendancePercent: number | null; readonly examPercent: number | null };
  /** Lessons of the timetable, those with at least one trainee, and those that a frame of the room proves too; null: none are taken. */
  readonly hours: { readonly timetable: number; readonly attended: number; readonly delivered: number | null };
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  /** State of the results as a whole: `sealed` when the class is, `provisional` as soon as one day is. */
  readonly status: 'provisional' | 'final' | 'sealed';
  /** Highest journal number whose results are in the table: which version of the class this is. */
  readonly throughN: number;
  /** Who made the table, and the local date. */
  readonly madeBy: string;
  readonly madeOn: LocalDate;
  /** SHA-256 over the canonical JSON of this value without `digest` and `token`. */
  readonly digest: string;
  /** Text of the QR: a signed summary (compact JWS), or `rollcall:digest` where no key is within reach. */
  readonly token: string;
}

/** At most so many class days stand on one sheet. */
export const DAYS_PER_SHEET = 5;
