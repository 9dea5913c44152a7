/**
 * A class file (YAML, one class) to a checked class definition, or to every fault of the file at once with line, key,
 * reason and nearest word (R4, R10, R14). What is only worth knowing comes as a note with severity `warning`.
 *
 * Names and document numbers never appear in a fault: it names the row and the field. Policies and the terminals that the
 * settings know are parameters, because this file judges and looks nothing up.
 */
import type { Verify } from '../core/punch-words.js';
import { fail } from '../core/errors.js';
import { dotted, fileFault, nearestWord, notOneOfFault, schemaFaults, type FileFault } from '../core/faults.js';
import { nodeAt, parseLocated, placeOf, toPlain, type Located, type Path } from '../core/located.js';
import { keysAt, writtenSchema } from '../core/schema-words.js';
import type { LocalDate } from '../core/time.js';
import type { GridRules, Session } from '../rules/grid.js';
import { CLASS_SCHEMA, type ClassFileContent } from './class-schema.js';
import { checkDocumentNumber, checkName, type DocumentType, type Finding } from './identity.js';
import { checkTimetable } from './timetable-check.js';
import { onlineLessons, plannedLessons, type ClassDay } from './timetable.js';

/** What an import needs to know of a policy. */
export interface ClassPolicy extends GridRules {
  readonly sessions: readonly Session[];
  readonly online: { readonly practiceOnline: boolean; readonly totalCapPercent: number };
}

export interface RosterEntry {
  readonly traineeNo: string;
  /** Normalised: what is compared. */
  readonly name: string;
  /** As written in the file. */
  readonly nameWritten: string;
  readonly documentType: DocumentType;
  readonly documentNumber: string;
  readonly deviceUserId: string;
  /** Null: from the first day of the class. */
  readonly enrolledFrom: LocalDate | null;
  /** Null: to the last day of the class. Included. */
  readonly enrolledTo: LocalDate | null;
  readonly alternativeMethods: readonly Verify[];
}

export interface Teacher {
  readonly teacherNo: string;
  readonly name: string;
  readonly qualification: string | null;
  readonly deviceUserId: string;
}

export interface TerminalAssignment {
  readonly terminal: string;
  readonly from: LocalDate;
  /** Included. */
  readonly to: LocalDate;
}

export interface Correction {
  readonly traineeNo: string;
  readonly reason: string;
  readonly requestedBy: string;
  readonly approvedBy: string;
}

export interface ClassDefinition {
  readonly classNo: string;
  readonly regionalClassNo: string | null;
  readonly name: string;
  readonly institution: string;
  readonly occupation: { readonly code: string; readonly name: string; readonly level: string };
  readonly from: LocalDate;
  readonly to: LocalDate;
  readonly plannedHours: number;
  /** Name of the policy the file asks for; null: that of the site. */
  readonly policy: string | null;
  readonly approval: string | null;
  readonly unapproved: { readonly by: string; readonly reason: string } | null;
  readonly room: string;
  readonly terminals: readonly TerminalAssignment[];
  readonly days: readonly ClassDay[];
  readonly teachers: readonly Teacher[];
  readonly roster: readonly RosterEntry[];
  readonly corrections: readonly Correction[];
}

export interface ClassFileContext {
  readonly today: LocalDate;
  /** The policy that a class of this number would have, by name (null: the site's); null when there is none of that name. */
  readonly policy: (name: string | null, classNo: string) => ClassPolicy | null;
  readonly policyNames: readonly string[];
  /** Ids of the terminals of the settings; null: not known, not checked. */
  readonly terminals: readonly string[] | null;
}

export interface ClassFileResult {
  /** Null when there is at least one error. */
  readonly definition: ClassDefinition | null;
  readonly faults: readonly FileFault[];
  readonly notes: readonly FileFault[];
}

/** Collects faults of one file; `row` counts from 1, as people do. */
export interface FaultBook {
  add(path: Path, finding: Finding): void;
  note(path: Path, finding: Finding): void;
  push(fault: FileFault): void;
  readonly root: Located;
}

const PERSONAL = new Set(['roster', 'teachers', 'corrections']);
const WORDS = writtenSchema(CLASS_SCHEMA);

