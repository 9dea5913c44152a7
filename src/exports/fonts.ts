/**
 * The fonts of what is printed: found on this machine, asked before anything is drawn. Knows where systems keep fonts with Chinese
 * characters, which face of a collection is the one for simplified Chinese, and which character each font has.
 *
 * Promises: every character goes to the first font that has it; one that no font has is drawn as 〓 and told by its code point,
 * never as an empty box. Fonts beyond the first are opened only when a character needs them. Refuses a machine without a
 * Chinese font (`font-missing`) and a named file that is no font (`font-unreadable`). Nothing is downloaded.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as fontkit from 'fontkit';
import { fail, systemCode } from '../core/errors.js';

/** Part of a text that one font draws. */
export interface Run {
  readonly text: string;
  /** Name of the family in `dictionary()`. */
  readonly font: string;
}

export interface Drawn {
  readonly runs: readonly Run[];
  /** Code points that no font has, as `U+2CC56`, each once. */
  readonly missing: readonly string[];
}

/** A file, or a file and the PostScript name of one face in it. */
type Source = string | [file: string, face: string];

export interface FontBook {
  readonly draw: (text: string, weight?: 'normal' | 'bold') => Drawn;
  /** Families used so far, as the PDF maker wants them. */
  readonly dictionary: () => Record<string, { normal: Source }>;
}

export interface FontOptions {
  /** From the settings: `file` or `file#PostScriptName`. They come before all others. */
  readonly files?: readonly string[];
  /** Where to look for fonts of the system; by default the usual places. */
  readonly roots?: readonly string[];
}

/** What a character is drawn as when no font has it: the printers' mark for a missing sort (JIS X 0208, 02-14). */
export const SUBSTITUTE = '〓';

const ROOTS: readonly string[] = [
  '/usr/share/fonts',
  '/usr/local/share/fonts',
  '/System/Library/Fonts',
  '/Library/Fonts',
  'C:\\Windows\\Fonts',
];

/** Files with everyday Chinese, the best first; then files for rare characters and for Latin letters. Bold stands beside its regular. */
const FILES: readonly (readonly [regular: string, bold?: string])[] = [
  ['NotoSansCJK-Regular.ttc', 'NotoSansCJK-Bold.ttc'],
  ['NotoSansCJKsc-Regular.otf', 'NotoSansCJKsc-Bold.otf'],
  ['NotoSansSC-Regular.otf', 'NotoSansSC-Bold.otf'],
  ['SourceHanSansSC-Regular.otf', 'SourceHanSansSC-Bold.otf'],
  ['msyh.ttc', 'msyhbd.ttc'],
  ['wqy-microhei.ttc'],
  ['wqy-zenhei.ttc'],
  ['PingFang.ttc'],
  ['STHeiti Light.ttc', 'STHeiti Medium.ttc'],
  ['NotoSerifCJK-Regular.ttc'],
  ['simsun.ttc'],
  ['uming.ttc'],
  ['DroidSansFallbackFull.ttf'],
  ['simsunb.ttf'],
  ['BabelStoneHan.ttf'],
  ['HanaMinA.ttf'],
  ['HanaMinB.ttf'],
  ['DejaVuSans.ttf'],
  ['LiberationSans-Regular.ttf'],
  ['unifont.otf'],
  ['unifont.ttf'],
  ['unifont_upper.otf'],
  ['unifont_upper.ttf'],
];
const DEPTH_MAX = 4;
/** Without these no table can be drawn. */
const NEEDED = '学员考勤表0123456789';
/** Marks that choose or join shapes and have none themselves. */
const SHAPELESS = /^\p{Default_Ignorable_Code_Point}$/u;

interface Face {
  readonly family: string;
  readonly source: Source;
  has(codePoint: number): boolean;
}

