/** Which font draws which character, and what happens when none does. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { openFonts } from '../../src/exports/fonts.js';
import { HARD_NAMES } from './fixture.js';
import { NOTO, notoNeed } from './needs-font.js';

const dir = mkdtempSync(join(tmpdir(), 'rollcall-fonts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
};

describe('a machine without a Chinese font', () => {
  test('is told what to install', () => {
    expect(codeOf(() => openFonts({ roots: [dir] }))).toBe('font-missing');
    expect(codeOf(() => openFonts({ roots: [join(dir, 'nowhere')] }))).toBe('font-missing');
  });

  test('is told which file of the settings is no font', () => {
    const broken = join(dir, 'broken.ttf');
    writeFileSync(broken, Buffer.alloc(100, 7));
    expect(codeOf(() => openFonts({ files: [broken], roots: [dir] }))).toBe('font-unreadable');
    expect(codeOf(() => openFonts({ files: [join(dir, 'absent.ttf')], roots: [dir] }))).toBe('font-unreadable');
  });
});

describe.skipIf(!notoNeed.available)(`Noto Sans CJK ${notoNeed.reason}`, () => {
  test('draws hard names whole, with one font, in the face for simplified Chinese', () => {
    const fonts = openFonts();
    for (const name of HARD_NAMES) {
      const drawn = fonts.draw(name);
      expect(drawn.missing, name).toEqual([]);
      expect(drawn.runs.map((run) => run.text).join('')).toBe(name);
    }
    expect(Object.values(fonts.dictionary())).toEqual([{ normal: [NOTO, 'NotoSansCJKsc-Regular'] }]);
  });

  test('a named face of a named file comes first; one that the file does not have is refused', () => {
    const fonts = openFonts({ files: [`${NOTO}#NotoSansMonoCJKsc-Regular`] });
    fonts.draw('考勤');
    expect(Object.values(fonts.dictionary())).toEqual([{ normal: [NOTO, 'NotoSansMonoCJKsc-Regular'] }]);
    expect(codeOf(() => openFonts({ files: [`${NOTO}#Nothing`] }))).toBe('font-unreadable');
  });

  test('a character that no font has is drawn as a substitute and told by its code point, each once', () => {
    const drawn = openFonts({ roots: [join(NOTO, '..')] }).draw('王\u{31350}\u{31350}青');
    expect(drawn.missing).toEqual(['U+31350']);
    expect(drawn.runs.map((run) => run.text).join('')).toBe('王〓〓青');
  });

  test('marks without a shape of their own are no missing characters, and white space needs no glyph', () => {
    const drawn = openFonts().draw('葛\u{e0100} 青\u200b\n乙');
    expect(drawn.missing).toEqual([]);
    expect(drawn.runs.map((run) => run.text).join('')).toBe('葛 青\n乙');
  });

  test('bold is drawn with the bold file where there is one', () => {
    const fonts = openFonts();
    expect(fonts.draw('考勤', 'bold').runs[0]?.font).toBe('bold');
    copyFileSync(NOTO, join(dir, 'NotoSansCJK-Regular.ttc'));
    expect(openFonts({ roots: [dir] }).draw('考勤', 'bold').runs[0]?.font).toBe('f0');
    rmSync(join(dir, 'NotoSansCJK-Regular.ttc'));
  });

  const droid = '/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf';
  test.skipIf(!existsSync(droid))('what the first font has not goes to the next that has it', () => {
    const drawn = openFonts({ files: [droid] }).draw('李𬱖08');
    expect(drawn.missing).toEqual([]);
    expect(drawn.runs.map((run) => run.text)).toEqual(['李', '𬱖08']);
    expect(new Set(drawn.runs.map((run) => run.font)).size).toBe(2);
  });
});
