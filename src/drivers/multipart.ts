/**
 * Multipart bodies (RFC 2046: mixed, form-data, and the endless x-mixed-replace of event streams), read piece by piece and
 * written. The length header of a part rules; only without one is the boundary searched. Terminals disagree with the
 * standard: quotes or none around the boundary, a boundary declared with its dashes, LF alone, no last boundary. All are taken.
 *
 * Bodies that the caller does not keep (pictures) are skipped and never gathered.
 */

export interface Part {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** `name` of Content-Disposition. */
  readonly name: string | null;
  readonly filename: string | null;
  /** Empty when the part was not kept. */
  readonly body: Uint8Array;
  readonly kept: boolean;
  /** Where the body lies in all bytes pushed so far, for scrubbing; `to` is not part of it. */
  readonly from: number;
  readonly to: number;
}

export interface MultipartReader {
  push(chunk: Uint8Array): readonly Part[];
  /** End of the stream: a last part without length and without final boundary is given; one shorter than its length is not. */
  end(): readonly Part[];
  /** Bytes of an unfinished part. */
  readonly pending: number;
}

export interface MultipartOptions {
  readonly boundary: string;
  /** A kept part that is larger is dropped as if it were not kept; 1 MiB when not said. */
  readonly partBytesMax?: number;
  /** Whether the body of a part with these headers is wanted; all when not said. */
  readonly keep?: (headers: Readonly<Record<string, string>>) => boolean;
}

