/**
 * Who a person is on paper: document numbers (GB 11643 and the looser ones), legal names, and how both are masked.
 *
 * Knows the rules of requirements §8.1 and §8.2. Promises that no finding quotes a name or a number: a finding says what
 * is wrong, and the caller says where. Refuses old 15-digit numbers, numbers that a spreadsheet has rounded, and placeholder
 * names (R1). Age, sex and area are never judged.
 */
import { parseLocalDate, type LocalDate } from '../core/time.js';

/** Document types; the type is part of the key, so the same digits under two types are two documents. */
export const DOCUMENT_TYPES = [
  'idCard',
  'residencePermit',
  'hkMacaoPass',
  'taiwanPass',
  'foreignPermit',
  'passport',
] as const;
export type DocumentType = (typeof DOCUMENT_TYPES)[number];

/** What is wrong, in both languages, without the value. */
export interface Finding {
  readonly en: string;
  readonly zh: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly note: Finding | null }
  | { readonly ok: false; readonly finding: Finding };

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2] as const;
const CHECKS = '10X98765432';

/** First two digits of the areas that have ever been issued (GB/T 2260, provinces). */
const PROVINCES = new Set(
  '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 91'.split(
    ' ',
  ),
);

const LOOSE: Readonly<Partial<Record<DocumentType, RegExp>>> = {
  hkMacaoPass: /^[HM]\d{8}(?:\d{2})?$/,
  taiwanPass: /^(?:\d{8}|\d{10}[A-Z]?)$/,
  foreignPermit: /^(?:[A-Z]{3}\d{12}|9\d{16}[\dX])$/,
  passport: /^[A-Z0-9]{5,20}$/,
};

const finding = (en: string, zh: string): { readonly ok: false; readonly finding: Finding } => ({
  ok: false,
  finding: { en, zh },
});

const SPREADSHEET = finding(
  'the column was stored as a number; format it as text and enter the number again',
  '该列曾按数字保存，末位已丢失；请把该列设为文本格式后重新输入',
);

/** Half-width, upper case, without spaces and leading apostrophes: the form in which numbers are compared and kept. */
export function normaliseDocumentNumber(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\s\u200b\ufeff]/g, '')
    .replace(/^['`‘’]+/, '')
    .toUpperCase();
}

/** The check character that belongs to the first 17 digits (GB 11643). */
export function checkCharacter(digits17: string): string {
  const sum = WEIGHTS.reduce((total, weight, index) => total + weight * Number(digits17.charAt(index)), 0);
  return CHECKS.charAt(sum % 11);
}

/** Checks a document number as it is imported (R10). `today` bounds the birth date. */
export function checkDocumentNumber(type: DocumentType, written: string, today: LocalDate): Checked<string> {
  const value = normaliseDocumentNumber(written);
  if (value === '') return finding('it is empty', '内容为空');
  if (/^\d(?:\.\d+)?E\+?\d+$/.test(value)) return SPREADSHEET;
  const pattern = LOOSE[type];
  if (pattern !== undefined) {
    return pattern.test(value)
      ? { ok: true, value, note: null }
      : finding(`it has not the form of a document of type ${type}`, `不符合该证件类型(${type})的号码格式`);
  }
  return checkCitizenNumber(type, value, today);
}

function checkCitizenNumber(type: DocumentType, value: string, today: LocalDate): Checked<string> {
  if (/^\d{15}$/.test(value)) {
    return finding(
      'it is an old 15-digit number; enter the 18-character number of the present card',
      '这是 15 位旧号码；请填写现行身份证上的 18 位号码',
    );
  }
  if (!/^\d{17}[\dX]$/.test(value)) {
    return finding(
      'it has not 18 characters (17 digits, then a digit or X)',
      '不是 18 位（前 17 位为数字，末位为数字或 X）',
    );
  }
  const checkIsRight = checkCharacter(value) === value.charAt(17);
  if (!checkIsRight && value.endsWith('000')) return SPREADSHEET;
  const birth = parseLocalDate(`${value.slice(6, 10)}-${value.slice(10, 12)}-${value.slice(12, 14)}`);
  if (birth === null) return finding('its birth date does not exist', '其中的出生日期不存在');
  if (birth > today) return finding('its birth date lies in the future', '其中的出生日期晚于今天');
  if (!checkIsRight) return finding('its check character is wrong', '校验码错误');
  const isPermit = /^8[123]0000/.test(value);
  if (isPermit !== (type === 'residencePermit')) {
    return isPermit
      ? finding(
          'it is the number of a residence permit; write documentType: residencePermit',
          '这是港澳台居民居住证号码；证件类型请写 residencePermit',
        )
      : finding(
          'a residence permit begins with 810000, 820000 or 830000',
          '港澳台居民居住证号码应以 810000、820000 或 830000 开头',
        );
  }
  const note = PROVINCES.has(value.slice(0, 2))
    ? null
    : { en: 'its area code is not known (information only)', zh: '地区码未知（仅供参考）' };
  return { ok: true, value, note };
}

const DOTS_BETWEEN_HAN = /(?<=\p{Script=Han})[.\u2022\u30fb\uff0e](?=\p{Script=Han})/gu;
const HAN_NAME = /^\p{Script=Han}+(?:\u00b7\p{Script=Han}+)*$/u;
const LATIN_NAME = /^\p{Script=Latin}+(?: \p{Script=Latin}+)*$/u;
const PLACEHOLDER = /某某|^(?:测试|试验|匿名|无名|无名氏|未知|不详|待定|学员|学生|test|unknown|anonymous|nobody)$/iu;

/** NFC, one middle dot, no outer blanks: the form in which names are compared. The original is kept beside it. */
export function normaliseName(text: string): string {
  return text.normalize('NFC').trim().replace(/\s+/gu, ' ').replace(DOTS_BETWEEN_HAN, '\u00b7');
}

/** Checks a legal name (§8.2). Lengths count characters, never UTF-16 units. */
export function checkName(written: string): Checked<string> {
  const value = normaliseName(written);
  const { length } = Array.from(value);
  if (length < 2 || length > 50) return finding('a name has 2 to 50 characters', '姓名应为 2 至 50 个字符');
  if (!HAN_NAME.test(value) && !LATIN_NAME.test(value)) {
    return finding(
      'a name is Han characters with the middle dot ·, or Latin letters with spaces',
      '姓名只能是汉字（可含间隔号 ·）或拉丁字母与空格',
    );
  }
  if (PLACEHOLDER.test(value)) {
    return finding('a placeholder is not a name; nobody anonymous can earn credit', '不能用占位名代替真实姓名');
  }
  return { ok: true, value, note: null };
}

/** First six and last four characters, the rest as `*` (policy `identity.mask: "6+4"`); short ones keep only the last two. */
export function maskDocumentNumber(value: string): string {
  if (value.length <= 10) return '*'.repeat(Math.max(0, value.length - 2)) + value.slice(-2);
  return value.slice(0, 6) + '*'.repeat(value.length - 10) + value.slice(-4);
}

/** The first character and, from three characters on, the last one: 李*, 王*明. */
export function maskName(name: string): string {
  const characters = Array.from(name);
  const [first = '', last = ''] = [characters[0], characters.at(-1)];
  if (characters.length <= 2) return `${first}*`;
  return first + '*'.repeat(Math.min(characters.length - 2, 4)) + last;
}
