/**
 * The attendance table (requirements 9.1) on paper: A4 landscape, at most five class days a sheet, header rows on every page,
 * legend, signatures, policy, digest and QR code under each. Make-ups with reason and approver, and the notes on flags, follow on
 * pages of their own. Draws the value as it is; computes no hours and judges nobody.
 */
import type { Content, ContentText, TableCell, TableCellProperties } from 'pdfmake/interfaces.js';
import { noteSections } from './attendance-notes-pdf.js';
import {
  COUNT_WORDS,
  dateWords,
  daySheets,
  endHeads,
  GAP,
  headParts,
  hoursText,
  JUDGED_WORDS,
  legendText,
  onlineText,
  originLines,
  percentText,
  signatureNote,
  signatureParts,
  SLOT_HEADS,
  slotText,
  thresholdLines,
  thresholdWords,
  titleOf,
  totalText,
} from './attendance-words.js';
import type { AttendanceDay, AttendancePerson, AttendanceTable, SlotTotal, TableVariant } from './attendance.js';
import type { FontBook } from './fonts.js';
import {
  createInk,
  FORM_LAYOUT,
  innerWidths,
  makePdf,
  qrContent,
  type Ink,
  type Place,
  type Printed,
  type Style,
} from './pdf.js';

export interface AttendancePdfOptions {
  readonly variant: TableVariant;
  readonly fonts: FontBook;
}

const BODY: Style = { fontSize: 7, alignment: 'center' };
const SMALL: Style = { fontSize: 6, alignment: 'center' };
const HEAD: Style = { fontSize: 7, alignment: 'center', bold: true };
const QR_SIDE = 92;
const SIDE = 24;
const MARGINS: [number, number, number, number] = [SIDE, 72, SIDE, 116];

/** A hand must be able to sign in a row. */
const ROW_HEIGHT = 19;
const LINE_HEIGHT = 11;
/** With padding and line. */
const WIDTHS = { no: 20, name: 74, document: 72, slot: 18.5, online: 24, hours: 15, total: 34, percent: 32 };

type Cell = ContentText & TableCellProperties;

interface Sheet {
  readonly table: AttendanceTable;
  readonly variant: TableVariant;
  readonly ink: Ink;
}

export async function attendancePdf(table: AttendanceTable, options: AttendancePdfOptions): Promise<Printed> {
  const { variant, fonts } = options;
  const ink = createInk(fonts);
  const sheet: Sheet = { table, variant, ink };
  const sheets =
    variant === 'summary' ? [summarySheet(sheet)] : daySheets(table.days).map((days) => daySheet(sheet, days));
  const content: Content[] = [...sheets, ...noteSections(table, ink)].map((section, index) =>
    index === 0 ? section : { stack: [section], pageBreak: 'before' as const },
  );
  return makePdf(
    {
      title: `${table.classNo} 学员考勤表`,
      institution: table.institution,
      madeOn: table.madeOn,
      definition: {
        pageOrientation: 'landscape',
        pageMargins: MARGINS,
        content,
        header: () => headOf(sheet),
        footer: (page, count) => footOf(sheet, page, count),
      },
      // They are drawn later, page by page.
      rehearse: () => [headOf(sheet), footOf(sheet, 1234567890, 1234567890)],
    },
    fonts,
    ink,
  );
}

function headOf({ table, ink }: Sheet): Content {
  const at = { column: '表头' };
  const parts = headParts(table);
  return {
    margin: [SIDE, 20, SIDE, 0],
    stack: [
      ink.text(titleOf(table), at, { fontSize: 14, bold: true, alignment: 'center' }),
      { ...ink.text(parts.slice(0, 2).join(GAP), at, { fontSize: 8 }), margin: [0, 4, 0, 0] },
      { ...ink.text(parts.slice(2).join(GAP), at, { fontSize: 8 }), margin: [0, 2, 0, 0] },
    ],
  };
}

