/**
 * A roster from a table (R1, R10, R102): which column is what, then each row judged like a row of a class file. Everything
 * that is wrong is told at once, by row and column; telephone numbers and other columns are left where they are.
 */
import { issueWords } from '../core/faults.js';
import type { Path } from '../core/located.js';
import type { Verify } from '../core/punch-words.js';
import type { LocalDate } from '../core/time.js';
import type { Cell, Sheet, SheetRow } from '../sheets/sheet.js';
import type { RosterEntry, Teacher } from './class-file.js';
import { CLASS_SCHEMA } from './class-schema.js';
import type { DocumentType } from './identity.js';
import { checkRoster, type RosterRow } from './roster-check.js';
import {
  DOCUMENT_NUMBER_WORDS,
  findColumns,
  sheetField,
  TRAINEE_NO_WORDS,
  type ColumnMapping,
  type SheetField,
  type SheetTable,
} from './sheet-columns.js';
import { valueFault, type SheetFault } from './sheet-faults.js';
import { createRowReader, noteNumberColumn, type RowReader } from './sheet-row-reader.js';
import { dateValue, wordTable, wordValue, type Value } from './sheet-values.js';

export interface RosterSheetOptions {
  readonly today: LocalDate;
  readonly mapping?: ColumnMapping | undefined;
  /** Period of the class, where it is known. */
  readonly from?: LocalDate | undefined;
  readonly to?: LocalDate | undefined;
  /** Teachers of the class, whose device user ids are taken. */
  readonly teachers?: readonly Pick<Teacher, 'deviceUserId'>[] | undefined;
}

