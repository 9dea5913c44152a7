/**
 * Reading the log: which list to ask for, what of it was given already, and what is owed. The terminal forgets that a record
 * is new as soon as it has sent the page, so before such a list is begun the position says from which day it must be read
 * again if it is not ended; a page lost on the way is fetched from the whole log at once.
 *
 *   first contact, or the log shrank    getalllog from the configured start
 *   records nobody fetched              [position: owed] getnewlog … to its end; a lost page: getalllog of the days
 *   a new night                         getalllog of the last days
 */
import { addDays, parseLocalDate, wallToInstant, type LocalDate } from '../../core/time.js';
import type { PunchPage, PunchRecord, Wire } from '../driver.js';
import { readRecords, type Fields, type LogRecord } from './codec.js';
import type { Conversation } from './conversation.js';
import { readList, type ListRequest } from './listing.js';
import type { AifaceOptions } from './options.js';
import { isDoorEvent, isPunch, punchOf, type PunchFrame } from './punch.js';
import { checkFrom, cursorOf, nightOf, type Standing } from './standing.js';

export const LOG_PAGE = 50;
/** `to` is inclusive in the published text and exclusive in a terminal: it lies beyond every date, and nothing is computed with it. */
const FOREVER = '2099-12-31';

export interface ReadingContext {
  readonly talk: Conversation;
  readonly options: AifaceOptions;
  readonly wire: Wire;
  readonly standing: Standing;
  /** Pages that the terminal pushed meanwhile. */
  readonly pushed: () => PunchPage | null;
}

interface Outcome {
  readonly announced: number;
  readonly decoded: number;
  /** Pages had to be asked for again. */
  readonly lost: boolean;
}

export const frameOf = ({ talk, options }: Pick<ReadingContext, 'talk' | 'options'>): PunchFrame => ({
  options,
  firmware: talk.registration?.firmware ?? null,
  clock: talk.clock,
});

const page = (punches: readonly PunchRecord[]): PunchPage => ({ punches, cursor: null, drained: false, count: null });
const keyOf = (record: LogRecord): string =>
  `${record.enrollId} ${record.time} ${record.mode ?? ''} ${record.inout ?? ''}`;

/** Gives a list in pages that end nothing; what an interrupted run gave is not given twice. */
async function* giveList(context: ReadingContext, request: ListRequest): AsyncGenerator<PunchPage, Outcome> {
  const { talk, options, wire } = context;
  const frame = frameOf(context);
  const given = new Set<string>();
  let run = 1;
  let outcome = { announced: 0, decoded: 0, lost: false };
  let broken = 0;
  let doors = 0;
  let impossible = 0;
  for await (const part of readList(talk, request, wire)) {
    for (let push = context.pushed(); push; push = context.pushed()) yield push;
    if (part.run !== run) {
      run = part.run;
      outcome = { announced: 0, decoded: 0, lost: true };
      broken = 0;
    }
    const list = readRecords(part.message);
    broken += list.broken;
    outcome = { ...outcome, announced: part.announced, decoded: outcome.decoded + list.records.length };
    doors += list.records.filter(isDoorEvent).length;
    const fresh = run === 1 ? list.records : list.records.filter((record) => !given.has(keyOf(record)));
    for (const record of fresh) given.add(keyOf(record));
    const punches = fresh.filter((record) => isPunch(record, options)).map((one) => punchOf(one, frame, 'poll'));
    impossible += punches.filter((punch) => wallToInstant(punch.wallTime, wire.zone) === null).length;
    if (punches.length > 0) yield page(punches);
  }
  if (impossible > 0)
    wire.note({ code: 'impossible-date', text: `${impossible} records have a date that does not exist` });
  if (broken > 0)
    wire.note({ code: 'unknown-layout', text: `${broken} records have no id or no time`, data: { broken } });
  if (doors > 0) wire.note({ code: 'odd', text: `${doors} records are events of the door`, data: { doors } });
  return outcome;
}

