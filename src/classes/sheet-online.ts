/**
 * Records of an online platform from a table (R48): per person, day and lesson the minutes, and what the platform tells of
 * sign-in, learning, tutoring and tests. Minutes are whole and rounded downward; nothing is made up where a cell is empty.
 */
import type { LocalDate } from '../core/time.js';
import type { Cell, Sheet, SheetRow } from '../sheets/sheet.js';
import { normaliseDocumentNumber, type DocumentType, type Finding } from './identity.js';
import {
  DOCUMENT_NUMBER_WORDS,
  findColumns,
  sheetField,
  TRAINEE_NO_WORDS,
  type ColumnMapping,
  type SheetField,
  type SheetTable,
} from './sheet-columns.js';
import { sheetFault, valueFault, type SheetFault } from './sheet-faults.js';
import { DOCUMENTS, DOCUMENTS_KNOWN } from './sheet-roster.js';
import { createRowReader, noteNumberColumn, type RowReader } from './sheet-row-reader.js';
import { dateValue, minutesValue, unitOfHeader, wordTable, wordValue, type Value } from './sheet-values.js';

/** What the platform supplies beside the minutes, as it wrote it. */
export interface OnlineProof {
  readonly signIn?: string;
  readonly learned?: string;
  readonly tutoring?: string;
  readonly test?: string;
}

export interface OnlineRow {
  /** Row of the table. */
  readonly row: number;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** Name or number of the lesson; empty: the day as a whole. */
  readonly lesson: string;
  readonly kind: 'theory' | 'practice';
  /** 0 to 1440. */
  readonly minutes: number;
  readonly proof: OnlineProof;
}

export interface OnlineSheetOptions {
  /** Numbers of the class's roster. */
  readonly trainees: ReadonlySet<string>;
  readonly mapping?: ColumnMapping | undefined;
  /** Finds the person where the table has no trainee number; null: nobody of the class has that document. */
  readonly personByDocument?: ((type: DocumentType, number: string) => string | null) | undefined;
}

