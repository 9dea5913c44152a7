/** The day's attendance table on a terminal: columns that stay straight although Chinese characters are two cells wide. */

export interface TableRow {
  readonly index: number;
  /** Masked name. */
  readonly name: string;
  readonly traineeNo: string;
  /** Times of AM in, AM out, PM in, PM out; null when empty. */
  readonly slots: readonly (string | null)[];
  readonly hours: number | null;
  readonly flags: readonly string[];
  readonly state: string;
}

/** Cells that a text occupies: CJK and full-width characters take two. */
export function cells(text: string): number {
  let width = 0;
  for (const char of text)
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u.test(char)
      ? 2
      : 1;
  return width;
}

export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cells(text)));
}

const WIDTHS = [4, 8, 7, 6, 6, 6, 6, 5] as const;
const HEAD = ['序号', '姓名', '学员号', '上到', '上退', '下到', '下退', '课时', '说明 flags'];

/** One line for each trainee, and a sum line. */
export function attendanceTable(title: string, rows: readonly TableRow[]): readonly string[] {
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) => pad(text, WIDTHS[at] ?? 0))
      .join(' ')
      .trimEnd();
  const body = rows.map((row) =>
    line([
      String(row.index),
      row.name,
      row.traineeNo,
      ...[0, 1, 2, 3].map((at) => row.slots[at] ?? '—'),
      row.hours === null ? '' : String(row.hours),
      row.flags.join(' '),
    ]),
  );
  const present = [0, 1, 2, 3].map((at) => rows.filter((row) => row.slots[at]).length);
  const sum = rows.reduce((total, row) => total + (row.hours ?? 0), 0);
  const rate = present.map((count) => `${count}/${rows.length}`).join(' ');
  return [title, line(HEAD), ...body, `合计 total  实到/应到 present/expected ${rate}  课时 hours ${sum}`];
}
