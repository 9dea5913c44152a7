/**
 * Reads a window of the log as a stream: pages are given while the answer still comes, so a year of records with photos needs
 * the memory of one page. Whether it was everything is what `total` says; where it differs from the records that came, the
 * window is cut in two and each half is read, until they agree or the window is a second long. A record is given once.
 */
import { fail } from '../../core/errors.js';
import { wallToInstant, type WallTime } from '../../core/time.js';
import type { PunchPage, PunchRecord, Wire } from '../driver.js';
import { countOf, formatTime, type Argument, type Pair } from './codec.js';
import { isRefusal, newTries, type Conversation } from './conversation.js';
import type { HanvonOptions } from './options.js';
import { punchOf } from './punch.js';
import { bounded, halves, type Plan, type Window } from './window.js';

export const PAGE_PUNCHES = 500;
/** Most commands that one reading may take. */
const COMMANDS_MAX = 256;
/** Pairs of one record; a terminal that sends more in one has lost its mind, and the rest is left out. */
const RECORD_PAIRS_MAX = 64;

/** Keys of answers to other commands. Taken for a list of records, such an answer would be an empty one. */
const OTHER_ANSWERS = new Set(['edition', 'volume', 'weigen', 'ip', 'mac', 'style', 'date', 'id']);

const notRecords = (): Error =>
  fail('bad-reply', {
    request: 'GetRecord',
    requestZh: 'GetRecord',
    reason: 'it is the answer to another command',
    reasonZh: '收到的是另一条命令的应答',
  });

interface Found {
  readonly total: number | null;
  readonly groups: number;
}

export interface ReadingParts {
  readonly conversation: Conversation;
  readonly options: HanvonOptions;
  readonly wire: Wire;
  /** Records that the terminal says it stores; null: unknown. */
  readonly stored: number | null;
}

export async function* readLog(parts: ReadingParts, plan: Plan): AsyncGenerator<PunchPage, void> {
  const { conversation, options, wire } = parts;
  const given = new Set<string>();
  const seen: { first: WallTime | null; last: WallTime | null } = { first: null, last: null };
  let odd = 0;
  let impossible = 0;

  const take = (pairs: readonly Pair[]): PunchRecord | null => {
    const punch = punchOf(pairs, options, 'poll');
    if (wallToInstant(punch.wallTime, wire.zone) === null) impossible += 1;
    else {
      if (seen.first === null || punch.wallTime < seen.first) seen.first = punch.wallTime;
      if (seen.last === null || punch.wallTime > seen.last) seen.last = punch.wallTime;
    }
    if (punch.deviceUserId === '') odd += 1;
    const identity = `${punch.deviceUserId} ${punch.wallTime}`;
    if (punch.deviceUserId === '' || given.has(identity)) return null;
    given.add(identity);
    return punch;
  };

  async function* command(window: Window): AsyncGenerator<PunchRecord, Found> {
    let total: number | null = null;
    let groups = 0;
    let record: Pair[] = [];
    const bounds: readonly Argument[] = [
      ...(window.from === null ? [] : [['start_time', formatTime(window.from)] as const]),
      ...(window.to === null ? [] : [['end_time', formatTime(window.to)] as const]),
    ];
    for await (const pair of conversation.stream('GetRecord', bounds)) {
      if (pair.key === 'time') {
        const punch = record.length > 0 ? take(record) : null;
        if (punch) yield punch;
        record = [pair];
        groups += 1;
      } else if (record.length === 0) {
        if (OTHER_ANSWERS.has(pair.key)) throw notRecords();
        if (pair.key === 'total') total = countOf([pair], 'total');
      } else {
        if (pair.key !== 'id' && OTHER_ANSWERS.has(pair.key)) throw notRecords();
        if (record.length < RECORD_PAIRS_MAX) record.push(pair);
      }
    }
    const punch = record.length > 0 ? take(record) : null;
    if (punch) yield punch;
    return { total, groups };
  }

  /** The same, tried again where that is right. What an attempt gave before it failed is not given again. */
  async function* tried(window: Window): AsyncGenerator<PunchRecord, Found> {
    const tries = newTries();
    for (;;) {
      try {
        return yield* command(window);
      } catch (error) {
        // Some models want both bounds.
        if (isRefusal(error) === 'bad parameter' && (window.from === null || window.to === null))
          return yield* tried(bounded(window, seen));
        if (!(await conversation.recover(error, tries))) throw error;
      }
    }
  }

  const waiting: Window[] = [plan.window];
  let announced: number | null = 0;
  let decoded = 0;
  let commands = 0;
  let page: PunchRecord[] = [];
  for (let window = waiting.pop(); window !== undefined; window = waiting.pop()) {
    commands += 1;
    const stream = tried(window);
    let step = await stream.next();
    for (; step.done !== true; step = await stream.next()) {
      page.push(step.value);
      if (page.length < PAGE_PUNCHES) continue;
      yield { punches: page, cursor: null, drained: false, count: null };
      page = [];
    }
    const { total, groups } = step.value;
    const cut = total === null || total === groups || !plan.cuts ? null : halves(bounded(window, seen));
    if (cut !== null && commands < COMMANDS_MAX) {
      waiting.push(cut[1], cut[0]);
      continue;
    }
    announced = total === null || announced === null ? null : announced + total;
    decoded += groups;
  }

  if (odd > 0) wire.note({ code: 'odd', text: `${odd} records name nobody`, data: { records: odd } });
  if (impossible > 0)
    wire.note({
      code: 'impossible-date',
      text: `${impossible} records have a date that does not exist`,
      data: { records: impossible },
    });
  // Without `total` only a reading of everything can be compared, with what the terminal says it stores.
  const told = announced ?? (plan.window.from === null && plan.window.to === null ? parts.stored : null);
  const complete = announced === null || decoded >= announced;
  if (told !== null && decoded < told)
    wire.note({
      code: 'count-mismatch',
      text: `The terminal announced ${told} records and gave ${decoded}`,
      data: { announced: told, decoded },
    });
  yield {
    punches: page,
    cursor: complete ? plan.done(seen.last) : plan.short(seen.last),
    drained: complete,
    count: told === null ? null : { announced: told, decoded },
  };
}
