/**
 * The paged transfer of records (0x40), made whole: a page that is lost or corrupt is asked for again with 0x10, up to
 * three times, then everything from the start. A page that is byte for byte an earlier one is a late answer and not
 * data: the line is heard out, 0x10 then tells where the terminal stands, and from then on it gets more time.
 * Counts by LEN, not by the count byte. Yields each record once, however often it had to be read.
 */
import { hex } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import { COMMAND, decodePage, pageRequest, retText, type AnvizRecord, type PageParameter } from './codec.js';
import { isSilence, type Conversation } from './conversation.js';
import type { AnvizOptions } from './options.js';

export interface DownloadPart {
  /** Records not yielded before in this download. */
  readonly records: AnvizRecord[];
  /** Records in the list so far, also those that were yielded before a restart. */
  readonly decoded: number;
  readonly last: boolean;
  /** False when pages repeated themselves and were taken all the same: flags are then left standing. */
  readonly orderly: boolean;
}

export interface Download {
  /** Parameter 1: everything, 2: new ones. Goes on asking until the terminal has no more, also beyond `announced`. */
  run(start: 1 | 2, announced: number): AsyncGenerator<DownloadPart, void>;
}

interface Page {
  readonly records: readonly AnvizRecord[];
  readonly data: Uint8Array;
  /** The terminal answered with an error instead of a page. */
  readonly refused: boolean;
}

const RESENDS = 3;
const REPEATS = 4;
/** Records beyond the announced ones after which a terminal that repeats itself is not asked on. */
const CIRCLE_RECORDS = 1_000;
const PASSES = 3;
/** More pages than any terminal's memory holds: it sends in circles. */
const PAGES_MAX = 100_000;

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export function createDownload(conversation: Conversation, options: AnvizOptions, wire: Wire): Download {
  let timeoutMs = options.pageTimeoutMs;

  /** One page, or null when it came to nothing; `silent` tells whether anything came at all. */
  const fetchOnce = async (parameter: PageParameter, tries: { silent: boolean }): Promise<Page | null> => {
    try {
      const answer = await conversation.ask(COMMAND.records, pageRequest(parameter, options.pageRecords), {
        timeoutMs,
        retries: 0,
      });
      tries.silent = false;
      if (answer.ret === 0x0f) throw fail('bad-reply', { request: 'records', reason: retText(answer.ret) });
      if (answer.ret !== 0) return { records: [], data: answer.data, refused: true };
      const { records, countByte } = decodePage(answer.data);
      if (countByte !== records.length) {
        wire.note({
          code: 'odd',
          text: 'The count byte of a page and its length disagree; the length rules',
          data: { countByte, records: records.length },
        });
      }
      return { records, data: answer.data, refused: false };
    } catch (error) {
      if (!(error instanceof GatewayError) || (error.code !== 'bad-reply' && !isSilence(error))) throw error;
      if (error.code === 'bad-reply') tries.silent = false;
      return null;
    }
  };

  /** The next page that is not `stale`; null when it cannot be had and the transfer must begin again. */
  const fetchPage = async (parameter: PageParameter, stale: (page: Page) => boolean): Promise<Page | null> => {
    const tries = { silent: true };
    let ask = parameter;
    let lost = 0;
    let heardOut = false;
    for (let repeated = 0; lost <= RESENDS && repeated <= REPEATS;) {
      const page = await fetchOnce(ask, tries);
      if (page === null) {
        // A start is simply made again; of a next page we cannot know whether the terminal has turned to it.
        lost += 1;
        ask = parameter === 0 ? 0x10 : parameter;
        wire.note({ code: 'resent-page', text: 'A page of records was lost or corrupt and is asked for again' });
      } else if (page.records.length > 0 && stale(page)) {
        repeated += 1;
        ask = heardOut ? 0 : 0x10;
        if (!heardOut) {
          timeoutMs = Math.min(timeoutMs * 2, options.pageTimeoutMs * 8);
          await conversation.settle(timeoutMs);
        }
        heardOut = !heardOut;
      } else return page;
    }
    if (tries.silent) throw fail('link-silent', { ms: timeoutMs * (RESENDS + 1), waitingFor: 'records' });
    return null;
  };

  return {
    async *run(start, announced) {
      const yielded: string[] = [];
      for (let pass = 0; pass < PASSES; pass += 1) {
        const final = pass + 1 === PASSES;
        const seen = new Set<string>();
        let decoded = 0;
        let orderly = true;
        let before: Page | null = null;
        if (pass > 0) await conversation.settle(timeoutMs);
        for (let number = 0; number < PAGES_MAX && (orderly || decoded < announced + CIRCLE_RECORDS); number += 1) {
          const last: Page | null = before;
          // Asked beyond its end, some firmware repeats the last page.
          const ends = (page: Page): boolean =>
            last !== null && last.records.length < options.pageRecords && sameBytes(page.data, last.data);
          // In the last try a repeated page is taken for data: rather a record twice than a list that nobody can read.
          const stale = (page: Page): boolean => !final && !ends(page) && seen.has(hex(page.data));
          const page: Page | null = await fetchPage(number === 0 ? start : 0, stale);
          if (page === null) break;
          // Some firmware has no empty page and refuses; but one that has just restarted refuses to go on as well.
          if (page.refused && decoded < announced && !final) break;
          const isEnd = page.records.length === 0 || ends(page);
          if (!isEnd && seen.has(hex(page.data))) orderly = false;
          seen.add(hex(page.data));
          const fresh: AnvizRecord[] = [];
          for (const record of isEnd ? [] : page.records) {
            const key = hex(record.raw);
            if (yielded[decoded] !== key) fresh.push(record);
            yielded[decoded] = key;
            decoded += 1;
          }
          // A short page is the end, unless records are missing: some firmware sends fewer in a page than was asked.
          const isLast = isEnd || (page.records.length < options.pageRecords && decoded >= announced);
          yield { records: fresh, decoded, last: isLast, orderly };
          if (isLast) return;
          before = page;
        }
      }
      throw fail('bad-reply', {
        request: 'records',
        reason: `no complete transfer in ${PASSES} tries`,
        reasonZh: `${PASSES} 次均未能完整传输`,
      });
    },
  };
}
