/** One run from an empty directory to the verdict: prints the table, and on failure keeps everything and says where. */
import { expect } from 'vitest';
import { openClassroom } from './classroom.js';
import { play, table, type PlayOptions } from './play.js';

const LOG_LINES = 60;

export async function attend(options: PlayOptions & { readonly records: number }): Promise<void> {
  const { seed } = options.plan;
  await using room = await openClassroom({ records: options.records, seed });
  try {
    const outcome = await play(room, options);
    console.log(table(outcome));
    expect(outcome.wrong, `seed ${seed}`).toEqual([]);
  } catch (error) {
    room.keep();
    const tail = room.log().slice(-LOG_LINES);
    console.log(`seed ${seed}, kept ${room.dir}\n${tail.map((line) => JSON.stringify(line)).join('\n')}`);
    throw error;
  }
}
