/**
 * `rollcall class seal NO` fixes the results of a class that has ended (R84); `rollcall class note NO` adds a remark to a class or to one
 * of its dates, which is all that can be done about a date that has passed (R15).
 */
import { addNote } from '../classes/class-changes.js';
import { sealClass } from '../classes/seal.js';
import { isoUtc } from '../core/time.js';
import { dateOf, openDesk, personOf, withStore, wordsOf, type ClassOptions } from './class-desk.js';
import { EXIT, type Console } from './console.js';

export async function runClassSeal(
  classNo: string,
  flags: { readonly config: string; readonly by: string },
  options: ClassOptions,
  io: Console,
): Promise<number> {
  const by = personOf('--by', flags.by);
  const desk = openDesk(flags.config, options, io);
  if (desk === null) return EXIT.usage;
  const seal = withStore(desk, (store) => sealClass(store, classNo, { by, at: desk.clock.now() }));
  if (io.json) io.out(JSON.stringify({ ok: true, ...seal, sealedAt: isoUtc(seal.sealedAt) }));
  else io.out(`${classNo}: 已封存 / sealed · 结果 results ${seal.days} · ${seal.digest}`);
  return EXIT.good;
}

export async function runClassNote(
  classNo: string,
  flags: { readonly config: string; readonly by: string; readonly text: string; readonly date?: string },
  options: ClassOptions,
  io: Console,
): Promise<number> {
  const by = personOf('--by', flags.by);
  const text = wordsOf('--text', flags.text, 500);
  const date = flags.date === undefined ? null : dateOf('--date', flags.date);
  const desk = openDesk(flags.config, options, io);
  if (desk === null) return EXIT.usage;
  const no = withStore(desk, (store) => addNote(store, { classNo, date, text, by, at: desk.clock.now() }));
  if (io.json) io.out(JSON.stringify({ ok: true, classNo, no, date }));
  else io.out(`${classNo}: 已加注 / noted · ${date ?? '*'} #${no}`);
  return EXIT.good;
}
