/**
 * A class judged: what needs two values, a policy or a calendar. Whatever is there is checked, whatever is not is listed
 * (R4), so that the same rules hold for a whole class file, for a draft that grows, and for its activation.
 *
 * Knows no file and no table. No fault quotes a name or a document number.
 */
import { nearestWord, notOneOfFault } from '../core/faults.js';
import { placeOf } from '../core/located.js';
import type { ClassParts } from './class-schema.js';
import type {
  ClassDefinition,
  ClassFileContext,
  ClassPolicy,
  ClassSketch,
  Correction,
  FaultBook,
  Teacher,
  TerminalAssignment,
} from './class-file.js';
import { checkName, type Finding } from './identity.js';
import { checkRoster, createUnique } from './roster-check.js';
import { checkTimetable } from './timetable-check.js';
import { onlineLessons, plannedLessons, type ClassDay } from './timetable.js';

/** What a class needs before it can be active (R4), besides its number. */
export const NEEDED = {
  name: { zh: '缺少班级名称。', en: 'The name of the class is missing.' },
  institution: { zh: '缺少培训机构。', en: 'The training institution is missing.' },
  'occupation.code': { zh: '缺少职业（工种）代码。', en: 'The code of the occupation is missing.' },
  'occupation.name': { zh: '缺少职业（工种）名称。', en: 'The name of the occupation is missing.' },
  'occupation.level': { zh: '缺少职业（工种）等级。', en: 'The level of the occupation is missing.' },
  period: { zh: '缺少培训起止日期。', en: 'The first and last day of the class are missing.' },
  plannedHours: { zh: '缺少规定课时。', en: 'The planned hours are missing.' },
  room: { zh: '没有指定教室。', en: 'No room is assigned.' },
  terminals: { zh: '没有指定考勤机。', en: 'No terminal is assigned.' },
  timetable: { zh: '没有课程表。', en: 'There is no timetable.' },
  teachers: { zh: '没有授课教师，至少需要一名。', en: 'There is no teacher; at least one is needed.' },
  roster: { zh: '没有花名册。', en: 'There is no roster.' },
} as const satisfies Record<string, Finding>;
export type NeededKey = keyof typeof NEEDED;

export interface Judged {
  /** As far as it is known. */
  readonly sketch: ClassSketch;
  /** Null while something is missing, or a fault was found. Who activates it may still be open. */
  readonly definition: ClassDefinition | null;
  /** In the order of `NEEDED`. */
  readonly missing: readonly NeededKey[];
}

/** What a class still lacks (R4). */
export function missingOf(content: ClassParts): readonly NeededKey[] {
  const { occupation } = content;
  const given: Readonly<Record<NeededKey, unknown>> = {
    name: content.name,
    institution: content.institution,
    'occupation.code': occupation?.code,
    'occupation.name': occupation?.name,
    'occupation.level': occupation?.level,
    period: content.period,
    plannedHours: content.plannedHours,
    room: content.room,
    terminals: content.terminals,
    timetable: content.timetable,
    teachers: content.teachers,
    roster: content.roster,
  };
  return (Object.keys(NEEDED) as NeededKey[]).filter((key) => given[key] === undefined);
}

export function judgeClass(content: ClassParts, context: ClassFileContext, book: FaultBook): Judged {
  const { period, occupation } = content;
  if (period !== undefined && period.to < period.from)
    book.add(['period', 'to'], { en: 'the period ends before it begins', zh: '培训结束日期早于开始日期' });
  if (content.approval !== undefined && content.unapproved !== undefined) {
    book.add(['unapproved'], {
      en: 'give either the approval reference of the opening, or who activates the class without one (unapproved)',
      zh: '请填写开班审批文号(approval)，或无审批启用的责任人(unapproved)，二者只能有其一',
    });
  }
  const policy = context.policy(content.policy ?? null, content.cityClassNo);
  if (policy === null)
    book.push(notOneOfFault(content.policy ?? '', context.policyNames, placeOf(book.root, ['policy']), ['policy']));
  checkChange(content, book);
  const teachers = checkTeachers(content, book);
  checkClassTeacher(content, book);
  const days = checkTimetable(content, policy, book);
  if (policy !== null) checkHours(content, days, policy, book);
  const missing = missingOf(content);
  const sketch: ClassSketch = {
    classNo: content.cityClassNo,
    regionalClassNo: content.regionalClassNo ?? null,
    name: content.name ?? null,
    institution: content.institution ?? null,
    occupation: occupation === undefined ? null : wholeOccupation(occupation),
    from: period?.from ?? null,
    to: period?.to ?? null,
    plannedHours: content.plannedHours ?? null,
    approvedHeadcount: content.approvedHeadcount ?? null,
    policy: content.policy ?? null,
    approval: content.approval ?? null,
    unapproved: content.unapproved ?? null,
    room: content.room ?? null,
    temporaryVenue: content.temporaryVenue ?? null,
    terminals: checkTerminals(content, context, book),
    days,
    teachers,
    classTeacher: content.classTeacher ?? null,
    roster: checkRoster(content.roster ?? [], { today: context.today, period: period ?? {}, teachers }, book),
    corrections: checkCorrections(content, book),
    change: changeOf(content),
  };
  return { sketch, definition: missing.length === 0 ? whole(sketch) : null, missing };
}

