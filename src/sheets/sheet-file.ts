/**
 * A file on the disk to a table, in the thread that calls it: looks at the bytes, then reads a workbook or CSV text.
 * The caller gives it a thread, a limit of memory and a deadline; `readSheet` does.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fail, systemCode } from '../core/errors.js';
import { openArchive, type Archive } from './archive.js';
import { sheetWords } from './cell-text.js';
import { parseCsv } from './csv.js';
import { fileKind } from './file-kind.js';
import { SHEET_LIMITS, type Sheet, type SheetNote } from './sheet.js';
import { decodeText } from './text-encoding.js';
import { readWorkbook, type SheetEntry, type Workbook } from './workbook.js';
import { isBlank, readWorksheet } from './worksheet.js';

/** Throws `sheet-…` of kind settings. */
export async function readSheetFile(file: string, sheetName: string | null): Promise<Sheet> {
  return readSheetBytes(await bytesOf(file), sheetName);
}

async function bytesOf(file: string): Promise<Buffer> {
  try {
    // A named pipe would keep a plain `open` waiting for a writer for ever.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = await handle.stat();
      if (!status.isFile()) throw fail('sheet-unreadable', { file, reason: 'it is no file', reasonZh: '不是文件' });
      if (status.size > SHEET_LIMITS.fileBytesMax) throw tooBig(status.size);
      // One byte more than was announced tells of a file that grows while it is read.
      const bytes = Buffer.alloc(Math.min(status.size, SHEET_LIMITS.fileBytesMax) + 1);
      let filled = 0;
      for (;;) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
        if (bytesRead === 0) return bytes.subarray(0, filled);
        filled += bytesRead;
        if (filled === bytes.length) throw tooBig(filled);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    const reasonZh = code === 'ENOENT' ? '文件不存在' : code === 'EACCES' ? '没有读取权限' : code;
    throw fail('sheet-unreadable', { file, reason: code === 'ENOENT' ? 'no such file' : code, reasonZh }, error);
  }
}

const tooBig = (bytes: number): Error => fail('sheet-too-big', { bytes, max: SHEET_LIMITS.fileBytesMax });

/** The same for bytes that are there already. */
export async function readSheetBytes(bytes: Buffer, sheetName: string | null): Promise<Sheet> {
  const source = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
  if (bytes.length > SHEET_LIMITS.fileBytesMax) throw tooBig(bytes.length);
  if (fileKind(bytes) === 'zip') return { ...(await readXlsx(bytes, sheetName)), ...source };
  const { text, encoding } = decodeText(bytes);
  const rows = parseCsv(text);
  if (rows.length === 0) throw fail('sheet-empty', { place: 'no row holds anything', placeZh: '没有任何内容' });
  return { format: 'csv', encoding, sheetName: null, otherSheets: [], rows, merged: [], notes: [], ...source };
}

async function readXlsx(bytes: Buffer, wanted: string | null): Promise<Omit<Sheet, 'sha256' | 'sizeBytes'>> {
  const archive = await openArchive(bytes);
  const workbook = await readWorkbook(archive);
  const { entry, notes } = await choose(archive, workbook, wanted);
  const { rows, merged } = await readWorksheet(archive, workbook, entry);
  if (rows.length === 0) {
    const words = sheetWords(entry.name);
    throw fail('sheet-empty', { place: words.en, placeZh: words.zh.trim() });
  }
  return {
    format: 'xlsx',
    encoding: null,
    sheetName: entry.name,
    otherSheets: workbook.sheets.filter((one) => one !== entry).map((one) => one.name),
    rows,
    merged,
    notes: [...workbook.notes, ...notes],
  };
}

const quoted = (sheets: readonly SheetEntry[]): string => sheets.map(({ name }) => `"${name}"`).join(', ') || '-';

/** The sheet of our templates that explains the other one. */
const HELP = '填写说明';

/** The sheet that is asked for, or the only visible one that holds something and explains nothing. A hidden sheet is never read. */
async function choose(
  archive: Archive,
  workbook: Workbook,
  wanted: string | null,
): Promise<{ readonly entry: SheetEntry; readonly notes: readonly SheetNote[] }> {
  const visible = workbook.sheets.filter(({ hidden }) => !hidden);
  const notes: SheetNote[] = workbook.sheets
    .filter(({ hidden }) => hidden)
    .map(({ name }) => ({
      code: 'hidden-sheet',
      en: `the hidden sheet "${name}" is not read`,
      zh: `隐藏的工作表 “${name}” 未读取`,
    }));
  if (wanted !== null) {
    const name = wanted.normalize('NFC').trim();
    const entry = visible.find((one) => one.name.trim() === name);
    if (entry === undefined) throw fail('sheet-unknown', { sheet: wanted, sheets: quoted(visible) });
    return { entry, notes };
  }
  const [only] = visible;
  if (only === undefined) {
    throw fail('sheet-empty', { place: 'the workbook has no visible sheet', placeZh: '工作簿没有可见的工作表' });
  }
  if (visible.length === 1) return { entry: only, notes };
  const filled: SheetEntry[] = [];
  for (const one of visible) {
    if (one.name.startsWith(HELP)) continue;
    if (!(await isBlank(archive, one))) filled.push(one);
    else {
      notes.push({ code: 'empty-sheet', en: `sheet "${one.name}" is empty`, zh: `工作表 “${one.name}” 为空` });
    }
  }
  if (filled.length > 1) throw fail('sheet-choice', { sheets: quoted(filled) });
  return { entry: filled[0] ?? only, notes };
}