const allLog = (options: AifaceOptions, from: string | undefined): ListRequest => ({
  cmd: 'getalllog',
  fields: from === undefined ? {} : ({ from, to: FOREVER } satisfies Fields),
  pageSize: LOG_PAGE,
  timeoutMs: options.answerTimeoutMs,
});

/** The last page of a read: where reading stands now, and whether it was complete. */
function* endOf(context: ReadingContext, { announced, decoded }: Outcome): Generator<PunchPage, boolean> {
  const complete = decoded >= announced;
  if (!complete)
    context.wire.note({
      code: 'count-mismatch',
      text: `The terminal announced ${announced} records and gave ${decoded}`,
      data: { announced, decoded },
    });
  yield { punches: [], cursor: cursorOf(context.standing), drained: complete, count: { announced, decoded } };
  return complete;
}

/** Reads everything from the configured start. True when it was complete. */
export async function* readEverything(context: ReadingContext): AsyncGenerator<PunchPage, boolean> {
  const { standing, talk, options, wire } = context;
  const before = talk.registration?.records ?? null;
  const outcome = yield* giveList(context, allLog(options, options.since));
  if (before !== null && options.since === undefined && outcome.decoded < before)
    wire.note({
      code: 'odd',
      text: `The terminal told of ${before} records when it registered, and its log gave ${outcome.decoded}`,
      data: { told: before, decoded: outcome.decoded },
    });
  if (outcome.decoded >= outcome.announced) {
    standing.complete = true;
    standing.owedFrom = null;
    standing.checked = nightOf(wire);
    standing.records = before;
  } else standing.complete = false;
  return yield* endOf(context, outcome);
}

/** Reads what nobody fetched, and the days of a page that got lost. True when it was complete. */
export async function* readNew(context: ReadingContext): AsyncGenerator<PunchPage, boolean> {
  const { standing, talk, options } = context;
  const before = talk.registration?.records ?? null;
  standing.owedFrom ??= owedFrom(context);
  yield { ...page([]), cursor: cursorOf(standing) };
  const request = { cmd: 'getnewlog', fields: {}, pageSize: LOG_PAGE, timeoutMs: options.answerTimeoutMs } as const;
  const outcome = yield* giveList(context, request);
  if (outcome.lost) return yield* readDays(context);
  // What was announced and did not come counts as fetched there: it stays owed until the days were read.
  if (outcome.decoded >= outcome.announced) standing.owedFrom = null;
  standing.records = before;
  return yield* endOf(context, outcome);
}

/** The day before the last complete check, before today, or before what the terminal takes for today: a clock may be wrong. */
function owedFrom({ standing, talk, wire }: ReadingContext): LocalDate {
  const shown = parseLocalDate(talk.roughTime()?.slice(0, 10) ?? '');
  const days = [nightOf(wire), standing.checked, shown].flatMap((day) => (day === null ? [] : [addDays(day, -1)]));
  return days.reduce((first, day) => (day < first ? day : first));
}

/** Compares the last days, and what is owed. True when it was complete. */
export async function* readDays(context: ReadingContext): AsyncGenerator<PunchPage, boolean> {
  const { standing, options, wire, talk } = context;
  const night = nightOf(wire);
  const before = talk.registration?.records ?? null;
  const outcome = yield* giveList(context, allLog(options, checkFrom(standing, wire, options.checkDays)));
  if (outcome.decoded >= outcome.announced) {
    standing.checked = night;
    standing.owedFrom = null;
    standing.records = before;
  }
  return yield* endOf(context, outcome);
}

/** Nothing was to be read; where reading stands may have changed all the same. */
export function nothingNew({ standing, talk }: ReadingContext): PunchPage {
  standing.records = talk.registration?.records ?? standing.records;
  return { punches: [], cursor: cursorOf(standing), drained: true, count: { announced: 0, decoded: 0 } };
}