export function readClassFile(file: string, text: string, context: ClassFileContext): ClassFileResult {
  const { root, problems } = parseLocated(file, text);
  // The parser's own sentences may quote the line, and lines of a roster are personal: only the place is told.
  const syntax = problems.map((one) =>
    one.code === 'key-twice'
      ? fileFault('key-twice', {}, one.place, '')
      : fileFault(
          'yaml-syntax',
          { reason: 'quotes, colon or indentation', reasonZh: '请检查引号、冒号或缩进' },
          one.place,
          '',
        ),
  );
  if (root === null || syntax.length > 0) return { definition: null, faults: syntax, notes: [] };
  const shape = CLASS_SCHEMA.safeParse(toPlain(root));
  if (!shape.success) {
    const found = shape.error.issues.flatMap((issue) =>
      schemaFaults([issue], root, { knownAt: (path) => keysAt(WORDS, path) }).map((fault) =>
        withoutPersons(fault, root),
      ),
    );
    return { definition: null, faults: found, notes: [] };
  }
  const book = createBook(root);
  const definition = judge(shape.data, context, book);
  const faults = book.all.filter((one) => one.severity === 'error');
  const notes = book.all.filter((one) => one.severity === 'warning');
  return { definition: faults.length === 0 ? definition : null, faults, notes };
}

/** The same, but throws `class-file-invalid` with the first fault when there is any. */
export function requireDefinition(result: ClassFileResult, file: string): ClassDefinition {
  if (result.definition !== null) return result.definition;
  const first = result.faults[0];
  throw fail('class-file-invalid', {
    file,
    faults: result.faults.length,
    line: first?.line ?? 0,
    path: first?.path ?? '',
  });
}

/** A fault in a list of persons keeps its place and loses every quoted word that is not one of ours. */
function withoutPersons(fault: FileFault, root: Located): FileFault {
  const [list = '', row] = fault.path.split('.');
  if (!PERSONAL.has(list)) return fault;
  if (fault.code !== 'key-unknown' && fault.code !== 'not-one-of') return fault;
  const path = fault.path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  const place = { file: fault.file, line: fault.line, column: fault.column };
  const known = keysAt(WORDS, path.slice(0, -1)).join(', ');
  const nearest = fault.nearest;
  const guess = nearest === null ? '' : `; did you mean "${nearest}"?`;
  const guessZh = nearest === null ? '' : `;是否应为 “${nearest}”?`;
  const shown = list + (row === undefined ? '' : `.${row}`);
  if (fault.code === 'key-unknown') {
    // A key that is close to one of ours is a slip of the pen; anything else may be a name in the wrong place.
    if (nearest !== null && nodeAt(root, path.slice(0, -1)) !== undefined) return fault;
    const reason = {
      reason: `a key that is not known here (known: ${known})`,
      reasonZh: `有未知的键（可用：${known}）`,
    };
    return fileFault('wrong-value', reason, place, shown);
  }
  const reason = { reason: `not one of the known words${guess}`, reasonZh: `不是可用的取值${guessZh}` };
  return fileFault('wrong-value', reason, place, fault.path, { nearest });
}

function createBook(root: Located): FaultBook & { readonly all: FileFault[] } {
  const all: FileFault[] = [];
  const put = (path: Path, finding: Finding, severity: 'error' | 'warning'): void => {
    const row = typeof path[1] === 'number' ? path[1] + 1 : null;
    const words = { reason: finding.en, reasonZh: finding.zh };
    const place = placeOf(root, path);
    all.push(
      row === null
        ? fileFault('class-value', words, place, dotted(path), { severity })
        : fileFault(
            'class-row',
            { ...words, row, list: String(path[0]), field: dotted(path.slice(2)) },
            place,
            dotted(path),
            {
              severity,
            },
          ),
    );
  };
  return {
    all,
    root,
    add: (path, finding) => put(path, finding, 'error'),
    note: (path, finding) => put(path, finding, 'warning'),
    push: (fault) => void all.push(fault),
  };
}

function judge(content: ClassFileContent, context: ClassFileContext, book: FaultBook): ClassDefinition {
  const { from, to } = content.period;
  if (to < from) book.add(['period', 'to'], { en: 'the period ends before it begins', zh: '培训结束日期早于开始日期' });
  if ((content.approval === undefined) === (content.unapproved === undefined)) {
    book.add(content.approval === undefined ? ['approval'] : ['unapproved'], {
      en: 'give either the approval reference of the opening, or who activates the class without one (unapproved)',
      zh: '请填写开班审批文号(approval)，或无审批启用的责任人(unapproved)，二者只能有其一',
    });
  }
  const policy = context.policy(content.policy ?? null, content.cityClassNo);
  if (policy === null)
    book.push(notOneOfFault(content.policy ?? '', context.policyNames, placeOf(book.root, ['policy']), ['policy']));
  const teachers = checkTeachers(content, book);
  const days = checkTimetable(content, policy, book);
  if (policy !== null) checkHours(content, days, policy, book);
  return {
    classNo: content.cityClassNo,
    regionalClassNo: content.regionalClassNo ?? null,
    name: content.name,
    institution: content.institution,
    occupation: content.occupation,
    from,
    to,
    plannedHours: content.plannedHours,
    policy: content.policy ?? null,
    approval: content.approval ?? null,
    unapproved: content.unapproved ?? null,
    room: content.room,
    terminals: checkTerminals(content, context, book),
    days,
    teachers,
    roster: checkRoster(content, teachers, context, book),
    corrections: checkCorrections(content, book),
  };
}

