/**
 * The record of one trainee (电子化凭证, R87) on paper: A4 upright, one page for a class of thirty days. Hours by day with the reason
 * why a lesson did not count, totals with numerator and denominator at both thresholds, and how to verify the QR code without
 * network. Draws the value as it is; nothing on it says that somebody has passed (R40).
 */
import type { Content, ContentText, TableCell, TableCellProperties } from 'pdfmake/interfaces.js';
import {
  hoursText,
  JUDGED_WORDS,
  legendText,
  onlineText,
  percentText,
  slotText,
  SLOT_HEADS,
  statusWords,
  totalText,
} from './attendance-words.js';
import type { FontBook } from './fonts.js';
import { createInk, FORM_LAYOUT, innerWidths, makePdf, qrContent, type Ink, type Printed, type Style } from './pdf.js';
import { isSigned } from './token.js';
import type { TraineeDay, TraineeRecord } from './trainee-record.js';

const SIDE = 34;
const QR_SIDE = 120;
const MARGINS: [number, number, number, number] = [SIDE, 60, SIDE, QR_SIDE + 34];
const GAP = '\u3000';

const BODY: Style = { fontSize: 7.5 };
const CENTER: Style = { fontSize: 7.5, alignment: 'center' };
const HEAD: Style = { fontSize: 7.5, alignment: 'center', bold: true };
const SMALL: Style = { fontSize: 6.5 };
const TINY: Style = { fontSize: 5.5, color: '#444444' };

const SLOTS = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'] as const;

interface Page {
  readonly record: TraineeRecord;
  readonly ink: Ink;
}

export async function traineePdf(record: TraineeRecord, fonts: FontBook): Promise<Printed> {
  const ink = createInk(fonts);
  const page: Page = { record, ink };
  const content = [whoTable(page), totalsTable(page), dayTable(page), legendLine(page)];
  return makePdf(
    {
      title: `${record.classNo} ${record.traineeNo} 学员课时凭证`,
      institution: record.institution,
      madeOn: record.madeOn,
      definition: {
        pageOrientation: 'portrait',
        pageMargins: MARGINS,
        content,
        header: () => headOf(page),
        footer: (number, count) => footOf(page, number, count),
      },
      rehearse: () => [headOf(page), footOf(page, 1234567890, 1234567890)],
    },
    fonts,
    ink,
  );
}

function text({ record, ink }: Page, value: string, column: string, style: Style): ContentText & TableCellProperties {
  return { ...ink.text(value, { traineeNo: record.traineeNo, column }, style), verticalAlignment: 'middle' };
}

function headOf(page: Page): Content {
  const { record } = page;
  const title = `学员课时凭证${record.status === 'provisional' ? '（临时 provisional）' : ''}`;
  return {
    margin: [SIDE, 20, SIDE, 0],
    stack: [
      text(page, record.institution, '表头', { fontSize: 10, alignment: 'center' }),
      text(page, `${title} Record of training hours`, '表头', { fontSize: 14, bold: true, alignment: 'center' }),
    ],
  };
}

function whoTable(page: Page): Content {
  const { record } = page;
  const other = record.otherClassNo === null ? '' : `（${record.otherClassNo}）`;
  const label = (words: string): TableCell => text(page, words, '表头', HEAD);
  const value = (words: string, column: string): TableCell => text(page, words, column, BODY);
  const name = value(record.name, '姓名');
  const rows: TableCell[][] = [
    [label('姓名'), name, label('学员编号'), value(record.traineeNo, '学员编号')],
    [
      label('身份证号（脱敏）'),
      value(record.maskedDocument, '身份证号'),
      label('班级编号'),
      value(`${record.classNo}${other}`, '班级编号'),
    ],
    [
      label('班级名称'),
      value(record.className, '班级名称'),
      label('职业（工种）及等级'),
      value(record.occupation, '职业'),
    ],
    [
      label('培训起止日期'),
      value(`${record.from} 至 ${record.to}`, '培训起止日期'),
      label('总课时 · 培训地点'),
      value(`${String(record.plannedHours)} · ${record.room}`, '培训地点'),
    ],
  ];
  // Asked when name and class have been tried.
  const substituted = page.ink.remarkOn(record.traineeNo);
  const remarks = [...record.remarks, ...(substituted === null ? [] : [substituted])];
  if (remarks.length > 0)
    rows.push([
      label('备注'),
      { ...text(page, remarks.join(GAP), '备注', BODY), colSpan: 3 },
      { text: '' },
      { text: '' },
    ]);
  return { layout: FORM_LAYOUT, table: { widths: innerWidths([76, '*', 84, '*']), body: rows } };
}

