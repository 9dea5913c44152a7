/**
 * The log of the terminal in pieces, by its two ways. `recordFinder.cgi`: offsets are ignored by some firmware, pages are
 * capped and the oldest records of a range come first, so it is paged by time: the next StartTime is the CreateTime of the
 * last record, inclusive. Where a page full of one CreateTime does not move, more is asked for at once. The JSON-RPC finder
 * gives everything in the terminal's own order, and is the way where paging by time comes to no end.
 */
import { cgi, groupLines, groupOfJson, valueOf, wholeOf, type Group } from './codec.js';
import type { Api } from './api.js';
import { fail } from '../../core/errors.js';

const LOG = 'AccessControlCardRec';
const COUNT_MAX = 1024;
const RPC_COUNT = 1024;

/** Times of a record in the terminal's own seconds; null where it has none. */
export type SecondsOf = (group: Group) => number | null;

/** Records in the log, or null when this firmware does not tell. */
export async function querySize(api: Api): Promise<number | null> {
  const answer = await api.get(cgi('recordFinder', { action: 'getQuerySize', name: LOG }), 'record count');
  if (!answer.ok) return null;
  return wholeOf(valueOf(answer.lines, 'count') ?? valueOf(answer.lines, 'Size') ?? undefined);
}

async function find(api: Api, startS: number | null, count: number): Promise<readonly Group[]> {
  const start = startS === null ? {} : { StartTime: startS };
  const answer = await api.get(cgi('recordFinder', { action: 'find', name: LOG, ...start, count }), 'records');
  if (!answer.ok)
    throw fail('bad-reply', {
      request: 'records',
      requestZh: '记录',
      reason: `status ${answer.status}`,
      reasonZh: `状态 ${answer.status}`,
    });
  return groupLines(answer.lines, 'records');
}

/** Every page from `startS` on, as it comes; records repeat at the seams. Ends where nothing new can be reached. */
export async function* pagesByTime(
  api: Api,
  startS: number | null,
  pageRecords: number,
  secondsOf: SecondsOf,
  isNew: (group: Group) => boolean,
): AsyncGenerator<readonly Group[], void> {
  let start = startS;
  let count = pageRecords;
  let largest = 0;
  for (;;) {
    const page = await find(api, start, count);
    const fresh = page.filter(isNew);
    if (fresh.length > 0) yield fresh;
    if (page.length === 0) return;
    const times = page.map((group) => secondsOf(group) ?? -1);
    // The last one goes on where the page ends, also when a clock that was ahead for a while left later times within it.
    const end = times.findLast((seconds) => seconds >= 0) ?? -1;
    const last = start === null || end > start ? end : Math.max(...times);
    if (last >= 0 && (start === null || last > start)) {
      start = last;
      count = pageRecords;
    } else {
      // All of one second: either the log ends here, or the page is too small for this second.
      const full = page.length >= count || page.length >= largest;
      if (fresh.length === 0 && (!full || count >= COUNT_MAX)) return;
      count = COUNT_MAX;
    }
    largest = Math.max(largest, page.length);
  }
}

/** All records by JSON-RPC, in pages. Nothing where this firmware has no RPC or refuses. */
export async function* pagesByRpc(api: Api): AsyncGenerator<readonly Group[], void> {
  await using rpc = await api.openRpc();
  if (rpc === null) return;
  const made = await rpc.call('RecordFinder.factory.create', { name: LOG });
  if (!made.ok || typeof made.result !== 'number') return;
  const object = made.result;
  try {
    if (!(await rpc.call('RecordFinder.startFind', { condition: {} }, object)).ok) return;
    for (;;) {
      const { ok, params } = await rpc.call('RecordFinder.doFind', { count: RPC_COUNT }, object);
      // Some firmware says `info` for `records` and leaves it out when there is none.
      const records = ok ? (params.records ?? params.info) : null;
      if (!Array.isArray(records)) return;
      if (records.length > 0) yield records.map(groupOfJson);
      if (records.length < RPC_COUNT) return;
    }
  } finally {
    await rpc.call('RecordFinder.destroy', null, object).catch(() => undefined);
  }
}
