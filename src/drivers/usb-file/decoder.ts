/** What a log file says, for `rollcall decode` and for captures. Encoding and columns need the whole file, so everything comes at its end. */
import { GatewayError } from '../../core/errors.js';
import type { Decoded, Decoder } from '../driver.js';
import { FILE_BYTES_MAX } from './layout.js';
import { readLog, REASONS } from './log.js';
import type { UsbFileOptions } from './options.js';

export function createDecoder(options: UsbFileOptions, from: 'device' | 'gateway'): Decoder {
  let chunks: Uint8Array[] = [];
  let size = 0;

  const tell = (bytes: Uint8Array): readonly Decoded[] => {
    if (bytes.length === 0) return [];
    if (from === 'gateway') return [{ kind: 'noise', bytes, reason: 'nothing is said to a file' }];
    const log = readLog(bytes, options);
    const told: Decoded[] = [];
    for (const line of log.lines()) {
      const taken = Uint8Array.from(line.bytes);
      const fields = { line: line.number };
      if (line.kind === 'refused')
        told.push({ kind: 'noise', bytes: taken, reason: `line ${line.number}: ${REASONS[line.reason]}` });
      else if (line.kind === 'header')
        told.push({
          kind: 'message',
          name: 'header',
          fields: { ...fields, format: log.format, encoding: log.encoding },
          bytes: taken,
        });
      else told.push({ kind: 'message', name: line.kind === 'punch' ? 'line' : line.kind, fields, bytes: taken });
      if (line.kind === 'punch') told.push({ kind: 'punch', punch: line.punch });
    }
    return told;
  };

  return {
    push(chunk) {
      size += chunk.length;
      if (size <= FILE_BYTES_MAX) {
        chunks.push(Uint8Array.from(chunk));
        return [];
      }
      return [{ kind: 'noise', bytes: Uint8Array.from(chunk), reason: 'beyond 64 MiB' }];
    },
    end() {
      const bytes = Uint8Array.from(Buffer.concat(chunks));
      chunks = [];
      try {
        return tell(bytes);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        return [{ kind: 'noise', bytes, reason: error.message }];
      }
    },
  };
}