export interface RosterSheet {
  /** In the order of the table; only to be used when there are no faults. */
  readonly entries: readonly RosterEntry[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

type Field =
  | 'traineeNo'
  | 'name'
  | 'documentType'
  | 'documentNumber'
  | 'deviceUserId'
  | 'enrolledFrom'
  | 'enrolledTo'
  | 'alternativeMethods';

const field = sheetField<Field>;

export const ROSTER_FIELDS: readonly SheetField<Field>[] = [
  field('traineeNo', '学员编号', true, ...TRAINEE_NO_WORDS),
  field('name', '姓名', true, '学员姓名', '学员', '名字', '真实姓名', 'full name', 'trainee name'),
  field('documentNumber', '身份证号', true, ...DOCUMENT_NUMBER_WORDS),
  field('documentType', '证件类型', false, '证件种类', '证件名称', '身份证件类型', 'id type'),
  field(
    'deviceUserId',
    '机内编号',
    false,
    '考勤号',
    '考勤编号',
    '考勤机编号',
    '工号',
    '机号',
    'device id',
    'device user',
  ),
  field('enrolledFrom', '入班日期', false, '入班时间', '入学日期', '报到日期', '开始日期', 'from', 'enrolled'),
  field('enrolledTo', '退出日期', false, '退班日期', '退学日期', '结束日期', 'to', 'left'),
  field(
    'alternativeMethods',
    '其他验证方式',
    false,
    '其他方式',
    '备用方式',
    '其他考勤方式',
    '备用验证方式',
    'other methods',
  ),
];

export const DOCUMENTS = wordTable<DocumentType>([
  ['idCard', ['idcard', '身份证', '居民身份证', '二代身份证', '第二代居民身份证', '公民身份证']],
  ['residencePermit', ['residencepermit', '居住证', '港澳台居民居住证', '港澳居民居住证', '台湾居民居住证']],
  ['hkMacaoPass', ['hkmacaopass', '港澳居民来往内地通行证', '港澳通行证', '回乡证', '港澳居民通行证']],
  ['taiwanPass', ['taiwanpass', '台湾居民来往大陆通行证', '台胞证', '台湾通行证']],
  ['foreignPermit', ['foreignpermit', '外国人永久居留身份证', '外国人永久居留证', '永久居留证']],
  ['passport', ['passport', '护照']],
]);
export const DOCUMENTS_KNOWN =
  '居民身份证, 港澳台居民居住证, 港澳居民来往内地通行证, 台湾居民来往大陆通行证, 外国人永久居留身份证, 护照';

const METHODS = wordTable<Verify>([
  ['finger', ['finger', '指纹']],
  ['card', ['card', '刷卡', '卡', 'ic卡', '卡片']],
  ['password', ['password', '密码']],
  ['palm', ['palm', '掌纹', '掌静脉']],
  ['iris', ['iris', '虹膜']],
  ['qr', ['qr', '二维码', '扫码']],
]);
const METHODS_KNOWN = '指纹, 刷卡, 密码, 掌纹, 虹膜, 二维码';

/** The checks of single values are those of a class file. */
const TRAINEE = CLASS_SCHEMA.shape.roster.element;

/** Everything that a table of trainees says, and everything that is wrong with it. */
export function parseRosterSheet(sheet: Sheet, options: RosterSheetOptions): RosterSheet {
  const table = findColumns(sheet, ROSTER_FIELDS, options.mapping);
  const faults = [...table.faults];
  const notes = [...table.notes, ...noteNumberColumn(table, 'traineeNo')];
  const read = table.rows.map((row) => {
    const reader = createRowReader(table, row, faults);
    return { row, reader, written: rosterRow(reader) };
  });
  const told = new Set<string>();
  const entries = checkRoster(
    read.map(({ written }, index) => withPlaceholders(written, index)),
    {
      today: options.today,
      period: { from: options.from, to: options.to },
      teachers: options.teachers ?? [],
      rowNumber: (index) => read[index]?.row.no ?? index,
    },
    {
      add(path, found) {
        const { row, key } = placeOf(path, read, table);
        const once = `${path[1] ?? ''} ${key} ${found.en}`;
        if (row === undefined || isUnread(row.written, key) || told.has(once)) return;
        told.add(once);
        row.reader.fault(key, found);
      },
      note(path, found) {
        const { row, key } = placeOf(path, read, table);
        if (row !== undefined) notes.push(valueFault(found, table.place(row.row, key), 'warning'));
      },
    },
  );
  const isWhole = (row: ReadRow | undefined): boolean =>
    row?.reader.isGood() === true && REQUIRED.every((key) => !isUnread(row.written, key));
  return { entries: entries.filter((_, index) => isWhole(read[index])), faults, notes };
}

/** Null: empty, or told to be faulty. */
type Written = { readonly [K in keyof RosterRow]-?: RosterRow[K] | null };

interface ReadRow {
  readonly row: SheetRow;
  readonly reader: RowReader<Field>;
  readonly written: Written;
}

/** Without a column of its own the device user id is the trainee number, and its faults belong there. */
function placeOf(
  path: Path,
  read: readonly ReadRow[],
  table: SheetTable<Field>,
): { readonly row: ReadRow | undefined; readonly key: Field } {
  const [, index, name] = path;
  const row = typeof index === 'number' ? read[index] : undefined;
  const key = ROSTER_FIELDS.find((one) => one.key === name)?.key ?? 'traineeNo';
  const isOwn = key !== 'deviceUserId' || (table.has(key) && row?.written.deviceUserId !== null);
  return { row, key: isOwn ? key : 'traineeNo' };
}

const REQUIRED = ['traineeNo', 'name', 'documentNumber'] as const;
const isUnread = (written: Written, key: Field): boolean =>
  REQUIRED.some((one) => one === key) && written[key] === null;

/** What could not be read was told and is not judged again; the rest of its row still is. */
function withPlaceholders(written: Written, index: number): RosterRow {
  return {
    traineeNo: written.traineeNo ?? ` ${index}`,
    name: written.name ?? '',
    documentType: written.documentType ?? 'idCard',
    documentNumber: written.documentNumber ?? '',
    deviceUserId: written.deviceUserId ?? undefined,
    enrolledFrom: written.enrolledFrom ?? undefined,
    enrolledTo: written.enrolledTo ?? undefined,
    alternativeMethods: written.alternativeMethods ?? [],
  };
}

function rosterRow(reader: RowReader<Field>): Written {
  const id = (key: 'traineeNo' | 'deviceUserId'): string | null => {
    const text = reader.id(key);
    if (text === null) return null;
    const checked = TRAINEE.shape.traineeNo.safeParse(text);
    if (checked.success) return checked.data;
    for (const issue of checked.error.issues) reader.fault(key, issueWords(issue));
    return null;
  };
  return {
    traineeNo: reader.isThere('traineeNo') ? id('traineeNo') : null,
    name: reader.isThere('name') ? reader.take('name', nameValue) : null,
    documentType: reader.take('documentType', (cell) => wordValue(cell, DOCUMENTS, DOCUMENTS_KNOWN)),
    documentNumber: reader.isThere('documentNumber') ? reader.document('documentNumber') : null,
    deviceUserId: id('deviceUserId'),
    enrolledFrom: reader.take('enrolledFrom', (cell) => dateValue(cell)),
    enrolledTo: reader.take('enrolledTo', (cell) => dateValue(cell)),
    alternativeMethods: reader.take('alternativeMethods', ({ text }) => methods(text)),
  };
}

const nameValue = ({ kind, text }: Cell): Value<string> =>
  kind === 'text' ? { ok: true, value: text } : { ok: false, finding: { en: 'it is no text', zh: '不是文字' } };

function methods(text: string): Value<readonly Verify[]> {
  const found: Verify[] = [];
  for (const word of text.normalize('NFKC').split(/[、,;/|+\s]+/)) {
    if (word === '' || /^(?:人脸|face|无|none)$/i.test(word)) continue;
    const method = wordValue({ kind: 'text', text: word, value: null }, METHODS, METHODS_KNOWN);
    if (!method.ok) return method;
    found.push(method.value);
  }
  return { ok: true, value: found };
}