function footOf({ table, variant, ink }: Sheet, page: number, count: number): Content {
  const at = { column: '表尾' };
  const signatures = [...signatureParts(table), `第 ${String(page)} 页 共 ${String(count)} 页`];
  return {
    margin: [SIDE, 6, SIDE, 0],
    columns: [
      {
        width: '*',
        stack: [
          ink.text(legendText(variant, table), at, { fontSize: 7 }),
          { ...ink.text(signatures.join(GAP), at, { fontSize: 8 }), margin: [0, 16, 0, 14] },
          ...[...originLines(table), signatureNote(table.token)].map((line) =>
            ink.text(line, at, { fontSize: 6, color: '#333333' }),
          ),
        ],
      },
      { width: QR_SIDE, ...qrContent(table.token, QR_SIDE) },
    ],
    columnGap: 10,
  };
}

const middle = (text: ContentText): Cell => ({ ...text, verticalAlignment: 'middle' });
const EMPTY: TableCell = { text: '' };
const empties = (count: number): TableCell[] => Array.from({ length: count }, () => ({ text: '' }));

/** Words under a date, without the hours. */
const columnsOf = (day: AttendanceDay): readonly string[] => [
  ...day.slots.map((slot) => SLOT_HEADS[slot]),
  ...(day.online || day.slots.length === 0 ? ['线上'] : []),
];

/** Five class days; everybody is on it. */
function daySheet(sheet: Sheet, days: readonly AttendanceDay[]): Content {
  const { table, ink } = sheet;
  const head = (value: string): Cell => middle(ink.text(value, { column: '表头' }, HEAD));
  const tall = (value: string): TableCell => ({ ...head(value), rowSpan: 2 });
  const ends = endHeads(table, days);
  const top: TableCell[] = [
    ...['序号', '姓名', '身份证号（脱敏）'].map(tall),
    ...days.flatMap((day): TableCell[] => {
      const count = columnsOf(day).length;
      return [{ ...head(dateWords(day.date)), colSpan: count + 1 }, ...empties(count)];
    }),
    ...ends.map(tall),
  ];
  const below = [
    ...empties(3),
    ...days.flatMap((day) => [...columnsOf(day), '课时'].map(head)),
    ...empties(ends.length),
  ];
  const rows = table.people.map((person) => personRow(sheet, person, days));
  const lines = underTable(table);
  return {
    stack: [
      {
        layout: FORM_LAYOUT,
        table: {
          headerRows: 2,
          keepWithHeaderRows: 1,
          dontBreakRows: true,
          heights: (row) => (row >= 2 && row < 2 + rows.length ? ROW_HEIGHT : LINE_HEIGHT),
          widths: innerWidths([
            ...[WIDTHS.no, WIDTHS.name, WIDTHS.document],
            ...days.flatMap((day) => [
              ...columnsOf(day).map((word) => (word === '线上' ? WIDTHS.online : WIDTHS.slot)),
              WIDTHS.hours,
            ]),
            ...[WIDTHS.total, WIDTHS.percent, '*' as const, '*' as const],
          ]),
          body: [top, below, ...rows, ...totalRows(sheet, days, ends.length)],
        },
      },
      ...lines.map((line) => ({ ...ink.text(line, { column: '表尾' }, { fontSize: 7 }), marginTop: 2 })),
    ],
  };
}

const underTable = (table: AttendanceTable): readonly string[] => [
  [...thresholdLines(table), JUDGED_WORDS].join(GAP),
  COUNT_WORDS,
];

/** Number, name and masked document: how every row of a person begins. */
function personCells(ink: Ink, person: AttendancePerson): readonly TableCell[] {
  const cell = cellsOf(ink, person);
  return [
    cell(String(person.no), '序号'),
    cell(person.name, '姓名'),
    cell(person.maskedDocument, '身份证号', { ...BODY, fontSize: 6.5 }),
  ];
}

const cellsOf =
  (ink: Ink, { traineeNo }: AttendancePerson) =>
  (value: string, column: string, style: Style = BODY): TableCell =>
    middle(ink.text(value, { traineeNo, column }, style));

