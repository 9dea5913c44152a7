/**
 * `rollcall platform run --config FILE`: the reference receiver of the city side as a program of its own.
 *
 * Runs until the signal aborts, then ends cleanly with 0; what was not committed stays at the gateways. Wrong settings
 * throw before anything is opened.
 */
import { once } from 'node:events';
import { systemClock } from '../core/time.js';
import type { Log } from '../core/log.js';
import { createPlatform } from '../platform/platform.js';
import { readSettings } from '../platform/settings.js';

export interface RunPlatformParts {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Where the one line for people goes. */
  readonly out: (line: string) => void;
}

export async function runPlatform(file: string, { signal, log, out }: RunPlatformParts): Promise<number> {
  const settings = readSettings(file);
  const platform = createPlatform(settings, { clock: systemClock(), log });
  try {
    platform.start();
    out(
      `平台接收端已启动，公钥文件 ${platform.keys.file} · platform receiver started, public keys in ${platform.keys.file}`,
    );
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await platform.stop();
  }
  return 0;
}
