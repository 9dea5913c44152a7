/**
 * The search for events (`AcsEvent`): a window of time, page after page, in the order in which they happened. It learns what this
 * firmware takes, and remembers: the form of dates, and whether minor 0 means all of a major. What comes counts, not what was
 * asked for: many models give at most 30 a page. One fresh searchID for all pages of a search. A window is never larger than
 * asked, and no event is left out here: what is a punch is decided by the reader.
 */
import { randomUUID } from 'node:crypto';
import { fail } from '../../core/errors.js';
import type { WallTime } from '../../core/time.js';
import type { Wire } from '../driver.js';
import { listAt, numberAt, searchedEvent, textAt, treeAt, type HikEvent } from './codec.js';
import { MAJOR_EVENT, PASS } from './codes.js';
import { refusalOf, type Conversation } from './conversation.js';
import { DATE_FORMS, formOf, offsetText, posixOffset, writeTime, type DateForm } from './device-time.js';
import type { HikOptions } from './options.js';

/** Which conditions bring all events of major 5. */
export type SearchMode = 'all' | 'every-major' | 'each-minor';
export const SEARCH_MODES: readonly SearchMode[] = ['all', 'every-major', 'each-minor'];

export interface Learned {
  form: DateForm | null;
  mode: SearchMode;
}

export interface SearchPage {
  readonly events: readonly HikEvent[];
  /** Events before this page, over all conditions. */
  readonly position: number;
  /** What the terminal announces for the conditions asked so far. */
  readonly total: number;
  readonly last: boolean;
}

export interface Window {
  readonly from: WallTime;
  readonly to: WallTime;
}

export interface Search {
  run(window: Window, startAt: number): AsyncGenerator<SearchPage, void>;
  /** What the terminal's clock looks like: tells the form of dates before any refusal does. */
  shown(localTime: string, timeZone: string): void;
  readonly learned: Readonly<Learned>;
}

/** More pages than any memory holds: the terminal sends in circles. */
const PAGES_MAX = 50_000;
const INVALID_CONTENT = new Set([4, 5, 6]);

interface Condition {
  readonly major: number;
  readonly minor: number;
}

/** The entries that neither this page nor the one before has told already. */
function unique(events: readonly HikEvent[], before: ReadonlySet<string>): readonly HikEvent[] {
  const seen = new Set(before);
  return events.filter(({ raw }) => {
    const known = seen.has(raw);
    seen.add(raw);
    return !known;
  });
}

export function createSearch(
  conversation: Conversation,
  options: HikOptions,
  wire: Wire,
  before: { readonly form: DateForm | null; readonly mode: SearchMode },
): Search {
  const learned: Learned = { ...before };
  const refused = new Set<DateForm>();
  /** The terminal's own offset, as its clock shows it. */
  let offset: string | null = null;

  const conditions = (): readonly Condition[] => {
    if (learned.mode === 'all') return [{ major: MAJOR_EVENT, minor: 0 }];
    if (learned.mode === 'every-major') return [{ major: 0, minor: 0 }];
    const minors = options.passMinors ?? Object.keys(PASS).map(Number);
    return minors.map((minor) => ({ major: MAJOR_EVENT, minor }));
  };

  const dated = (wall: WallTime): string =>
    writeTime(wall, learned.form ?? 'offset', offset ?? offsetText(wall, wire.zone, wire.clock.now()), wire.zone);

  /** Whether a refusal taught us something; then the search is begun again. */
  const learn = (error: unknown): boolean => {
    const status = refusalOf(error)?.status;
    if (!status || !INVALID_CONTENT.has(status.code)) return false;
    if (/time/i.test(status.field)) {
      refused.add(learned.form ?? 'offset');
      const next = DATE_FORMS.find((form) => !refused.has(form));
      if (next === undefined) return false;
      learned.form = next;
      return true;
    }
    if (!/^(?:major|minor)$/i.test(status.field) && !/notSupport/i.test(status.sub)) return false;
    const next = SEARCH_MODES[SEARCH_MODES.indexOf(learned.mode) + 1];
    if (next === undefined) return false;
    learned.mode = next;
    wire.note({
      code: 'odd',
      text: `This firmware does not search for all events of a kind at once; searching in another way (${next})`,
      data: { mode: next },
    });
    return true;
  };

  const ask = async (window: Window, condition: Condition, searchID: string, position: number) => {
    const { tree } = await conversation.ask({
      method: 'POST',
      path: '/ISAPI/AccessControl/AcsEvent?format=json',
      json: {
        AcsEventCond: {
          searchID,
          searchResultPosition: position,
          maxResults: options.pageRecords,
          major: condition.major,
          minor: condition.minor,
          startTime: dated(window.from),
          endTime: dated(window.to),
        },
      },
      waitingFor: 'events',
    });
    const answer = treeAt(tree, 'AcsEvent');
    if (!answer) throw fail('bad-reply', { request: 'events', reason: 'no AcsEvent', reasonZh: '缺少 AcsEvent' });
    const list = treeAt(answer, 'InfoList');
    // As XML a list is an element with elements in it.
    const items = list ? Object.keys(list).flatMap((key) => listAt(list, key)) : listAt(answer, 'InfoList');
    const plain = list && numberAt(list, 'serialNo') !== null ? [list] : items;
    return {
      events: plain.map(searchedEvent),
      total: numberAt(answer, 'totalMatches') ?? 0,
      more: textAt(answer, 'responseStatusStrg').toUpperCase() === 'MORE',
    };
  };

  async function* run(window: Window, startAt: number): AsyncGenerator<SearchPage, void> {
    const asked = conditions();
    let position = 0;
    let totals = 0;
    for (const [index, condition] of asked.entries()) {
      const searchID = randomUUID();
      let at = asked.length === 1 ? startAt : 0;
      let ofThis = 0;
      let before: ReadonlySet<string> = new Set();
      position += at;
      for (let page = 0; ; page += 1) {
        if (page >= PAGES_MAX) throw fail('bad-reply', { request: 'events', reason: 'pages without end' });
        const answer = await ask(window, condition, searchID, at);
        if (page === 0) ofThis = answer.total;
        const end = !answer.more || answer.events.length === 0;
        const last = end && index === asked.length - 1;
        // An entry told twice must not move the position past one that was not told.
        const fresh = unique(answer.events, before);
        before = new Set(answer.events.map(({ raw }) => raw));
        yield { events: fresh, position, total: totals + ofThis, last };
        const step = fresh.length > 0 ? fresh.length : answer.events.length;
        at += step;
        position += step;
        if (end) break;
      }
      totals += ofThis;
    }
  }

  return {
    async *run(window, startAt) {
      for (;;) {
        let given = false;
        try {
          for await (const page of run(window, startAt)) {
            given = true;
            yield page;
          }
          return;
        } catch (error) {
          if (given || !learn(error)) throw error;
        }
      }
    },
    shown(localTime, timeZone) {
      const form = formOf(localTime);
      if (learned.form === null && form !== null) learned.form = form;
      const suffix = /[+-]\d{2}:\d{2}$/.exec(localTime)?.[0];
      offset = suffix ?? posixOffset(timeZone) ?? offset;
    },
    get learned() {
      return learned;
    },
  };
}