function remarkCell(ink: Ink, { traineeNo }: AttendancePerson, remarks: readonly string[]): TableCell {
  const at: Place = { traineeNo, column: '备注' };
  // What no font could draw is named where the office looks; drawn last, when the whole row has been tried.
  const substituted = ink.remarkOn(traineeNo);
  const lines = substituted === null ? remarks : [...remarks, substituted];
  return middle(ink.text(lines.join('\n'), at, { fontSize: 6, alignment: 'left' }));
}

function personRow(sheet: Sheet, person: AttendancePerson, days: readonly AttendanceDay[]): TableCell[] {
  const { table, variant, ink } = sheet;
  const cell = cellsOf(ink, person);
  const begin = personCells(ink, person);
  const body = days.flatMap((day): TableCell[] => {
    const own = person.days.find((one) => one.date === day.date);
    if (own === undefined) return empties(columnsOf(day).length + 1);
    const slots = day.slots.map((slot) =>
      slotText(
        own.slots.find((one) => one.slot === slot),
        variant,
      ),
    );
    const online = columnsOf(day).length > slots.length ? [onlineText(own)] : [];
    return [...slots, ...online, hoursText(own)].map((text) => cell(text, dateWords(day.date), SMALL));
  });
  return [
    ...begin,
    ...body,
    cell(totalText(person), '累计课时'),
    cell(percentText(person.percent), '出勤率'),
    EMPTY,
    remarkCell(ink, person, [...thresholdWords(table, person), ...person.remarks]),
  ];
}

/** 合计行: expected, present and share of each slot. */
function totalRows({ table, ink }: Sheet, days: readonly AttendanceDay[], ends: number): readonly TableCell[][] {
  const cell = (value: string, style: Style = SMALL): Cell => middle(ink.text(value, { column: '合计' }, style));
  const line = (words: string, of: (total: SlotTotal) => string): TableCell[] => [
    { ...cell(words, HEAD), colSpan: 3 },
    ...empties(2),
    ...days.flatMap((day): TableCell[] => {
      const totals = day.slots.map((slot) =>
        table.slotTotals.find((one) => one.date === day.date && one.slot === slot),
      );
      const cells = totals.map((total) => cell(total === undefined ? '' : of(total)));
      return [...cells, ...empties(columnsOf(day).length + 1 - cells.length)];
    }),
    { text: '', colSpan: ends },
    ...empties(ends - 1),
  ];
  return [
    line('合计：应到', (total) => String(total.expected)),
    line('合计：实到', (total) => String(total.present)),
    line('合计：出勤率 %', (total) => (total.percent === null ? '—' : String(total.percent))),
  ];
}

/** The variant without days: totals by where they come from, and both thresholds. */
function summarySheet({ table, ink }: Sheet): Content {
  const words = [
    ...['序号', '姓名', '身份证号（脱敏）', '打卡课时', '补签课时', '线上课时', '累计课时', '出勤率', '考核线'],
    ...['学员签名', '备注'],
  ];
  const rows = table.people.map((person) => {
    const cell = cellsOf(ink, person);
    const begin = personCells(ink, person);
    return [
      ...begin,
      cell(String(person.hoursByPunch), '打卡课时'),
      cell(String(person.makeupCounted), '补签课时'),
      cell(String(person.onlineCounted), '线上课时'),
      cell(totalText(person), '累计课时'),
      cell(percentText(person.percent), '出勤率'),
      cell(thresholdWords(table, person).join('\n'), '考核线', SMALL),
      EMPTY,
      remarkCell(ink, person, person.remarks),
    ];
  });
  return {
    stack: [
      {
        layout: FORM_LAYOUT,
        table: {
          headerRows: 1,
          keepWithHeaderRows: 1,
          dontBreakRows: true,
          heights: (row) => (row < 1 ? LINE_HEIGHT : ROW_HEIGHT),
          widths: innerWidths([WIDTHS.no, 110, 96, 54, 54, 54, 64, 54, 64, 84, '*']),
          body: [words.map((word) => middle(ink.text(word, { column: '表头' }, HEAD))), ...rows],
        },
      },
      ...underTable(table).map((line) => ({
        ...ink.text(line, { column: '表尾' }, { fontSize: 7 }),
        marginTop: 2,
      })),
    ],
  };
}