function checkHours(content: ClassFileContent, days: readonly ClassDay[], policy: ClassPolicy, book: FaultBook): void {
  const planned = plannedLessons(days);
  const wanted = content.plannedHours;
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
  content: ClassFileContent,
  context: ClassFileContext,
  book: FaultBook,
): readonly TerminalAssignment[] {
  return content.terminals.map((one, index) => {
    const path = ['terminals', index, 'terminal'];
    if (context.terminals !== null && !context.terminals.includes(one.terminal)) {
      const fault = notOneOfFault(one.terminal, context.terminals, placeOf(book.root, path), path);
      book.push({ ...fault, nearest: nearestWord(one.terminal, context.terminals) });
    }
    const assigned = { terminal: one.terminal, from: one.from ?? content.period.from, to: one.to ?? content.period.to };
    if (assigned.to < assigned.from) {
      book.add(['terminals', index, 'to'], { en: 'the assignment ends before it begins', zh: '结束日期早于开始日期' });
    }
    return assigned;
  });
}

/** Tells of a value that an earlier row has already, by row number and never by the value. */
function createUnique(list: string, book: FaultBook): (value: string, row: number, field: string) => void {
  const seen = new Map<string, number>();
  return (value, row, field) => {
    const key = `${field} ${value}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, row);
    else book.add([list, row, field], { en: `the same as in row ${first + 1}`, zh: `与第 ${first + 1} 行重复` });
  };
}

function checkTeachers(content: ClassFileContent, book: FaultBook): readonly Teacher[] {
  const unique = createUnique('teachers', book);
  return content.teachers.map((one, row) => {
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

function checkRoster(
  content: ClassFileContent,
  teachers: readonly Teacher[],
  context: ClassFileContext,
  book: FaultBook,
): readonly RosterEntry[] {
  const unique = createUnique('roster', book);
  const taken = new Set(teachers.map((teacher) => teacher.deviceUserId));
  return content.roster.map((one, row) => {
    const name = checkName(one.name);
    if (!name.ok) book.add(['roster', row, 'name'], name.finding);
    const document = checkDocumentNumber(one.documentType, one.documentNumber, context.today);
    if (!document.ok) book.add(['roster', row, 'documentNumber'], document.finding);
    else {
      if (document.note !== null) book.note(['roster', row, 'documentNumber'], document.note);
      unique(`${one.documentType} ${document.value}`, row, 'documentNumber');
    }
    const deviceUserId = one.deviceUserId ?? one.traineeNo;
    unique(one.traineeNo, row, 'traineeNo');
    unique(deviceUserId, row, 'deviceUserId');
    if (taken.has(deviceUserId)) {
      book.add(['roster', row, 'deviceUserId'], {
        en: 'a teacher has the same device user id',
        zh: '与某位教师的机内编号相同',
      });
    }
    const [from, to] = [one.enrolledFrom ?? content.period.from, one.enrolledTo ?? content.period.to];
    if (to < from)
      book.add(['roster', row, 'enrolledTo'], {
        en: 'the enrolment ends before it begins',
        zh: '退出日期早于入班日期',
      });
    return {
      traineeNo: one.traineeNo,
      name: name.ok ? name.value : '',
      nameWritten: one.name,
      documentType: one.documentType,
      documentNumber: document.ok ? document.value : '',
      deviceUserId,
      enrolledFrom: one.enrolledFrom ?? null,
      enrolledTo: one.enrolledTo ?? null,
      alternativeMethods: [...new Set(one.alternativeMethods)].sort(),
    };
  });
}

function checkCorrections(content: ClassFileContent, book: FaultBook): readonly Correction[] {
  const known = new Set(content.roster.map((one) => one.traineeNo));
  content.corrections.forEach((one, row) => {
    if (!known.has(one.traineeNo)) {
      book.add(['corrections', row, 'traineeNo'], { en: 'no such person on the roster', zh: '花名册中没有此人' });
    }
    if (one.requestedBy === one.approvedBy) {
      book.add(['corrections', row, 'approvedBy'], { en: 'another person must approve', zh: '须由另一人批准' });
    }
  });
  return content.corrections;
}
