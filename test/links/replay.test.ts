import { expect, test } from 'vitest';
import { parseCapture } from '../../src/links/tap.js';
import { replayCapture } from '../../src/links/replay.js';
import { createFakeClock } from '../support/fake-clock.js';

const CAPTURE = parseCapture('# driver: d\n< 41 # +0\n> 61 61 # +5\n< 42 # +9\n< 43 # +10\n> 62 # +12\n< 44 # +20\n');

test('says what the terminal said, when the gateway has said as much as then; also to one that answers at once', async () => {
  const { links, finished } = replayCapture(CAPTURE, createFakeClock());
  const [link] = links;
  if (!link) throw new Error('no link');
  const heard: string[] = [];
  link.on('data', (chunk: Buffer) => {
    heard.push(chunk.toString());
    if (heard.at(-1) === 'A') link.write('aa');
    if (heard.at(-1) === 'C') link.write('b');
  });
  await new Promise<void>((resolve) => link.once('end', () => resolve()));
  expect(heard.join('')).toBe('ABCD');
  expect(finished()).toBe(true);
});

test('waits for the gateway, and no longer than until it has nothing more to say', async () => {
  const clock = createFakeClock();
  const { links, finished } = replayCapture(CAPTURE, clock);
  const [link] = links;
  if (!link) throw new Error('no link');
  const heard: string[] = [];
  link.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
  await clock.advance(5000);
  expect(heard).toEqual(['A']);
  link.write('a');
  await clock.advance(400);
  expect(heard.join('')).toBe('ABC');
  expect(finished()).toBe(false);
  link.destroy();
});
