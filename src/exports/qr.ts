/**
 * QR codes of what is printed: the modules as a matrix for paper drawn by ourselves, and as a PNG for a workbook. Error
 * correction M, byte mode, so that a creased sheet still reads. Same text, same picture. Refuses what would be too
 * dense to be read from paper (`qr-too-long`).
 */
import qrcode from 'qrcode';
import { fail } from '../core/errors.js';

/** Longest text: version 24, 113 modules a side; at 40 mm a module is a third of a millimetre, which a telephone reads. */
export const QR_BYTES_MAX = 900;
/** Light modules around the code (ISO/IEC 18004, 9.1). */
export const QUIET_MODULES = 4;

export interface QrMatrix {
  /** Modules a side, without the quiet zone. */
  readonly size: number;
  readonly isDark: (row: number, column: number) => boolean;
}

export function qrMatrix(text: string): QrMatrix {
  const { modules } = qrcode.create(segmentOf(text), { errorCorrectionLevel: 'M' });
  return { size: modules.size, isDark: (row, column) => modules.get(row, column) !== 0 };
}

/** Black on white, with its quiet zone; `modulePixels` a module. */
export async function qrPng(text: string, modulePixels = 4): Promise<Uint8Array> {
  return qrcode.toBuffer(segmentOf(text), {
    errorCorrectionLevel: 'M',
    type: 'png',
    margin: QUIET_MODULES,
    scale: modulePixels,
  });
}

function segmentOf(text: string): qrcode.QRCodeSegment[] {
  const data = Buffer.from(text, 'utf8');
  if (data.length > QR_BYTES_MAX) throw fail('qr-too-long', { bytes: data.length, bytesMax: QR_BYTES_MAX });
  return [{ mode: 'byte', data: new Uint8ClampedArray(data) }];
}