/** The sketch of a class of which nothing is missing. */
function whole(sketch: ClassSketch): ClassDefinition | null {
  const { name, institution, occupation, from, to, plannedHours, room } = sketch;
  if (name === null || institution === null || occupation === null || from === null) return null;
  if (to === null || plannedHours === null || room === null) return null;
  return { ...sketch, name, institution, occupation, from, to, plannedHours, room };
}

const wholeOccupation = ({
  code = '',
  name = '',
  level = '',
}: NonNullable<ClassParts['occupation']>): ClassDefinition['occupation'] => ({ code, name, level });

function changeOf({ change }: ClassParts): ClassDefinition['change'] {
  return change === undefined ? null : { ...change, approvedBy: change.approvedBy ?? null };
}

function checkChange({ change }: ClassParts, book: FaultBook): void {
  if (change !== undefined && change.by === change.approvedBy)
    book.add(['change', 'approvedBy'], { en: 'another person must approve', zh: '须由另一人批准' });
}

function checkClassTeacher({ classTeacher, teachers }: ClassParts, book: FaultBook): void {
  if (classTeacher === undefined || teachers === undefined) return;
  if (!teachers.some((one) => one.teacherNo === classTeacher))
    book.add(['classTeacher'], { en: 'no such teacher on the list of the class', zh: '教师名单中没有该教师编号' });
}

/** Whether the timetable delivers what was planned, and how much of it online (R14, R17); both only worth knowing. */
export function checkHours(
  content: Pick<ClassParts, 'plannedHours'>,
  days: readonly ClassDay[],
  policy: ClassPolicy,
  book: Pick<FaultBook, 'note'>,
): void {
  const planned = plannedLessons(days);
  const wanted = content.plannedHours;
  if (wanted === undefined) return;
  if (days.length > 0 && planned !== wanted) {
    const difference = planned - wanted;
    book.note(['plannedHours'], {
      en: `the timetable adds up to ${planned} hours, ${Math.abs(difference)} ${difference < 0 ? 'fewer' : 'more'} than planned (${wanted})`,
      zh: `课程表合计 ${planned} 课时，比计划的 ${wanted} 课时${difference < 0 ? '少' : '多'} ${Math.abs(difference)} 课时`,
    });
  }
  const online = onlineLessons(days);
  const cap = policy.online.totalCapPercent;
  if (online * 100 > wanted * cap) {
    book.note(['timetable'], {
      en: `${online} hours are planned online, more than ${cap} % of ${wanted}`,
      zh: `计划线上 ${online} 课时，超过总课时 ${wanted} 的 ${cap}%`,
    });
  }
}

function checkTerminals(
  content: ClassParts,
  context: ClassFileContext,
  book: FaultBook,
): readonly TerminalAssignment[] {
  const { period } = content;
  return (content.terminals ?? []).flatMap((one, index) => {
    const path = ['terminals', index, 'terminal'];
    if (context.terminals !== null && !context.terminals.includes(one.terminal)) {
      const fault = notOneOfFault(one.terminal, context.terminals, placeOf(book.root, path), path);
      book.push({ ...fault, nearest: nearestWord(one.terminal, context.terminals) });
    }
    const [from, to] = [one.from ?? period?.from, one.to ?? period?.to];
    // Without a period there is no telling yet when the assignment begins.
    if (from === undefined || to === undefined) return [];
    if (to < from) {
      book.add(['terminals', index, 'to'], { en: 'the assignment ends before it begins', zh: '结束日期早于开始日期' });
    }
    return [{ terminal: one.terminal, from, to }];
  });
}

function checkTeachers(content: ClassParts, book: FaultBook): readonly Teacher[] {
  const unique = createUnique('teachers', book);
  return (content.teachers ?? []).map((one, row) => {
    const name = checkName(one.name);
    if (!name.ok) book.add(['teachers', row, 'name'], name.finding);
    const deviceUserId = one.deviceUserId ?? one.teacherNo;
    unique(one.teacherNo, row, 'teacherNo');
    unique(deviceUserId, row, 'deviceUserId');
    return {
      teacherNo: one.teacherNo,
      name: name.ok ? name.value : '',
      qualification: one.qualification ?? null,
      deviceUserId,
    };
  });
}

function checkCorrections(content: ClassParts, book: FaultBook): readonly Correction[] {
  const known = new Set(content.roster?.map((one) => one.traineeNo));
  const corrections = content.corrections ?? [];
  corrections.forEach((one, row) => {
    if (!known.has(one.traineeNo)) {
      book.add(['corrections', row, 'traineeNo'], { en: 'no such person on the roster', zh: '花名册中没有此人' });
    }
    if (one.requestedBy === one.approvedBy) {
      book.add(['corrections', row, 'approvedBy'], { en: 'another person must approve', zh: '须由另一人批准' });
    }
  });
  return corrections;
}
