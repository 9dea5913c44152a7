/** A pair of pseudo terminals made by socat: one end plays the USB adapter, the other the terminal's port. For tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readlinkSync, rmSync } from 'node:fs';

export interface PtyPair {
  /** Symbolic links to the two ends; gone after `unplug`. */
  readonly gateway: string;
  readonly device: string;
  /** Where the gateway's link points: `/dev/pts/N`. */
  readonly tty: string;
  /** Both ends disappear, as when the adapter is pulled out. */
  unplug(): Promise<void>;
}

const later = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

/** Starts socat with its links at these paths. Waits for the system, not for time: the links appear when the pair is there. */
export async function createPtyPair(gateway: string, device: string): Promise<PtyPair> {
  const child: ChildProcess = spawn('socat', [`pty,raw,echo=0,link=${gateway}`, `pty,raw,echo=0,link=${device}`], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let tries = 0; !(existsSync(gateway) && existsSync(device)); tries += 1) {
    if (tries > 500 || child.exitCode !== null) throw new Error('socat made no pty pair');
    await later();
  }
  return {
    gateway,
    device,
    tty: readlinkSync(gateway),
    async unplug() {
      child.kill('SIGKILL');
      await ended;
      rmSync(gateway, { force: true });
      rmSync(device, { force: true });
    },
  };
}
