/**
 * Lists that come in pages: logs by 50, people by 40. The first request says `stn:true`, the next ones `stn:false`, and the
 * list ends with an empty page, with a short one, or when `count` entries have come.
 *
 * `count` is the whole list in one text and the page in another (vendor's text 2.7, getuserlist): a full page that counts
 * only itself, and a short one that counts more, are asked once more, and then silence or a refusal is the end. A lost
 * page means the beginning again; what was given before is for the caller to tell apart.
 */
import { fail, GatewayError } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import { isRefusal, numberIn, reasonIn, type Fields, type Message } from './codec.js';
import type { Conversation } from './conversation.js';
import { itemsOf, memberOf } from './json-text.js';

export interface ListRequest {
  readonly cmd: 'getnewlog' | 'getalllog' | 'getuserlist';
  /** Fields of the first request beside `stn`. */
  readonly fields: Fields;
  readonly pageSize: number;
  readonly timeoutMs: number;
}

export interface ListPage {
  readonly message: Message;
  /** Entries of this list so far, this page included, since it was last begun. */
  readonly got: number;
  /** What the terminal says the list has; 0 where it does not say. */
  readonly announced: number;
  /** 1, or more after a beginning again. */
  readonly run: number;
}

const RUNS_MAX = 4;
/** A terminal that is busy with a finger at its keys refuses for a moment. */
const REFUSED_PAUSE_MS = 5000;
const ENTRIES_MAX = 2_000_000;

export const isSilence = (error: unknown): boolean => error instanceof GatewayError && error.code === 'link-silent';

function refused(
  cmd: string,
  message: Message,
  reason = `refused (${reasonIn(message)})`,
  reasonZh = `考勤机拒绝(${reasonIn(message)})`,
): GatewayError {
  return fail('bad-reply', { request: cmd, requestZh: cmd, reason, reasonZh });
}

/** One run; ends with true when the list is complete, with the trouble when it has to begin again. */
async function* runOnce(
  talk: Conversation,
  { cmd, fields, pageSize, timeoutMs }: ListRequest,
  run: number,
): AsyncGenerator<ListPage, GatewayError | null> {
  let got = 0;
  let extra = false;
  let before: Buffer | null = null;
  // What `count` says of the whole list, unless it turns out to speak of the pages.
  let whole = 0;
  let sum = 0;
  let ofPages = false;
  // After a lost page an answer that does not begin at the beginning is the lost one, come late.
  const isFirst = (message: Message): boolean => run === 1 || (numberIn(message, 'from') ?? 0) <= 1;
  for (;;) {
    const first = got === 0;
    let message: Message;
    try {
      message = await talk.ask(cmd, first ? { stn: true, ...fields } : { stn: false }, {
        timeoutMs,
        waitingForZh: cmd === 'getuserlist' ? '人员名单' : '打卡记录',
        ...(first ? { accept: isFirst } : {}),
      });
    } catch (error) {
      if (!(error instanceof GatewayError) || !isSilence(error)) throw error;
      return extra ? null : error;
    }
    if (isRefusal(message)) return extra ? null : refused(cmd, message);
    const node = memberOf(message.json, 'record');
    const length = itemsOf(node).length;
    const bytes = Buffer.from(message.json.bytes.subarray(node?.at ?? 0, node?.end ?? 0));
    // The same page again: at the end some repeat their last one, and in the middle it is no progress.
    if (length > 0 && before?.equals(bytes))
      return extra ? null : refused(cmd, message, 'the same page again', '重复的页');
    before = bytes;
    const count = numberIn(message, 'count') ?? 0;
    got += length;
    whole = Math.max(whole, count);
    sum += count;
    ofPages ||= count > 0 && count < got;
    if (length > 0 || first) yield { message, got, announced: ofPages ? sum : whole, run };
    if (length === 0 || got > ENTRIES_MAX) return null;
    const full = length >= pageSize;
    extra = full ? count > 0 && got >= count && count === length : got < count;
    if (!extra && (!full || (count > 0 && got >= count))) return null;
  }
}

/** Gives the pages of a list. Throws `link-silent` or `bad-reply` when it cannot be had. */
export async function* readList(
  talk: Conversation,
  request: ListRequest,
  wire: Pick<Wire, 'clock' | 'note'>,
): AsyncGenerator<ListPage, void> {
  for (let run = 1; ; run += 1) {
    const trouble = yield* runOnce(talk, request, run);
    if (trouble === null) return;
    if (run >= RUNS_MAX) throw trouble;
    wire.note({
      code: 'resent-page',
      text: `A page of ${request.cmd} did not come; the list is read again from its beginning`,
      data: { run },
    });
    const until = wire.clock.ticks() + (isSilence(trouble) ? 0 : REFUSED_PAUSE_MS);
    while (wire.clock.ticks() < until) await talk.changed(until - wire.clock.ticks());
  }
}
