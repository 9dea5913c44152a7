/**
 * The rows of a roster, judged, wherever they were written: class file or table (R1, R10). Names and document numbers as in
 * §8, nobody twice, no device user id for two people, an enrolment that does not end before it begins.
 *
 * A finding names another row by the number the writer sees there, which the caller knows; it never quotes a value.
 */
import type { Verify } from '../core/punch-words.js';
import type { LocalDate } from '../core/time.js';
import type { FaultBook, RosterEntry, Teacher } from './class-file.js';
import { checkDocumentNumber, checkName, type DocumentType } from './identity.js';

/** One person as written. */
export interface RosterRow {
  readonly traineeNo: string;
  readonly name: string;
  readonly documentType: DocumentType;
  readonly documentNumber: string;
  readonly deviceUserId?: string | undefined;
  readonly enrolledFrom?: LocalDate | undefined;
  readonly enrolledTo?: LocalDate | undefined;
  readonly alternativeMethods: readonly Verify[];
}

export interface RosterContext {
  readonly today: LocalDate;
  /** Period of the class, for enrolments that name only one end; as far as it is known. */
  readonly period: { readonly from?: LocalDate | undefined; readonly to?: LocalDate | undefined };
  readonly teachers: readonly Pick<Teacher, 'deviceUserId'>[];
  /** The row number that the writer sees for the row at `index`; counted from 1 when not given. */
  readonly rowNumber?: (index: number) => number;
}

type Book = Pick<FaultBook, 'add' | 'note'>;

/** Tells of a value that an earlier row has already, by row number and never by the value. */
export function createUnique(
  list: string,
  book: Book,
  rowNumber = (index: number): number => index + 1,
): (value: string, row: number, field: string) => void {
  const seen = new Map<string, number>();
  return (value, row, field) => {
    const key = `${field} ${value}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, row);
    else {
      const no = rowNumber(first);
      book.add([list, row, field], { en: `the same as in row ${no}`, zh: `与第 ${no} 行重复` });
    }
  };
}

/** Entries of all rows, in order; those with a fault in the book are not to be used. */
export function checkRoster(rows: readonly RosterRow[], context: RosterContext, book: Book): readonly RosterEntry[] {
  const unique = createUnique('roster', book, context.rowNumber);
  const taken = new Set(context.teachers.map((teacher) => teacher.deviceUserId));
  return rows.map((one, row) => {
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
    const [from, to] = [one.enrolledFrom ?? context.period.from, one.enrolledTo ?? context.period.to];
    if (from !== undefined && to !== undefined && to < from) {
      book.add(['roster', row, 'enrolledTo'], {
        en: 'the enrolment ends before it begins',
        zh: '退出日期早于入班日期',
      });
    }
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
