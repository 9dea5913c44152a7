import { describe, expect, test } from 'vitest';
import {
  checkCharacter,
  checkDocumentNumber,
  checkName,
  maskDocumentNumber,
  maskName,
  normaliseName,
  type DocumentType,
} from '../../src/classes/identity.js';
import type { LocalDate } from '../../src/core/time.js';

const TODAY = '2026-09-07' as LocalDate;
const check = (number: string, type: DocumentType = 'idCard') => checkDocumentNumber(type, number, TODAY);
const reason = (number: string, type: DocumentType = 'idCard'): string => {
  const result = check(number, type);
  return result.ok ? 'ok' : result.finding.en;
};

describe('document numbers', () => {
  test.each(['15020319000101001X', '152801190001010011'])('%s is valid', (number) => {
    expect(check(number)).toEqual({ ok: true, value: number, note: null });
  });

  test('a residence permit has its own type', () => {
    expect(check('810000190001010018', 'residencePermit')).toMatchObject({ ok: true });
    expect(reason('810000190001010018')).toContain('residencePermit');
    expect(reason('15020319000101001X', 'residencePermit')).toContain('810000');
  });

  test('lower case, full-width digits, blanks and the apostrophe of spreadsheets are put right', () => {
    expect(check("' 150203 1900 0101 001x")).toMatchObject({ ok: true, value: '15020319000101001X' });
    expect(check('１５０２０３１９０００１０１００１Ｘ')).toMatchObject({ ok: true, value: '15020319000101001X' });
  });

  test('each kind of wrong number has its own words', () => {
    expect(reason('150203190001010011')).toContain('check character');
    expect(reason('150204190002290013')).toContain('birth date does not exist');
    expect(reason(`15020320990101001${checkCharacter('15020320990101001')}`)).toContain('future');
    expect(reason('150203900101001')).toContain('15-digit');
    expect(reason('1502031900010')).toContain('18 characters');
    expect(reason('')).toContain('empty');
  });

  test('what a spreadsheet has rounded is recognised', () => {
    expect(reason('1.50203E+17')).toContain('stored as a number');
    expect(reason('150203190001010000')).toContain('stored as a number');
  });

  test('an unknown area is a note and no error', () => {
    const number = `99020319000101001${checkCharacter('99020319000101001')}`;
    expect(check(number)).toMatchObject({ ok: true, note: { en: expect.stringContaining('area') as string } });
  });

  test('other documents have looser forms', () => {
    expect(check('h12345678', 'hkMacaoPass')).toMatchObject({ ok: true, value: 'H12345678' });
    expect(check('12345678', 'taiwanPass')).toMatchObject({ ok: true });
    expect(check('E1234567', 'passport')).toMatchObject({ ok: true });
    expect(check('ABC123456789012', 'foreignPermit')).toMatchObject({ ok: true });
    expect(reason('12', 'passport')).toContain('form');
  });

  test('no finding quotes the number', () => {
    for (const number of ['150203190001010011', '150203900101001', '1502031900010', '1.50203E+17']) {
      const result = check(number);
      expect(JSON.stringify(result)).not.toContain(number.slice(0, 10));
    }
  });
});

describe('names', () => {
  test.each(['王小明', '𠮷田青', '阿凡提·买买提', 'Anna Maria', '买买提·阿布都热合曼·伊明'])('%s is a name', (name) => {
    expect(checkName(name)).toMatchObject({ ok: true, value: name });
  });

  test('dots between Han characters become the middle dot, and only there', () => {
    for (const dot of ['\u2022', '\u30fb', '\uff0e', '.'])
      expect(normaliseName(`阿凡提${dot}买买提`)).toBe('阿凡提·买买提');
    expect(checkName('J. Smith').ok).toBe(false);
  });

  test.each(['王', '王1', '测试', '张某某', '王 小', '<b>王</b>', '', '匿名'])('%j is no name', (name) => {
    expect(checkName(name).ok).toBe(false);
  });

  test('length counts characters, not UTF-16 units', () => {
    expect(checkName('𠮷'.repeat(50)).ok).toBe(true);
    expect(checkName('𠮷').ok).toBe(false);
    expect(checkName('王'.repeat(51)).ok).toBe(false);
  });

  test('masks show neither', () => {
    expect(maskDocumentNumber('15020319000101001X')).toBe('150203********001X');
    expect(maskDocumentNumber('H12345678')).toBe('*******78');
    expect(maskName('王小明')).toBe('王*明');
    expect(maskName('王明')).toBe('王*');
    expect(maskName('𠮷田青')).toBe('𠮷*青');
  });
});
