/**
 * A class of sixty over twelve class days for the tests of what is printed: late, early and missing people, leave, make-ups, a
 * day online, a half day, people who joined late, names that break a layout and characters few fonts have. All made up, nothing
 * random: the same value every time.
 */
import { createHash } from 'node:crypto';
import type { LocalDate } from '../../src/core/time.js';
import type {
  AttendanceDay,
  AttendancePerson,
  AttendanceTable,
  FlagLine,
  MakeupLine,
  Mark,
  PersonDay,
  SlotCell,
  SlotTotal,
} from '../../src/exports/attendance.js';
import type { SlotId } from '../../src/rules/day-credit.js';
import { canonicalJson } from '../../src/rules/policy.js';

/** Names that have to be printed whole: minority names, CJK extension B and later, a name in Latin letters. */
export const HARD_NAMES: readonly string[] = [
  '阿卜杜热合曼·阿卜杜克热木',
  '古丽巴哈尔·买买提吐尔逊江',
  '李𬱖',
  '王㛃',
  '赵䶮',
  '𠮷田敬之',
  '孟和巴雅尔·乌力吉德力格尔',
  'Alexandra Konstantinopolskaya',
];

const SURNAMES = ['欧阳', '司马', '上官', '诸葛', '令狐', '夏侯', '皇甫', '尉迟', '公孙', '慕容'];
const GIVEN = ['青禾', '明远', '雨桐', '景行', '若谷', '思齐'];
const SLOTS: readonly SlotId[] = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'];
const ONLINE_DATE = '2026-03-13';
const HALF_DATE = '2026-03-17';

const date = (text: string): LocalDate => text as LocalDate;

export const DATES: readonly LocalDate[] = [
  '2026-03-02',
  '2026-03-03',
  '2026-03-04',
  '2026-03-05',
  '2026-03-06',
  '2026-03-09',
  '2026-03-10',
  '2026-03-11',
  '2026-03-12',
  ONLINE_DATE,
  '2026-03-16',
  HALF_DATE,
].map(date);

const dayOf = (on: LocalDate): AttendanceDay => {
  if (on === ONLINE_DATE) return { date: on, slots: [], sessions: [], online: true };
  if (on === HALF_DATE) return { date: on, slots: SLOTS.slice(0, 2), sessions: ['AM'], online: false };
  return { date: on, slots: SLOTS, sessions: ['AM', 'PM'], online: false };
};

const DAYS = DATES.map(dayOf);

const nameOf = (index: number): string =>
  HARD_NAMES[index] ?? `${SURNAMES[index % 10] ?? ''}${GIVEN[Math.floor(index / 10) % 6] ?? ''}`;

const clockText = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** When the slot's session begins or ends, in minutes of the day. */
const EDGE: Readonly<Record<SlotId, number>> = { AM_IN: 510, AM_OUT: 720, PM_IN: 840, PM_OUT: 1050 };

type Fate = 'present' | 'late' | 'early' | 'missing' | 'leave' | 'makeup';

/** What happened to a person in a session: mostly nothing, by a fixed pattern. */
function fate(person: number, day: number, session: number): Fate {
  const roll = (person * 31 + day * 17 + session * 7) % 41;
  if (roll === 0) return 'late';
  if (roll === 5) return 'early';
  if (roll === 11) return 'missing';
  if (roll === 19 && person % 3 === 0) return 'leave';
  if (roll === 23) return 'makeup';
  return 'present';
}

function cell(slot: SlotId, person: number, day: number, what: Fate): SlotCell {
  const isIn = slot.endsWith('_IN');
  const spread = (person * 13 + day * 5 + EDGE[slot]) % 12;
  const usual = EDGE[slot] + (isIn ? -spread : spread);
  const timed = (minute: number, ...marks: Mark[]): SlotCell => ({ slot, time: clockText(minute), marks });
  if (what === 'leave') return { slot, time: null, marks: ['假'] };
  if (what === 'missing') return { slot, time: null, marks: ['缺'] };
  if (what === 'late' && isIn) return timed(EDGE[slot] + 18 + spread, '迟');
  if (what === 'early' && !isIn) return timed(EDGE[slot] - 25 - spread, '退');
  if (what === 'makeup' && isIn) return timed(EDGE[slot], '补');
  return timed(usual);
}

const HOURS: Readonly<Record<Fate, number>> = { present: 4, late: 3, early: 3, missing: 0, leave: 0, makeup: 4 };

interface Drawn {
  readonly day: PersonDay;
  readonly fates: readonly Fate[];
}

function drawDay(day: AttendanceDay, person: number, index: number, joined: LocalDate | null): Drawn {
  if (joined !== null && day.date < joined) {
    const slots = day.slots.map((slot) => ({ slot, time: null, marks: ['—' as const] }));
    return { day: { date: day.date, slots, hours: null, onlineHours: 0, status: null }, fates: [] };
  }
  if (day.online) {
    const hours = person % 9 === 4 ? 5 : 8;
    return { day: { date: day.date, slots: [], hours, onlineHours: hours, status: 'final' }, fates: [] };
  }
  const fates = day.sessions.map((_, session) => fate(person, index, session));
  const slots = day.slots.map((slot) => cell(slot, person, index, fates[slot.startsWith('AM') ? 0 : 1] ?? 'present'));
  const hours = fates.reduce((sum, one) => sum + HOURS[one], 0);
  return { day: { date: day.date, slots, hours, onlineHours: 0, status: 'final' }, fates };
}