const PART_BYTES_MAX = 1024 * 1024;
const HEAD_BYTES_MAX = 8_192;

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** The boundary that a Content-Type names; null when it is no multipart. */
export function boundaryOf(contentType: string): string | null {
  if (!/^\s*multipart\//i.test(contentType)) return null;
  const match = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? '';
  return boundary === '' || boundary.length > 200 ? null : boundary;
}

/** A parameter of Content-Disposition; quotes are optional. */
function parameter(header: string | undefined, name: string): string | null {
  const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^\\s;]+))`, 'i').exec(header ?? '');
  return match?.[1] ?? match?.[2] ?? null;
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

export function createMultipartReader(options: MultipartOptions): MultipartReader {
  const partBytesMax = options.partBytesMax ?? PART_BYTES_MAX;
  const keep = options.keep ?? ((): boolean => true);
  // Some terminals declare the boundary with the dashes that belong before it.
  const mark = Buffer.from(options.boundary.startsWith('--') ? options.boundary : `--${options.boundary}`, 'latin1');
  let buffer = Buffer.alloc(0);
  /** Position of the buffer's first byte in everything pushed. */
  let base = 0;
  let state: 'between' | 'head' | 'body' = 'between';
  let headers: Record<string, string> = {};
  let bodyFrom = 0;
  let length: number | null = null;
  let kept = true;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  /** Bytes of the buffer in which the searched mark has been looked for in vain. */
  let searched = 0;

  const consume = (count: number): void => {
    buffer = buffer.subarray(count);
    base += count;
    searched = 0;
  };
  const gather = (count: number): void => {
    if (kept && gatheredBytes + count > partBytesMax) {
      kept = false;
      gathered = [];
    }
    if (kept) gathered.push(Uint8Array.from(buffer.subarray(0, count)));
    gatheredBytes += count;
    consume(count);
  };
  const finish = (): Part => {
    const disposition = headers['content-disposition'];
    const part: Part = {
      headers,
      name: parameter(disposition, 'name'),
      filename: parameter(disposition, 'filename'),
      body: kept ? Buffer.concat(gathered) : new Uint8Array(0),
      kept,
      from: bodyFrom,
      to: bodyFrom + gatheredBytes,
    };
    state = 'between';
    gathered = [];
    return part;
  };
  const startBody = (): void => {
    const told = headers['content-length'];
    length = told !== undefined && /^\d{1,12}$/.test(told) ? Number(told) : null;
    bodyFrom = base;
    gathered = [];
    gatheredBytes = 0;
    kept = keep(headers);
    state = 'body';
  };

  /** Each step consumes something or says that more bytes are needed (null). */
  const between = (): boolean => {
    const at = buffer.indexOf(mark, searched);
    if (at < 0) {
      // Keep what may be the beginning of a mark.
      consume(Math.max(0, buffer.length - mark.length + 1));
      return false;
    }
    const after = at + mark.length;
    const lineEnd = buffer.indexOf(10, after);
    if (lineEnd < 0 && buffer.length - after < 80) {
      searched = at;
      return false;
    }
    const rest = latin1(buffer.subarray(after, lineEnd < 0 ? after + 80 : lineEnd)).trimEnd();
    if (rest === '' && lineEnd >= 0) {
      consume(lineEnd + 1);
      state = 'head';
    } else consume(after);
    return true;
  };
  const head = (): boolean => {
    // A part without headers begins with the empty line.
    const empty = buffer[0] === 10 ? 1 : buffer[0] === 13 && buffer[1] === 10 ? 2 : 0;
    const crlf = buffer.indexOf('\r\n\r\n', searched, 'latin1');
    const lf = buffer.indexOf('\n\n', searched, 'latin1');
    const use = crlf >= 0 && (lf < 0 || crlf < lf) ? { at: crlf, size: 4 } : { at: lf, size: 2 };
    if (empty > 0) {
      headers = {};
      consume(empty);
      startBody();
      return true;
    }
    if (use.at < 0) {
      if (buffer.length > HEAD_BYTES_MAX) {
        state = 'between';
        return true;
      }
      searched = Math.max(0, buffer.length - 3);
      return false;
    }
    headers = parseHeaders(latin1(buffer.subarray(0, use.at)));
    consume(use.at + use.size);
    startBody();
    return true;
  };
  const body = (parts: Part[]): boolean => {
    if (length !== null) {
      const wanted = length - gatheredBytes;
      gather(Math.min(wanted, buffer.length));
      if (gatheredBytes < length) return false;
      parts.push(finish());
      return true;
    }
    const at = buffer.indexOf(mark, searched);
    if (at < 0) {
      // Four bytes more, for the line end and the dashes that belong to the mark.
      const sure = buffer.length - mark.length - 3;
      if (sure > 0) gather(sure);
      return false;
    }
    // A boundary may itself begin with dashes: then those of the standard stand before it.
    const line = at >= 3 && buffer[at - 3] === 10 && buffer[at - 2] === 45 && buffer[at - 1] === 45 ? at - 2 : at;
    const before =
      line >= 2 && buffer[line - 2] === 13 && buffer[line - 1] === 10
        ? 2
        : line >= 1 && buffer[line - 1] === 10
          ? 1
          : 0;
    gather(line - before);
    parts.push(finish());
    return true;
  };
  const scan = (): Part[] => {
    const parts: Part[] = [];
    for (let going = true; going && (buffer.length > 0 || (state === 'body' && length === 0));) {
      going = state === 'between' ? between() : state === 'head' ? head() : body(parts);
    }
    return parts;
  };

  return {
    push(chunk) {
      buffer = buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([buffer, chunk]);
      return scan();
    },
    end() {
      const parts = scan();
      if (state === 'body' && length === null) {
        gather(buffer.length);
        parts.push(finish());
      }
      return parts;
    },
    get pending() {
      return buffer.length + (state === 'body' ? gatheredBytes : 0);
    },
  };
}

/** All parts of a body that is there as a whole; none when the type names no boundary. */
export function readMultipart(
  contentType: string,
  body: Uint8Array,
  options: Omit<MultipartOptions, 'boundary'> = {},
): readonly Part[] {
  const boundary = boundaryOf(contentType);
  if (boundary === null) return [];
  const reader = createMultipartReader({ ...options, boundary });
  return [...reader.push(body), ...reader.end()];
}

export interface PartToWrite {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** One part with its boundary before it and its length; `writeEnd` ends the body. */
export function writePart(boundary: string, part: PartToWrite): Uint8Array {
  const body = typeof part.body === 'string' ? Buffer.from(part.body, 'utf8') : part.body;
  const lines = Object.entries({ ...part.headers, 'Content-Length': String(body.length) });
  const head = `--${boundary}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body, Buffer.from('\r\n', 'latin1')]);
}

export function writeEnd(boundary: string): Uint8Array {
  return Buffer.from(`--${boundary}--\r\n`, 'latin1');
}

/** A whole body. */
export function writeMultipart(boundary: string, parts: readonly PartToWrite[]): Uint8Array {
  return Buffer.concat([...parts.map((part) => writePart(boundary, part)), writeEnd(boundary)]);
}
