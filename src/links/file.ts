/** A file as a link: its bytes are what the terminal says, then it ends; what is written goes nowhere. For logs carried on a stick. */
import { open } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { fail, systemCode } from '../core/errors.js';
import type { Reach } from '../core/reach.js';
import { disposeStream, type Link } from './socket.js';

export type FileReach = Extract<Reach, { kind: 'file' }>;

const CHUNK_BYTES = 65_536;

/** Opens a file for reading. Throws `file-unreadable`. */
export async function openFile(reach: FileReach, signal: AbortSignal): Promise<Link> {
  signal.throwIfAborted();
  const file = await open(reach.path, 'r').catch((error: unknown) => {
    throw fail('file-unreadable', { file: reach.path, reason: systemCode(error) ?? String(error) }, error);
  });
  const link = new Duplex({
    read() {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      file.read(buffer, 0, CHUNK_BYTES).then(
        ({ bytesRead }) => this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead)),
        (error: unknown) =>
          this.destroy(
            fail('file-unreadable', { file: reach.path, reason: systemCode(error) ?? String(error) }, error),
          ),
      );
    },
    write: (_chunk, _encoding, done) => done(),
    destroy: (error, done) =>
      void file.close().then(
        () => done(error),
        () => done(error),
      ),
  });
  return Object.assign(link, { [Symbol.asyncDispose]: async () => disposeStream(link) });
}