function personOf(index: number): { readonly person: AttendancePerson; readonly makeups: readonly MakeupLine[] } {
  const joined = index % 20 === 17 ? date('2026-03-05') : null;
  const drawn = DAYS.map((day, at) => drawDay(day, index, at, joined));
  const traineeNo = `BT26031${String(index + 1).padStart(3, '0')}`;
  const name = nameOf(index);
  const makeupHours = drawn.flatMap((one) => one.fates).filter((one) => one === 'makeup').length * 4;
  const onlineCounted = drawn.reduce((sum, one) => sum + one.day.onlineHours, 0);
  const totalHours = drawn.reduce((sum, one) => sum + (one.day.hours ?? 0), 0);
  const makeups = drawn.flatMap(({ day, fates }) =>
    fates.flatMap((one, session): MakeupLine[] => {
      if (one !== 'makeup' && one !== 'leave') return [];
      const half = session === 0 ? '上午' : '下午';
      return [
        {
          date: day.date,
          traineeNo,
          name,
          kind: one,
          place: one === 'leave' ? half : `${half}签到`,
          reasonZh: one === 'leave' ? '病假' : '终端故障',
          text: one === 'leave' ? null : '教室停电，全班改在走廊签到，有全景照片为证',
          requestedBy: '南宫老师',
          approvedBy: '东方主任',
          approvedAt: `${day.date} 18:05`,
        },
      ];
    }),
  );
  const person: AttendancePerson = {
    no: index + 1,
    traineeNo,
    name,
    maskedDocument: `1502**********${String(1001 + index).slice(-4)}`,
    days: drawn.map((one) => one.day),
    hoursByPunch: totalHours - makeupHours - onlineCounted,
    makeupCounted: makeupHours,
    onlineCounted,
    totalHours,
    requiredHours: 92,
    percent: Math.floor((totalHours * 1000) / 92) / 10,
    attendanceQualified: totalHours * 100 >= 92 * 80,
    examEligible: totalHours * 100 >= 92 * 95,
    remarks: joined === null ? [] : [`${joined} 入班 enrolled`],
  };
  return { person, makeups };
}

function totalsOf(people: readonly AttendancePerson[]): readonly SlotTotal[] {
  return DAYS.flatMap((day, at) =>
    day.slots.map((slot, column) => {
      const cells = people
        .map((person) => person.days[at]?.slots[column])
        .filter((one) => one !== undefined && !one.marks.includes('—'));
      const present = cells.filter((one) => one?.time != null).length;
      const percent = cells.length === 0 ? null : Math.floor((present * 1000) / cells.length) / 10;
      return { date: day.date, slot, expected: cells.length, present, percent };
    }),
  );
}

function flagsOf(people: readonly AttendancePerson[]): readonly FlagLine[] {
  const late = people.flatMap((person) =>
    person.days.flatMap((day): FlagLine[] =>
      day.slots
        .filter((one) => one.marks.includes('迟'))
        .map(({ slot }) => ({
          date: day.date,
          traineeNo: person.traineeNo,
          name: person.name,
          code: `${slot.slice(0, 2)}:LATE`,
          zh: '迟到',
          en: 'late',
        })),
    ),
  );
  const whole: FlagLine = {
    date: null,
    traineeNo: null,
    name: null,
    code: 'NO_APPROVAL',
    zh: '开班审批文号尚未填写',
    en: 'the approval of the class is not on file',
  };
  return [whole, ...late];
}

/** The whole table; `people` first trainees of it. The token is that of a gateway without a key within reach. */
export function attendanceFixture(count = 60): AttendanceTable {
  const drawn = Array.from({ length: count }, (_, index) => personOf(index));
  const people = drawn.map((one) => one.person);
  const table: Omit<AttendanceTable, 'digest' | 'token'> = {
    institution: '包头市昆都仑区启航职业培训学校',
    className: '2026年第三期电工（四级）补贴性培训班',
    classNo: 'BT2026-031',
    classNoKind: 'city',
    otherClassNo: 'NM-2026-000731',
    occupation: '电工 6-31-01-03 四级/中级工',
    from: date('2026-03-02'),
    to: date('2026-03-17'),
    plannedHours: 92,
    room: '实训楼 A301',
    classTeacher: '南宫老师',
    days: DAYS,
    people,
    slotTotals: totalsOf(people),
    makeups: drawn.flatMap((one) => one.makeups).sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0)),
    flags: flagsOf(people),
    notes: [
      { date: date('2026-03-09'), text: '上午停电两小时，监控画面中断', by: '南宫老师', on: date('2026-03-09') },
      { date: null, text: '全班已于开班首日完成实名核对', by: '西门教务', on: date('2026-03-02') },
    ],
    thresholds: { attendancePercent: 80, examPercent: 95 },
    hours: { timetable: 92, attended: 92, delivered: null },
    policy: { id: 'baotou-2023', ver: 1, sha256: createHash('sha256').update('policy').digest('hex') },
    status: 'final',
    throughN: 4821,
    madeBy: '西门教务',
    madeOn: date('2026-03-18'),
  };
  const digest = createHash('sha256').update(canonicalJson(table)).digest('hex');
  return { ...table, digest, token: `rollcall:${digest}` };
}
