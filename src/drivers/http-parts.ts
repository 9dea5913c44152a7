/**
 * Measures one part of an endless multipart answer at the beginning of some bytes, for `http-message.ts`: a pure function that
 * says how long the part is, that more bytes are needed, or that none begins here. The length header rules; without one the
 * next boundary ends the part. The line end before a boundary belongs to the boundary, as RFC 2046 has it.
 */

/** A part as it lies in the stream. */
export interface HttpPart {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The last boundary, which has nothing after it. */
  readonly last: boolean;
  readonly body: Uint8Array;
  /** Boundary, headers and body. */
  readonly bytes: Uint8Array;
  /** Where the body begins in `bytes`; it lasts to their end. */
  readonly bodyAt: number;
}

/** What is known of the part at the beginning of the bytes; kept by the caller from one call to the next. */
export interface PartProgress {
  headers: Readonly<Record<string, string>>;
  bodyAt: number;
  searched: number;
}

const HEAD_BYTES_MAX = 8_192;
const [LF, CR, DASH] = [10, 13, 45];

const newLine = (bytes: Uint8Array, at: number): number => {
  if (bytes[at] === LF) return 1;
  return bytes[at] === CR && bytes[at + 1] === LF ? 2 : 0;
};

export const newProgress = (): PartProgress => ({ headers: {}, bodyAt: 0, searched: 0 });

export function markOf(boundary: string): Buffer {
  return Buffer.from(boundary.startsWith('--') ? boundary : `--${boundary}`, 'latin1');
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(':');
    const name = line.slice(0, Math.max(0, at)).trim().toLowerCase();
    if (at > 0 && name !== '__proto__') headers[name] = line.slice(at + 1).trim();
  }
  return headers;
}

/** Finds where the body begins; 0: not yet. */
function findBody(bytes: Buffer, from: number, progress: PartProgress): number | 'more' | 'no' {
  if (from >= bytes.length) return 'more';
  const lineEnd = newLine(bytes, from);
  if (lineEnd > 0) return from + lineEnd;
  const crlf = bytes.indexOf('\r\n\r\n', from, 'latin1');
  const lf = bytes.indexOf('\n\n', from, 'latin1');
  const at = crlf >= 0 && (lf < 0 || crlf < lf) ? crlf : lf;
  if (at < 0) return bytes.length - from > HEAD_BYTES_MAX ? 'no' : 'more';
  progress.headers = parseHeaders(bytes.toString('latin1', from, at));
  return at + (at === crlf ? 4 : 2);
}

/** Length of the part at byte 0, with its boundary. `final`: nothing more will come. */
export function measurePart(
  at: Uint8Array,
  mark: Buffer,
  progress: PartProgress,
  final: boolean,
): number | 'more' | 'no' {
  const bytes = Buffer.from(at.buffer, at.byteOffset, at.length);
  if (progress.bodyAt === 0) {
    if (bytes.length === 1 && bytes[0] === CR) return 'more';
    const markAt = newLine(bytes, 0);
    const there = Math.min(mark.length, bytes.length - markAt);
    if (bytes.compare(mark, 0, there, markAt, markAt + there) !== 0) return 'no';
    const after = markAt + mark.length;
    if (bytes.length < after + 2) return 'more';
    if (bytes[after] === DASH && bytes[after + 1] === DASH) {
      progress.bodyAt = after + 2 + newLine(bytes, after + 2);
      return progress.bodyAt > after + 2 || final || bytes.length > after + 3 ? progress.bodyAt : forgotten(progress);
    }
    const lineEnd = newLine(bytes, after);
    if (lineEnd === 0) return 'no';
    const body = findBody(bytes, after + lineEnd, progress);
    if (typeof body !== 'number') return body;
    progress.bodyAt = body;
    progress.searched = body;
  }
  const told = progress.headers['content-length'];
  if (told !== undefined && /^\d{1,12}$/.test(told)) {
    const total = progress.bodyAt + Number(told);
    return bytes.length >= total ? total : 'more';
  }
  const next = bytes.indexOf(mark, progress.searched);
  if (next < 0) {
    progress.searched = Math.max(progress.bodyAt, bytes.length - mark.length);
    return final ? bytes.length : 'more';
  }
  if (next >= 2 && bytes[next - 2] === CR && bytes[next - 1] === LF) return Math.max(progress.bodyAt, next - 2);
  return Math.max(progress.bodyAt, bytes[next - 1] === LF ? next - 1 : next);
}

/** The line end after the last boundary may still come. */
function forgotten(progress: PartProgress): 'more' {
  progress.bodyAt = 0;
  return 'more';
}

export function partOf(bytes: Uint8Array, progress: PartProgress): HttpPart {
  const bodyAt = progress.bodyAt;
  const text = Buffer.from(bytes).toString('latin1', 0, Math.min(bytes.length, 300)).trimEnd();
  const last = bodyAt >= bytes.length && text.endsWith('--') && Object.keys(progress.headers).length === 0;
  return { headers: progress.headers, last, body: bytes.subarray(bodyAt), bytes, bodyAt };
}
