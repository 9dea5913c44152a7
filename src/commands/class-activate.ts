/**
 * `rollcall class activate NO`: a draft that is ready becomes an active class, with the approval reference of its opening, or with the
 * supervisor who answers for there being none (R5). What is missing is listed and refused; the policy must be in force.
 */
import { openingOf, partSources, type Opening } from '../classes/drafts.js';
import { fail } from '../core/errors.js';
import { openDesk, personOf, refuse, together, withStore, wordsOf, type ClassOptions } from './class-desk.js';
import { holidaysAmong } from './class-words.js';
import { EXIT, type Console } from './console.js';
import { tellImport } from './import-class.js';

export interface ActivateFlags {
  readonly config: string;
  readonly by: string;
  readonly approval?: string;
  readonly unapprovedBy?: string;
  readonly reason?: string;
}

export async function runClassActivate(
  classNo: string,
  flags: ActivateFlags,
  options: ClassOptions,
  io: Console,
): Promise<number> {
  const by = personOf('--by', flags.by);
  const opening = openingFrom(flags);
  const desk = openDesk(flags.config, options, io);
  if (desk === null) return EXIT.usage;
  return withStore(desk, (store, classes) => {
    const { draft, judged } = openingOf(store, classNo, opening, classes.context());
    const { definition, faults, notes } = judged;
    if (definition === null) return refuse(classNo, faults, io);
    const sources = partSources(store, classNo);
    const outcome = classes.import(definition, {
      source: sources.roster,
      timetableSource: sources.timetable,
      importedBy: by,
      draft: { version: draft.version, hash: draft.hash },
    });
    io.err(`${classNo}: 已启用 / activated`);
    return tellImport(outcome, { notes, holidays: holidaysAmong(definition.days, desk.calendar) }, false, io);
  });
}

/** Null: as the draft says it. */
function openingFrom({ approval, unapprovedBy, reason }: ActivateFlags): Opening | null {
  const isUnapproved = together({ '--unapproved-by': unapprovedBy, '--reason': reason });
  if (approval !== undefined && isUnapproved) {
    throw fail('bad-argument', {
      argument: '--approval --unapproved-by',
      reason: 'give one of the two',
      reasonZh: '二者只能有其一',
    });
  }
  if (approval !== undefined) return { approval: wordsOf('--approval', approval, 120) };
  if (!isUnapproved) return null;
  const answers = { by: personOf('--unapproved-by', unapprovedBy ?? ''), reason: wordsOf('--reason', reason ?? '') };
  return { unapproved: answers };
}
