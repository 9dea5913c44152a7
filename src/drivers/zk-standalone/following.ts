/**
 * Live mode: events as they come, a probe after silence (a power-cycled terminal leaves a dead connection behind), and
 * the regular comparison of the terminal's counter with what we hold, because events of a lost session are gone.
 */
import { Writer } from '../../core/bytes.js';
import type { PunchPage } from '../driver.js';
import { COMMAND, commandName, EVENT_ATTENDANCE } from './codes.js';
import { NO_DATA } from './codec.js';
import { unlessSilent } from './conversation.js';
import { fullRead, livePage, settledPunches, type Standing } from './full-read.js';
import { noteMemory, readSizes, type LogContext } from './reading.js';

/** Time for events to catch up with the counter before the log is read again for them. */
const SETTLE_MS = 3000;
/** How often a log that is full is read again, since its counter stands still. */
const FULL_RING_MS = 3_600_000;
/** How often any log is read again: a counter that went wrong for a while may hide a record that no event told. */
const FULL_READ_MS = 24 * 3_600_000;

/** Tells the reader that the terminal answers and has nothing new; the reader may compare clocks now. */
const STILL_THERE: PunchPage = { punches: [], cursor: null, drained: false, count: null };

/** Yields live punches until the signal aborts or the link fails. */
export async function* followLive(context: LogContext, standing: Standing): AsyncGenerator<PunchPage, void, undefined> {
  const { conversation, options, clock } = context;
  const keepAliveMs = options.keepAliveSeconds * 1000;
  const listening = await register(context);
  // What came between the copy of the log and the registration is in neither: compare once right away.
  let recountAt = clock.ticks();
  for (;;) {
    const live = await settledPunches(context, standing);
    if (live.length > 0) yield livePage(live);
    if (clock.ticks() >= recountAt) {
      yield* recount(context, standing, listening);
      recountAt = clock.ticks() + options.recountMinutes * 60_000;
    } else if (clock.ticks() - conversation.lastBytesTicks >= keepAliveMs) {
      await conversation.command(COMMAND.GET_TIME, NO_DATA, { timeoutMs: options.answerTimeoutMs });
      yield STILL_THERE;
    }
    const probeAt = conversation.lastBytesTicks + keepAliveMs;
    await conversation.waitForEvent(Math.max(1, Math.min(recountAt, probeAt) - clock.ticks()));
  }
}

/** Whether the terminal will tell punches as they happen. */
async function register(context: LogContext): Promise<boolean> {
  const { conversation, options, note } = context;
  const mask = new Writer('little').u32(EVENT_ATTENDANCE).bytes();
  const answer = await unlessSilent(
    conversation.request(COMMAND.REG_EVENT, mask, { timeoutMs: options.answerTimeoutMs, tries: 2 }),
  );
  // A connection that is dead and not just deaf to this request is found out by the comparison that follows.
  const reply = answer ? commandName(answer.command) : 'no answer';
  if (answer?.command !== COMMAND.ACK_OK)
    note({ code: 'odd', text: `live events are refused (${reply}); only the counter is compared` });
  return answer?.command === COMMAND.ACK_OK;
}

/** Compares the counter with what we hold and reads the log where they disagree. */
async function* recount(
  context: LogContext,
  standing: Standing,
  listening: boolean,
): AsyncGenerator<PunchPage, void, undefined> {
  const { options } = context;
  let sizes = await readSizes(context);
  // Records that the last reading announced and did not give. They are not news, and are asked for less and less often.
  const lacking = Math.max(0, standing.counter - standing.held);
  const waitMs = Math.min(FULL_RING_MS, options.recountMinutes * 60_000 * 2 ** (standing.shortReads - 2));
  const owed = lacking > 0 && (standing.shortReads < 2 || context.clock.ticks() - standing.readTicks >= waitMs);
  const grown = (): boolean => (sizes.records ?? 0) > standing.held + (owed ? 0 : lacking) + standing.seen.size;
  const stuck = (): boolean => sizes.records === standing.counter && standing.seen.size > 0 && !standing.ring;
  if (grown() || stuck()) {
    // The counter may be ahead of its event by a moment, or behind it.
    await context.clock.sleep(SETTLE_MS, context.signal);
    const live = await settledPunches(context, standing);
    if (live.length > 0) yield livePage(live);
    sizes = await readSizes(context);
  }
  noteMemory(context, sizes);
  const { records, recordCapacity } = sizes;
  if (stuck()) {
    standing.ring = true;
    yield* fullRead(context, standing, `the count stands at ${records} while punches happen`);
    return;
  }
  // A full ring keeps its count while old records give way to new ones: only reading tells.
  const full = records !== null && recordCapacity !== null && recordCapacity > 0 && records >= recordCapacity;
  const stale = context.clock.ticks() - standing.readTicks >= (full || standing.ring ? FULL_RING_MS : FULL_READ_MS);
  if (records === null || grown() || records < standing.counter || stale) {
    // Events are missing: the terminal may have forgotten that we listen, for instance after another client.
    if (grown() && listening) await register(context);
    yield* fullRead(context, standing);
    return;
  }
  standing.counter = records;
  standing.held = Math.max(standing.held, records - lacking);
  standing.seen.clear();
}
