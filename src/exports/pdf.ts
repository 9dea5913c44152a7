/**
 * Paper: what every PDF of ours shares. Text becomes runs of fonts that have its characters, the document is made with a fixed
 * date, fonts are embedded as subsets and text stays text, so that it can be searched and copied.
 *
 * Promises: the same content and fonts give the same bytes; what no font could draw is told by trainee number, column and
 * code point, never by the text. Loads nothing from network or disk but the fonts themselves.
 */
import pdfmake from 'pdfmake';
import type {
  Content,
  ContentCanvas,
  ContentText,
  CustomTableLayout,
  TDocumentDefinitions,
  TFontDictionary,
} from 'pdfmake/interfaces.js';
import { dateAt, nativeDate, type LocalDate, type Zone } from '../core/time.js';
import { SUBSTITUTE, type FontBook } from './fonts.js';
import { qrMatrix, QUIET_MODULES } from './qr.js';

export interface Unprintable {
  /** Null: not about one person. */
  readonly traineeNo: string | null;
  /** Column of the table or part of the page, in Chinese. */
  readonly column: string;
  /** `U+2CC56`, each once. */
  readonly codePoints: readonly string[];
}

export interface Printed {
  readonly bytes: Uint8Array;
  readonly pages: number;
  readonly unprintable: readonly Unprintable[];
}

/** Where a text stands, for the list of what could not be drawn. */
export interface Place {
  readonly traineeNo?: string;
  readonly column: string;
}

export interface Style {
  readonly bold?: boolean;
  readonly fontSize?: number;
  readonly color?: string;
  readonly alignment?: 'left' | 'center' | 'right';
}

export interface Ink {
  readonly text: (value: string, place: Place, style?: Style) => ContentText;
  /** Substitutes used for a person so far, as a remark; null: none. */
  readonly remarkOn: (traineeNo: string) => string | null;
  readonly unprintable: () => readonly Unprintable[];
}

export function createInk(fonts: FontBook): Ink {
  const missing = new Map<string, { readonly place: Place; readonly codePoints: Set<string> }>();
  return {
    text: (value, place, style = {}) => {
      const { bold = false, ...rest } = style;
      const drawn = fonts.draw(value, bold ? 'bold' : 'normal');
      if (drawn.missing.length > 0) {
        const key = `${place.traineeNo ?? ''}\n${place.column}`;
        const known = missing.get(key) ?? { place, codePoints: new Set<string>() };
        for (const codePoint of drawn.missing) known.codePoints.add(codePoint);
        missing.set(key, known);
      }
      return { text: drawn.runs.map((run) => ({ ...run })), ...rest };
    },
    remarkOn: (traineeNo) => {
      const codes = [...missing.values()]
        .filter(({ place }) => place.traineeNo === traineeNo)
        .flatMap(({ codePoints }) => [...codePoints]);
      return codes.length === 0 ? null : `${SUBSTITUTE} ${[...new Set(codes)].join(' ')}`;
    },
    unprintable: () =>
      [...missing.values()].map(({ place, codePoints }) => ({
        traineeNo: place.traineeNo ?? null,
        column: place.column,
        codePoints: [...codePoints],
      })),
  };
}

/** A QR code of `side` points with its quiet zone, drawn as areas: sharp on every printer. For one place: the PDF maker moves it. */
export function qrContent(text: string, side: number): ContentCanvas {
  const { size, isDark } = qrMatrix(text);
  const module = side / (size + 2 * QUIET_MODULES);
  const rows = Array.from({ length: size }, (_, row) => row);
  const canvas = rows.flatMap((row) =>
    darkRuns(size, (column) => isDark(row, column)).map(([from, length]) => ({
      type: 'rect' as const,
      x: (QUIET_MODULES + from) * module,
      y: (QUIET_MODULES + row) * module,
      w: length * module,
      h: module,
      color: '#000000',
    })),
  );
  // Without it the quiet zone at right and bottom would not be kept free.
  const ground = { type: 'rect' as const, x: 0, y: 0, w: side, h: side, color: '#ffffff' };
  return { canvas: [ground, ...canvas] };
}

function darkRuns(size: number, isDark: (column: number) => boolean): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let column = 0; column < size; column += 1) {
    if (!isDark(column)) continue;
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === column) last[1] += 1;
    else runs.push([column, 1]);
  }
  return runs;
}

const LINE = 0.5;
const PADDING = 1;

/** Widths of columns without padding and line, which the PDF maker adds. */
export const innerWidths = (widths: readonly (number | '*')[]): (number | '*')[] =>
  widths.map((width) => (width === '*' ? width : width - 2 * PADDING - LINE));

/** Thin lines and tight cells, as on a form. */
export const FORM_LAYOUT: CustomTableLayout = {
  hLineWidth: () => LINE,
  vLineWidth: () => LINE,
  hLineColor: () => '#444444',
  vLineColor: () => '#444444',
  paddingLeft: () => PADDING,
  paddingRight: () => PADDING,
  paddingTop: () => 1,
  paddingBottom: () => 1,
};

export interface Paper {
  readonly definition: TDocumentDefinitions;
  readonly title: string;
  readonly institution: string;
  /** Date of the document; there is no clock here. */
  readonly madeOn: LocalDate;
  /** Draws once what is drawn page by page later, so that its fonts are opened in time. */
  readonly rehearse?: () => readonly Content[];
}

/** Makes the PDF. Everything in the definition must have come from this `ink`. */
export async function makePdf(paper: Paper, fonts: FontBook, ink: Ink): Promise<Printed> {
  let pages = 0;
  paper.rehearse?.();
  const ordinary = fonts.draw('0').runs[0]?.font ?? '';
  const { footer } = paper.definition;
  const definition: TDocumentDefinitions = {
    pageSize: 'A4',
    version: '1.7',
    language: 'zh-CN',
    // The lines of Chinese fonts are high; a form has no room for that.
    defaultStyle: { font: ordinary, fontSize: 8, lineHeight: 0.85 },
    ...paper.definition,
    footer: (page, count, size) => {
      pages = count;
      return typeof footer === 'function' ? footer(page, count, size) : (footer ?? '');
    },
    info: {
      title: paper.title,
      author: paper.institution,
      creator: 'Rollcall',
      producer: 'Rollcall',
      creationDate: nativeDate(dateAt(paper.madeOn, '00:00', 'Asia/Shanghai' as Zone)),
    },
  };
  // Nothing of a document may make the program read a file or call a server; only the fonts that were found are opened.
  const dictionary = fonts.dictionary();
  const fontFiles = new Set(
    Object.values(dictionary).map(({ normal }) => (typeof normal === 'string' ? normal : normal[0])),
  );
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((path) => fontFiles.has(path));
  // A face of a collection is a pair; the types do not say so.
  pdfmake.setFonts(dictionary as TFontDictionary);
  const bytes = await pdfmake.createPdf(definition).getBuffer();
  return { bytes: new Uint8Array(bytes), pages, unprintable: ink.unprintable() };
}
