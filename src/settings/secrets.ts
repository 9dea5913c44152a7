/**
 * Reads the files that settings name by `…File` keys. A path is relative to the settings file; `credential:NAME` is a file of
 * the service manager's credential directory. A secret is trimmed, goes to the one part that needs it, and never into a fault,
 * a log line or a display.
 */
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { systemCode } from '../core/errors.js';
import { fileFault, type FileFault } from '../core/faults.js';
import type { Place } from '../core/located.js';

const SIZE_BYTES_MAX = 64 * 1024;

export interface SecretReader {
  /** Absolute path of what the settings name. */
  locate(named: string): string | null;
  /** The trimmed text, and the faults met. `open` files (certificates, public keys) may be readable by everyone. */
  read(
    named: string,
    place: Place,
    path: string,
    open?: boolean,
  ): { readonly text: string | null; readonly faults: readonly FileFault[] };
}

export function createSecretReader(baseDir: string, credentialsDir: string | undefined): SecretReader {
  const locate = (named: string): string | null => {
    const credential = /^credential:([A-Za-z0-9._-]+)$/.exec(named)?.[1];
    if (credential === undefined) return isAbsolute(named) ? named : resolve(baseDir, named);
    return credentialsDir === undefined ? null : join(credentialsDir, credential);
  };
  return {
    locate,
    read(named, place, path, open = false) {
      const file = locate(named);
      const missing = (reason: string): { text: null; faults: FileFault[] } => ({
        text: null,
        faults: [fileFault('secret-missing', { reason }, place, path)],
      });
      if (file === null) return missing('no credential directory; start the service by systemd with LoadCredential=');
      let text: string;
      let mode: number;
      try {
        const stat = statSync(file);
        if (!stat.isFile()) return missing(`${file} is not a file`);
        if (stat.size > SIZE_BYTES_MAX) return missing(`${file} is larger than 64 KiB`);
        mode = stat.mode;
        text = readFileSync(file, 'utf8').trim();
      } catch (error) {
        return missing(`${file}: ${systemCode(error) ?? 'unknown'}`);
      }
      if (text === '') return missing(`${file} is empty`);
      const loose = !open && (mode & 0o007) !== 0;
      return { text, faults: loose ? [fileFault('secret-open', { file }, place, path, { severity: 'warning' })] : [] };
    },
  };
}
