/** Says whether a program from a Debian package is here. In CI a missing one is a failure, not a skip. */
import { spawnSync } from 'node:child_process';

export interface Need {
  readonly available: boolean;
  readonly reason: string;
}

/** `test.skipIf(!need.available)`; the reason belongs into the test's title. Throws in CI, so that nothing is skipped there. */
export function needs(program: string): Need {
  const found =
    spawnSync('sh', ['-c', `command -v ${program} || ls /usr/sbin/${program}`], { stdio: 'ignore' }).status === 0;
  if (!found && process.env.CI !== undefined) throw new Error(`CI must install ${program}`);
  return { available: found, reason: found ? '' : `skipped: ${program} is not installed` };
}
