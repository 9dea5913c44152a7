/**
 * The styles of a workbook: every different style is numbered once and written into `styles.xml`. The font is 宋体, which
 * every office in China has; a machine without it takes its own Chinese font.
 */
import type { CellStyle } from './write-xlsx-book.js';
import { xmlText } from './write-xlsx-text.js';

const FONT = '宋体';
/** Points, where the workbook says nothing. */
const STANDARD_SIZE = 11;
/** Numbers of the formats that every spreadsheet program knows (ECMA-376 part 1, 18.8.30); 164 is the first of our own. */
const FORMATS = { text: 49, '0': 1, '0.0': 164, '0.00': 2 } as const;

export interface StyleBook {
  /** Number of a style; `asText` keeps what begins with = + - @ a text even after it was edited. */
  number(style: CellStyle | undefined, asText: boolean): number;
  xml(): string;
}

/** Numbers each text once, in the order of first use; those given stand first. */
function createNumbers(...first: readonly string[]): { of(text: string): number; all(): readonly string[] } {
  const known = new Map(first.map((text, index) => [text, index]));
  return {
    of(text) {
      const number = known.get(text) ?? known.size;
      known.set(text, number);
      return number;
    },
    all: () => [...known.keys()],
  };
}

export function createStyleBook(size: number = STANDARD_SIZE): StyleBook {
  const fonts = createNumbers(fontXml({}, size));
  // The first two fills are the format's own, whatever a file says.
  const fills = createNumbers(
    '<fill><patternFill patternType="none"/></fill>',
    '<fill><patternFill patternType="gray125"/></fill>',
  );
  const borders = createNumbers(borderXml(undefined));
  const numberOf = (style: CellStyle, asText: boolean): string => {
    const font = fonts.of(fontXml(style, size));
    const fill = style.fill === undefined ? 0 : fills.of(fillXml(style.fill));
    const border = borders.of(borderXml(style.border));
    const format = style.format === undefined ? 0 : FORMATS[style.format];
    const alignment = alignmentXml(style);
    const applies = [
      ...(format === 0 ? [] : [' applyNumberFormat="1"']),
      ...(font === 0 ? [] : [' applyFont="1"']),
      ...(fill === 0 ? [] : [' applyFill="1"']),
      ...(border === 0 ? [] : [' applyBorder="1"']),
      ...(alignment === '' ? [] : [' applyAlignment="1"']),
      ...(asText ? [' quotePrefix="1"'] : []),
    ].join('');
    const head = `<xf numFmtId="${format}" fontId="${font}" fillId="${fill}" borderId="${border}" xfId="0"${applies}`;
    return alignment === '' ? `${head}/>` : `${head}>${alignment}</xf>`;
  };
  const formats = createNumbers(numberOf({}, false));
  return {
    number: (style, asText) => (style === undefined && !asText ? 0 : formats.of(numberOf(style ?? {}, asText))),
    xml: () =>
      [
        '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">',
        `<numFmts count="1"><numFmt numFmtId="${FORMATS['0.0']}" formatCode="0.0"/></numFmts>`,
        list('fonts', fonts.all()),
        list('fills', fills.all()),
        list('borders', borders.all()),
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>',
        list('cellXfs', formats.all()),
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>',
        '</styleSheet>',
      ].join(''),
  };
}

const list = (name: string, items: readonly string[]): string =>
  `<${name} count="${items.length}">${items.join('')}</${name}>`;

function fontXml(style: CellStyle, size: number): string {
  const bold = style.bold === true ? '<b/>' : '';
  const color = style.color === undefined ? '' : `<color rgb="FF${xmlText(style.color)}"/>`;
  return `<font>${bold}<sz val="${style.size ?? size}"/>${color}<name val="${FONT}"/><family val="3"/><charset val="134"/></font>`;
}

const fillXml = (color: string): string =>
  `<fill><patternFill patternType="solid"><fgColor rgb="FF${xmlText(color)}"/><bgColor indexed="64"/></patternFill></fill>`;

function borderXml(border: CellStyle['border']): string {
  const side = (name: string, drawn: boolean): string =>
    drawn ? `<${name} style="thin"><color auto="1"/></${name}>` : `<${name}/>`;
  const all = border === 'all';
  return `<border>${side('left', all)}${side('right', all)}${side('top', all)}${side('bottom', border !== undefined)}<diagonal/></border>`;
}

function alignmentXml(style: CellStyle): string {
  const parts = [
    ...(style.align === undefined ? [] : [` horizontal="${style.align}"`]),
    ...(style.vertical === undefined ? [] : [` vertical="${style.vertical}"`]),
    ...(style.wrap === true ? [' wrapText="1"'] : []),
    ...(style.shrink === true ? [' shrinkToFit="1"'] : []),
  ].join('');
  return parts === '' ? '' : `<alignment${parts}/>`;
}
