/** Runs one of our commands to its end and keeps everything it wrote. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const main = join(new URL('../../', import.meta.url).pathname, 'dist', 'main.js');

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Lines on standard output that are JSON objects. */
  readonly json: readonly Record<string, unknown>[];
}

export async function runOnce(args: readonly string[], input = '', env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const json = out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, out, err, json };
}