/** Opens the fonts of this machine. Throws `font-missing` or `font-unreadable`. */
export function openFonts(options: FontOptions = {}): FontBook {
  const found = filesUnder(options.roots ?? ROOTS);
  const faces = (options.files ?? []).map((file, index) => namedFace(file, `s${String(index)}`));
  const waiting = FILES.flatMap(([regular]) => found.get(regular) ?? []);
  const used = new Map<string, Source>();

  /** Opens one more font of the system; false when there is none left. */
  const openNext = (): boolean => {
    const file = waiting.shift();
    if (file === undefined) return false;
    const face = openFace(file, null, `f${String(faces.length)}`);
    if (face !== null) faces.push(face);
    return true;
  };
  const faceWith = (codePoint: number): Face | null => {
    for (;;) {
      const face = faces.find((one) => one.has(codePoint));
      if (face !== undefined) return face;
      if (!openNext()) return null;
    }
  };
  for (const character of NEEDED) if (faceWith(codePointOf(character)) === null) throw fail('font-missing');

  const bold = boldOf(faces[0], found);
  const pick = (codePoint: number, weight: 'normal' | 'bold'): Face | null =>
    weight === 'bold' && bold?.has(codePoint) === true ? bold : faceWith(codePoint);

  const draw = (text: string, weight: 'normal' | 'bold' = 'normal'): Drawn => {
    const runs: { text: string; font: string }[] = [];
    const missing = new Set<string>();
    const add = (character: string, face: Face): void => {
      used.set(face.family, face.source);
      const last = runs.at(-1);
      if (last?.font === face.family) last.text += character;
      else runs.push({ text: character, font: face.family });
    };
    for (const character of text.normalize('NFC')) {
      if (SHAPELESS.test(character)) continue;
      const codePoint = codePointOf(character);
      // White space is no glyph; it stays with what it follows.
      const last = /\s/u.test(character) ? runs.at(-1) : undefined;
      if (last !== undefined) {
        last.text += character;
        continue;
      }
      const face = pick(/\s/u.test(character) ? 0x20 : codePoint, weight);
      if (face === null) missing.add(`U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`);
      const instead = face ?? pick(codePointOf(SUBSTITUTE), weight);
      if (instead !== null) add(face === null ? SUBSTITUTE : character, instead);
      else add('?', pick(0x3f, weight) ?? firstOf(faces));
    }
    return { runs, missing: [...missing] };
  };

  return {
    draw,
    dictionary: () =>
      Object.fromEntries(
        // The PDF maker writes into what it is given.
        [...used].map(([family, source]) => [
          family,
          { normal: typeof source === 'string' ? source : [source[0], source[1]] },
        ]),
      ),
  };
}

const codePointOf = (character: string): number => character.codePointAt(0) ?? 0;

function firstOf(faces: readonly Face[]): Face {
  const [face] = faces;
  if (face === undefined) throw fail('font-missing');
  return face;
}

/** The known files that are under these directories, by name; the first of a name counts. */
function filesUnder(roots: readonly string[]): ReadonlyMap<string, string> {
  const wanted = new Set(FILES.flat());
  const found = new Map<string, string>();
  const look = (directory: string, depth: number): void => {
    let entries;
    try {
      entries = readdirSync(directory, { withFileTypes: true });
    } catch {
      return; // Not there, or not ours to read: then there are no fonts for us.
    }
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (depth < DEPTH_MAX) look(path, depth + 1);
      } else if (wanted.has(entry.name) && !found.has(entry.name)) found.set(entry.name, path);
    }
  };
  for (const root of roots) look(root, 1);
  return found;
}

function boldOf(regular: Face | undefined, found: ReadonlyMap<string, string>): Face | null {
  const file = typeof regular?.source === 'string' ? regular.source : regular?.source[0];
  const name = FILES.find(([one]) => found.get(one) === file)?.[1];
  const bold = name === undefined ? undefined : found.get(name);
  return bold === undefined ? null : openFace(bold, null, 'bold');
}

/** A font that the settings name. */
function namedFace(named: string, family: string): Face {
  const [file = '', face = null] = named.split('#');
  let reason = 'not a font that may be embedded';
  try {
    const opened = openFace(file, face, family, (error) => {
      reason = systemCode(error) ?? reason;
    });
    if (opened !== null) return opened;
  } catch {
    // What a font parser says of a broken file helps nobody.
  }
  throw fail('font-unreadable', { file: named, reason });
}

/** Null for a file that is no font, has no such face, or whose maker forbids to embed it (OS/2 fsType). */
function openFace(
  file: string,
  face: string | null,
  family: string,
  onError: (error: unknown) => void = () => undefined,
): Face | null {
  try {
    const opened = fontkit.openSync(file);
    const font = 'fonts' in opened ? faceOf(opened.fonts, face) : opened;
    if (font === undefined || font['OS/2'].fsType.noEmbedding) return null;
    return {
      family,
      source: 'fonts' in opened ? [file, font.postscriptName] : file,
      has: (codePoint) => font.hasGlyphForCodePoint(codePoint),
    };
  } catch (error) {
    onError(error);
    return null;
  }
}

/** The face asked for; else the one for simplified Chinese that is not monospaced; else the first. */
function faceOf(fonts: readonly fontkit.Font[], name: string | null): fontkit.Font | undefined {
  if (name !== null) return fonts.find((font) => font.postscriptName === name);
  const chinese = (font: fontkit.Font): boolean =>
    /(?:CJKsc|SC|Hans|CN|GB)(?:-|$)/.test(font.postscriptName) && !font.postscriptName.includes('Mono');
  return fonts.find(chinese) ?? fonts[0];
}
