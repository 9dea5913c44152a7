/**
 * One direction of a connection in pieces: whole HTTP messages, the head of an endless answer, its parts, and noise. For the
 * decoder and for scrubbing; the session leaves HTTP to the shared client. Every byte pushed comes out in exactly one piece.
 * The parts are cut by the rule of this protocol, which knows lengths that lie.
 */
import { createHttpSplitter, type HttpCut, type HttpMessage } from '../http-message.js';
import { createPartSplitter, type Part, type PartSplitter } from './parts.js';
import { boundaryOf } from './stream.js';

export type Frame =
  | { readonly kind: 'http'; readonly message: HttpMessage }
  | { readonly kind: 'part'; readonly part: Part }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array };

export interface Frames {
  push(chunk: Uint8Array): readonly Frame[];
  end(): readonly Frame[];
}

const LF = 0x0a;

const bytesOf = (cut: HttpCut): Uint8Array =>
  cut.kind === 'message' ? cut.message.bytes : cut.kind === 'part' ? cut.part.bytes : cut.bytes;

const frameOf = (cut: HttpCut): Frame =>
  cut.kind === 'message' ? { kind: 'http', message: cut.message } : { kind: 'noise', bytes: bytesOf(cut) };

export function createFrames(from: 'device' | 'gateway'): Frames {
  const kind = from === 'device' ? 'response' : 'request';
  let http = createHttpSplitter({ kind });
  let parts: PartSplitter | null = null;

  const flushHttp = (out: Frame[]): void => {
    if (http.pending > 0) out.push(...http.end().map(frameOf));
    http = createHttpSplitter({ kind });
  };
  /** Line by line, so that what follows the head of an endless answer goes to the other splitter. */
  const feedHttp = (chunk: Uint8Array, out: Frame[]): void => {
    let bytes = chunk;
    for (let at = 0; at < bytes.length;) {
      const line = bytes.indexOf(LF, at);
      const next = line < 0 ? bytes.length : line + 1;
      const cuts = http.push(bytes.subarray(at, next));
      at = next;
      const endless = cuts.findIndex((cut) => cut.kind === 'message' && cut.message.endless);
      out.push(...cuts.slice(0, endless < 0 ? cuts.length : endless + 1).map(frameOf));
      const last = cuts[endless];
      if (last?.kind !== 'message') continue;
      // A head found late, inside what was no message after all, has lines behind it already.
      const behind = [...cuts.slice(endless + 1), ...http.end()].map(bytesOf);
      http = createHttpSplitter({ kind });
      if (behind.length > 0) {
        bytes = Buffer.concat([...behind, bytes.subarray(at)]);
        at = 0;
      }
      // A second stream with the same boundary goes on with the same splitter, which holds what follows.
      if (parts) continue;
      const boundary = boundaryOf(last.message.headers['content-type'] ?? '');
      if (boundary === null) continue;
      parts = createPartSplitter(boundary);
      feed(bytes.subarray(at), out);
      return;
    }
  };
  const feed = (bytes: Uint8Array, out: Frame[]): void => {
    if (parts === null) feedHttp(bytes, out);
    else sortOut(parts.push(bytes), out);
  };
  /** What is no part may be the next HTTP message on the same connection. */
  const sortOut = (cuts: ReturnType<PartSplitter['push']>, out: Frame[]): void => {
    for (const cut of cuts) {
      if (cut.kind === 'noise') feedHttp(cut.bytes, out);
      else {
        flushHttp(out);
        out.push({ kind: 'part', part: cut.part });
      }
    }
  };

  return {
    push(chunk) {
      const out: Frame[] = [];
      if (chunk.length > 0) feed(chunk, out);
      return out;
    },
    end() {
      const out: Frame[] = [];
      if (parts) sortOut(parts.end(), out);
      flushHttp(out);
      return out;
    },
  };
}