function totalsTable(page: Page): Content {
  const { record } = page;
  const heads = ['打卡课时', '补签课时', '线上课时', '累计/规定课时', '出勤率'];
  const values = [
    String(record.hoursByPunch),
    String(record.makeupCounted),
    String(record.onlineCounted),
    totalText({ ...record, no: 0, days: [] }),
    percentText(record.percent),
  ];
  return {
    margin: [0, 5, 0, 5],
    stack: [
      {
        layout: FORM_LAYOUT,
        table: {
          widths: innerWidths(['*', '*', '*', '*', '*']),
          body: [
            heads.map((head) => text(page, head, '表头', HEAD)),
            values.map((value, index) => text(page, value, heads[index] ?? '', { ...CENTER, fontSize: 9 })),
          ],
        },
      },
      ...[...thresholdLines(record), JUDGED_WORDS].map((line) => ({
        ...text(page, line, '考核线', BODY),
        marginTop: 2,
      })),
    ],
  };
}

/** Numerator and denominator at each threshold that is set; the county judges what they mean. */
function thresholdLines(record: TraineeRecord): readonly string[] {
  const { thresholds, requiredHours, totalHours } = record;
  const line = (zh: string, en: string, percent: number | null, reached: boolean | null): string[] => {
    if (percent === null || reached === null) return [];
    const needed = Math.ceil(requiredHours * percent) / 100;
    const [answer, word] = reached ? ['达到', 'reached'] : ['未达到', 'not reached'];
    return [
      `${zh} ${String(percent)}%线：须 ${String(needed)}/${String(requiredHours)} 课时，累计 ${String(totalHours)}/${String(requiredHours)} 课时，${answer}。 ${en} threshold: ${word}.`,
    ];
  };
  return [
    ...line('出勤', 'Attendance', thresholds.attendancePercent, record.attendanceQualified),
    ...line('结业考试', 'Examination', thresholds.examPercent, record.examEligible),
  ];
}

function dayTable(page: Page): Content {
  const heads = ['日期', ...SLOTS.map((slot) => SLOT_HEADS[slot]), '线上', '课时', '不计课时的原因'];
  return {
    layout: FORM_LAYOUT,
    table: {
      headerRows: 1,
      dontBreakRows: true,
      widths: innerWidths([50, 34, 34, 34, 34, 28, 24, '*']),
      body: [heads.map((head) => text(page, head, '表头', HEAD)), ...page.record.days.map((day) => dayRow(page, day))],
    },
  };
}

function dayRow(page: Page, day: TraineeDay): TableCell[] {
  const cell = (value: string): TableCell => text(page, value, day.date, CENTER);
  const slots = SLOTS.map((slot) => {
    if (!day.planned.includes(slot)) return '';
    return slotText(
      day.slots.find((one) => one.slot === slot),
      'times',
    );
  });
  return [
    ...[day.date, ...slots, day.online ? onlineText(day) : '', hoursText(day)].map(cell),
    {
      stack: day.why.flatMap(({ zh, en }) => [text(page, zh, day.date, SMALL), text(page, en, day.date, TINY)]),
    },
  ];
}

function legendLine(page: Page): Content {
  return { ...text(page, legendText('times', page.record), '表尾', SMALL), margin: [0, 4, 0, 0] };
}

function footOf(page: Page, number: number, count: number): Content {
  const { record } = page;
  const signed = isSigned(record.token);
  const how = signed
    ? [
        '核验方法（不需联网）：用手机扫描二维码，把得到的一行文字存为文件，在装有本软件的电脑上执行 rollcall verify 文件 --keys 公钥文件；公钥由网关的 rollcall keys 给出，也可向平台索取。所示编号、课时与本页一致，即为本网关所出。',
        "To verify without network: scan the code, save its one line of text as a file, and run rollcall verify FILE --keys KEYS with the gateway's public key (rollcall keys, or from the platform). Numbers and hours shown must equal this page.",
      ]
    : [
        '未签名：制作时签名密钥不可用，二维码只含数据摘要，不能证明出自本网关。',
        'Unsigned: the signing key was not within reach; the QR code holds the digest only and does not prove where this page comes from.',
      ];
  const status = statusWords(record);
  const origin = [
    `认定政策 policy：${record.policy.id} 第 ${String(record.policy.ver)} 版`,
    `SHA-256 ${record.policy.sha256}`,
    `结果状态 status：${status.zh} ${status.en}${GAP}结果版本 version：截至记录号 ${String(record.throughN)}`,
    `数据摘要 digest：SHA-256 ${record.digest}`,
  ];
  const blank = '＿＿＿＿';
  const signature = [
    ...[`制作人：${record.madeBy}`, `学员（签字）：${blank}`, `培训机构（盖章）：${blank}`, record.madeOn],
    `第 ${String(number)} 页 共 ${String(count)} 页`,
  ].join(GAP);
  return {
    margin: [SIDE, 4, SIDE, 0],
    columns: [
      { width: QR_SIDE, ...qrContent(record.token, QR_SIDE) },
      {
        width: '*',
        stack: [
          ...how.map((line) => ({ ...text(page, line, '表尾', SMALL), marginBottom: 2 })),
          ...origin.map((line) => text(page, line, '表尾', TINY)),
          { ...text(page, signature, '表尾', { fontSize: 8 }), margin: [0, 12, 0, 0] },
        ],
      },
    ],
    columnGap: 8,
  };
}
