/** Sixty made-up trainees with valid made-up numbers (birth year 1900), among them names that many programs cannot show. */
import { checkCharacter } from '../../src/classes/identity.js';

const RARE = ['𬱖青禾', '㛃·䶮', '阿依古丽·买买提', 'Anna Maria', '䶮'.repeat(2), '龘靐齉'];
const FAMILY = ['欧阳', '司马', '上官', '诸葛', '令狐', '尉迟', '公孙', '慕容', '轩辕', '端木'];
const GIVEN = ['青禾', '知远', '若水', '望舒', '景行', '疏桐'];

export interface Person {
  readonly no: string;
  readonly name: string;
  readonly id: string;
}

export const PEOPLE: readonly Person[] = Array.from({ length: 60 }, (_, index) => {
  const digits = `15020319000101${String(101 + index)}`;
  return {
    no: `BT26${String(index + 1).padStart(4, '0')}`,
    name: RARE[index] ?? `${FAMILY[index % FAMILY.length] ?? ''}${GIVEN[Math.floor(index / 10) % GIVEN.length] ?? ''}`,
    id: digits + checkCharacter(digits),
  };
});

export const HEADER = ['序号', '姓名', '身份证号', '学员编号', '电话', '入班日期', '备注'] as const;

/** As a clerk writes it: a title, a header, numbered rows, a sum. */
export const ROSTER_ROWS: readonly (readonly string[])[] = [
  ['电工四级第三期学员花名册', '', '', '', '', '', ''],
  [...HEADER],
  ...PEOPLE.map(({ no, name, id }, index) => [
    String(index + 1),
    name,
    id,
    no,
    '',
    index === 59 ? '2026年9月9日' : '2026/9/7',
    '',
  ]),
  ['合计', '', '', '60', '', '', ''],
];

/** Names that GBK holds, for the file of an older Excel. */
export const inGbk = (name: string): boolean => !/[𬱖㛃䶮]/u.test(name);
