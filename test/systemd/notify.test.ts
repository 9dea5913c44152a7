/** The daemon tells its service manager when it is ready, that it lives, and that it stops: a real socket, read by socat. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needs } from '../support/needs.js';
import { freePort } from '../support/process.js';

const [socat, notify] = [needs('socat'), needs('systemd-notify')];
const main = join(new URL('../../', import.meta.url).pathname, 'dist', 'main.js');

test.skipIf(!socat.available || !notify.available)(
  `READY, WATCHDOG and STOPPING reach the service manager ${socat.reason || notify.reason}`,
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'rollcall-notify-'));
    const socket = join(dir, 'notify');
    const config = join(dir, 'gateway.yaml');
    writeFileSync(
      config,
      `site: { name: x, room: "1" }\ndataDir: ${dir}/data\nweb: { listen: "127.0.0.1:${await freePort()}" }\n`,
    );
    let heard = '';
    const manager = spawn('socat', ['-u', `UNIX-RECV:${socket}`, 'STDOUT']);
    manager.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await expect.poll(() => existsSync(socket), { timeout: 5000 }).toBe(true);
    const daemon = spawn(process.execPath, [main, 'run', '--config', config], {
      env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '3000000' },
      stdio: 'ignore',
    });
    const ended = new Promise<number | null>((resolve) => daemon.once('close', resolve));
    try {
      await expect.poll(() => heard, { timeout: 20_000 }).toMatch(/READY=1[\s\S]*WATCHDOG=1/);
      daemon.kill('SIGTERM');
      await expect.poll(() => heard, { timeout: 10_000 }).toMatch(/STOPPING=1/);
      expect(await ended).toBe(0);
      expect(heard).not.toMatch(/ERRNO/);
    } finally {
      daemon.kill('SIGKILL');
      manager.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  },
  45_000,
);