export interface OnlineSheet {
  /** In the order of the table; only to be used when there are no faults. */
  readonly records: readonly OnlineRow[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

type Proof = keyof OnlineProof;
type Field = 'traineeNo' | 'documentNumber' | 'documentType' | 'date' | 'lesson' | 'kind' | 'minutes' | Proof;

const field = sheetField<Field>;

export const ONLINE_FIELDS: readonly SheetField<Field>[] = [
  field('traineeNo', '学员编号', false, ...TRAINEE_NO_WORDS),
  field('documentNumber', '身份证号', false, ...DOCUMENT_NUMBER_WORDS),
  field('documentType', '证件类型', false, '证件种类', '证件名称', 'id type'),
  field('date', '日期', true, '学习日期', '学习时间', '上课日期', '培训日期', 'day'),
  field(
    'lesson',
    '课程',
    false,
    '课程名称',
    '课件',
    '课件名称',
    '学习内容',
    '章节',
    '课节',
    '课次',
    '学习课程',
    '课程编号',
    'course',
    'chapter',
  ),
  field('kind', '类型', false, '课程类型', '学习类型', '理论实操', '课程性质', 'type'),
  field(
    'minutes',
    '学习时长',
    true,
    '学习分钟',
    '学习分钟数',
    '分钟',
    '分钟数',
    '时长',
    '在线时长',
    '有效时长',
    '有效学习时长',
    '观看时长',
    '学习用时',
    '学习小时',
    '学习小时数',
    'duration',
    'learning minutes',
    'seconds',
    'hours',
  ),
  field('signIn', '签到', false, '签到记录', '签到时间', '登录记录', '登录时间', '签到情况', 'sign in'),
  field('learned', '学习记录', false, '学习进度', '完成率', '进度', '完成情况', '学习情况', 'progress'),
  field('tutoring', '辅导', false, '辅导记录', '答疑', '答疑记录', '辅导答疑', '互动', 'tutor'),
  field('test', '测试', false, '测验', '测试成绩', '测验成绩', '考试', '考试成绩', '成绩', '作业', 'score', 'exam'),
];

const PROOFS: readonly Proof[] = ['signIn', 'learned', 'tutoring', 'test'];
const KINDS = wordTable<'theory' | 'practice'>([
  ['theory', ['theory', '理论', '理论课', '理论教学']],
  ['practice', ['practice', 'practical', '实操', '实操课', '实训', '实践', '操作', '技能']],
]);

/** Everything that a table of learning records says, and everything that is wrong with it. */
export function parseOnlineSheet(sheet: Sheet, options: OnlineSheetOptions): OnlineSheet {
  const table = findColumns(sheet, ONLINE_FIELDS, options.mapping);
  const faults = [...table.faults, ...withoutPerson(table, options)];
  const notes = [...table.notes, ...noteNumberColumn(table, 'traineeNo')];
  const header = table.place(null, 'minutes').header ?? '';
  const unit = unitOfHeader(header);
  if (table.has('minutes') && unit === null && table.rows.some((row) => isBare(table.cell(row, 'minutes')))) {
    notes.push(valueFault(AS_MINUTES, table.place(null, 'minutes'), 'warning'));
  }
  if (!table.has('kind') && table.rows.length > 0) {
    notes.push(valueFault(AS_THEORY, { row: null, column: null, header: null }, 'warning'));
  }
  const records = table.rows.flatMap((row): readonly OnlineRow[] => {
    const reader = createRowReader(table, row, faults);
    const traineeNo = personOf(table, row, reader, options);
    const date = reader.isThere('date') ? reader.take('date', (cell) => dateValue(cell, true)) : null;
    const minutes = reader.isThere('minutes')
      ? reader.take('minutes', (cell) => minutesValue(cell, unit ?? 'minutes'))
      : null;
    const kind = reader.take('kind', (cell) => wordValue(cell, KINDS, '理论, 实操')) ?? 'theory';
    const lesson = reader.take('lesson', line) ?? '';
    const proof = Object.fromEntries(
      PROOFS.map((key) => [key, reader.take(key, line)] as const).filter(([, text]) => text !== null),
    ) as OnlineProof;
    if (traineeNo === null || date === null || minutes === null || !reader.isGood()) return [];
    return [{ row: row.no, traineeNo, date, lesson, kind, minutes, proof }];
  });
  return { records, faults, notes: [...notes, ...sameLesson(table, records)] };
}

const AS_MINUTES: Finding = {
  en: 'numbers without unit are read as minutes; write the unit into the header when they are not',
  zh: '没有单位的数字按分钟计；如不是分钟，请在列名中写明单位',
};
const AS_THEORY: Finding = {
  en: 'there is no column for theory or practice; all records are read as theory',
  zh: '没有 “类型” 列；全部按理论计',
};
const STRANGER: Finding = { en: 'no such person on the roster of the class', zh: '本班花名册中没有此人' };

const isBare = ({ kind, text }: Cell): boolean => kind === 'number' || /^[\d.]+$/.test(text.normalize('NFKC'));

/** One of two columns says who it was. */
function withoutPerson(table: SheetTable<Field>, options: OnlineSheetOptions): readonly SheetFault[] {
  const byDocument = options.personByDocument !== undefined;
  if (table.has('traineeNo') || (byDocument && table.has('documentNumber'))) return [];
  // Without a header nothing was found at all, and that was told.
  if (!table.has('date') && !table.has('minutes')) return [];
  const [wanted, wantedZh] = byDocument
    ? ['traineeNo or documentNumber', '学员编号 或 身份证号']
    : ['traineeNo', '学员编号'];
  const context = { key: 'traineeNo', wanted, wantedZh, found: '-', nearest: '', nearestZh: '' };
  return [sheetFault('sheet-column-missing', context, table.place(null, 'traineeNo'))];
}

function personOf(
  table: SheetTable<Field>,
  row: SheetRow,
  reader: RowReader<Field>,
  { trainees, personByDocument }: OnlineSheetOptions,
): string | null {
  const hasNumber = table.cell(row, 'traineeNo').kind !== 'empty';
  const hasDocument = personByDocument !== undefined && table.cell(row, 'documentNumber').kind !== 'empty';
  if (hasDocument && !hasNumber) {
    const type = reader.take('documentType', (cell) => wordValue(cell, DOCUMENTS, DOCUMENTS_KNOWN)) ?? 'idCard';
    const text = reader.document('documentNumber');
    if (text === null) return null;
    const found = personByDocument(type, normaliseDocumentNumber(text));
    if (found === null) reader.fault('documentNumber', STRANGER);
    return found;
  }
  if (!hasNumber) {
    reader.isThere(table.has('traineeNo') ? 'traineeNo' : 'documentNumber');
    return null;
  }
  const traineeNo = reader.id('traineeNo')?.normalize('NFC') ?? null;
  if (traineeNo === null || trainees.has(traineeNo)) return traineeNo;
  reader.fault('traineeNo', STRANGER);
  return null;
}

const TEXT_MAX = 200;

function line({ text }: Cell): Value<string> {
  const value = text.normalize('NFC').replace(/\s+/g, ' ');
  return Array.from(value).length <= TEXT_MAX
    ? { ok: true, value }
    : { ok: false, finding: { en: `longer than ${TEXT_MAX} characters`, zh: `超过 ${TEXT_MAX} 个字符` } };
}

/** Of several records for one lesson on one day the last one counts: worth saying, because a log of visits looks like that. */
function sameLesson(table: SheetTable<Field>, records: readonly OnlineRow[]): readonly SheetFault[] {
  const seen = new Map<string, number>();
  return records.flatMap((one) => {
    const key = JSON.stringify([one.traineeNo, one.date, one.lesson, one.kind]);
    const first = seen.get(key);
    seen.set(key, one.row);
    const row = table.rows.find(({ no }) => no === one.row);
    if (first === undefined || row === undefined) return [];
    const words: Finding = {
      en: `the same person, date and lesson as in row ${first}; only the later row counts`,
      zh: `与第 ${first} 行的学员、日期、课程相同；只计后一行`,
    };
    return [valueFault(words, table.place(row, 'date'), 'warning')];
  });
}
