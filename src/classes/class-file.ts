/**
 * A class file (YAML, one class) to a checked class definition, or to every fault of the file at once with line, key,
 * reason and nearest word (R4, R10, R14). What is only worth knowing comes as a note with severity `warning`.
 *
 * Names and document numbers never appear in a fault: it names the row and the field. Policies and the terminals that the
 * settings know are parameters, because this file judges and looks nothing up.
 */
import type { z } from 'zod';
import { fail } from '../core/errors.js';
import { dotted, fileFault, schemaFaults, type FileFault } from '../core/faults.js';
import { nodeAt, parseLocated, placeOf, toPlain, type Located, type LocatedEntry, type Path } from '../core/located.js';
import type { Verify } from '../core/punch-words.js';
import { keysAt, writtenSchema } from '../core/schema-words.js';
import type { LocalDate } from '../core/time.js';
import type { GridRules, Session } from '../rules/grid.js';
import { locate } from '../rules/policy.js';
import { judgeClass, missingOf, type NeededKey } from './class-judge.js';
import { CLASS_PARTS_SCHEMA, CLASS_SCHEMA, type ClassParts } from './class-schema.js';
import type { DocumentType, Finding } from './identity.js';
import type { ClassDay } from './timetable.js';

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

/** Why the timetable of an active class changes, and who changes it (R15). */
export interface Change {
  readonly reason: string;
  readonly by: string;
  /** Another person than `by`; null: nobody approved it. */
  readonly approvedBy: string | null;
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
  /** Head count by the documents of the approval (R11); null: not told. */
  readonly approvedHeadcount: number | null;
  /** Name of the policy the file asks for; null: that of the site. */
  readonly policy: string | null;
  readonly approval: string | null;
  readonly unapproved: { readonly by: string; readonly reason: string } | null;
  readonly room: string;
  /** Taught elsewhere with an approval (R20). */
  readonly temporaryVenue: { readonly place: string; readonly approval: string } | null;
  readonly terminals: readonly TerminalAssignment[];
  readonly days: readonly ClassDay[];
  readonly teachers: readonly Teacher[];
  /** 班主任: number of one of the teachers; null: none named. */
  readonly classTeacher: string | null;
  readonly roster: readonly RosterEntry[];
  readonly corrections: readonly Correction[];
  readonly change: Change | null;
}

/** A class of which something may still be missing. */
export type ClassSketch = {
  readonly [Key in keyof ClassDefinition]: Key extends
    'name' | 'institution' | 'occupation' | 'from' | 'to' | 'plannedHours' | 'room'
    ? ClassDefinition[Key] | null
    : ClassDefinition[Key];
};

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

/** A class file that must be whole, with its approval or who answers for there being none. */
export function readClassFile(file: string, text: string, context: ClassFileContext): ClassFileResult {
  const { root, content, faults } = parse(file, text, CLASS_SCHEMA);
  if (root === null || content === null) return { definition: null, faults, notes: [] };
  const book = createBook(root);
  if (content.approval === undefined && content.unapproved === undefined) {
    book.add(['approval'], {
      en: 'give either the approval reference of the opening, or who activates the class without one (unapproved)',
      zh: '请填写开班审批文号(approval)，或无审批启用的责任人(unapproved)，二者只能有其一',
    });
  }
  const { definition } = judgeClass(content, context, book);
  const { errors, notes } = sorted(book.all);
  return { definition: errors.length === 0 ? definition : null, faults: errors, notes };
}

export interface ClassPartsResult extends ClassFileResult {
  /** Everything known now: what was there before, under what the file says. Null when there is a fault. */
  readonly content: ClassParts | null;
  readonly sketch: ClassSketch | null;
  /** What is missing of what is known now. */
  readonly missing: readonly NeededKey[];
  /** The file alone is a whole class with approval, or with who answers for there being none. */
  readonly isWhole: boolean;
}

/**
 * A class file that may be incomplete, laid over what is known already (null: nothing). A key of the file replaces the key
 * that was there; a key that the file leaves out stays.
 */
export function readClassParts(
  file: string,
  text: string,
  context: ClassFileContext,
  before: ClassParts | null,
): ClassPartsResult {
  const { root, content, faults } = parse(file, text, CLASS_PARTS_SCHEMA);
  const refused = { definition: null, sketch: null, content: null, missing: [], notes: [], isWhole: false };
  if (root === null || content === null) return { ...refused, faults };
  const merged = mergeParts(before, content);
  const known = before === null ? null : locate(before);
  const entries = new Map([...entriesOf(known), ...entriesOf(root)]);
  const judged = judgeParts(merged, context, { kind: 'map', at: root.at, entries });
  const isApproved = content.approval !== undefined || content.unapproved !== undefined;
  return { ...judged, isWhole: judged.content !== null && isApproved && missingOf(content).length === 0 };
}

/** Parts that stand in no file: a draft, or what two imports add up to. */
export function judgeParts(
  content: ClassParts,
  context: ClassFileContext,
  root: Located = locate(content),
): Omit<ClassPartsResult, 'isWhole'> {
  const book = createBook(root);
  const { definition, sketch, missing } = judgeClass(content, context, book);
  const { errors, notes } = sorted(book.all);
  if (errors.length > 0) return { definition: null, sketch: null, content: null, missing, faults: errors, notes };
  return { definition, sketch, content, missing, faults: [], notes };
}

/** `after` over `before`, key by key. Approval and the lack of one exclude each other: the later word counts. */
export function mergeParts(before: ClassParts | null, after: ClassParts): ClassParts {
  const old = { ...before };
  if (after.approval !== undefined) delete old.unapproved;
  if (after.unapproved !== undefined) delete old.approval;
  return { ...old, ...after };
}

const entriesOf = (root: Located | null): readonly (readonly [string, LocatedEntry])[] =>
  root?.kind === 'map' ? [...root.entries] : [];

/** What stands in no file was there before: in the draft. */
const placed = (fault: FileFault): FileFault => (fault.file === '' ? { ...fault, file: '草稿 draft' } : fault);

const sorted = (all: readonly FileFault[]): { readonly errors: FileFault[]; readonly notes: FileFault[] } => ({
  errors: all.filter((one) => one.severity === 'error').map(placed),
  notes: all.filter((one) => one.severity === 'warning').map(placed),
});

interface Parsed<T> {
  readonly root: Located | null;
  readonly content: T | null;
  readonly faults: readonly FileFault[];
}

function parse<T>(file: string, text: string, schema: z.ZodType<T>): Parsed<T> {
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
  if (root === null || syntax.length > 0) return { root, content: null, faults: syntax };
  const shape = schema.safeParse(toPlain(root));
  if (shape.success) return { root, content: shape.data, faults: [] };
  const faults = shape.error.issues.flatMap((issue) =>
    schemaFaults([issue], root, { knownAt: (path) => keysAt(WORDS, path) }).map((fault) => withoutPersons(fault, root)),
  );
  return { root, content: null, faults };
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
