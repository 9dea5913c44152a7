/**
 * One conversation with one terminal: who it is, its clock, its records, its people. Records are read by index from a
 * position of our own; the terminal's read index is moved (08 03) only in `confirm`, only forward, and never where another
 * program shares the terminal. It opens no door, clears no store and asks for no face, finger or photo.
 */
import { fail, GatewayError } from '../../core/errors.js';
import type { WallTime } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { COMMAND, snText, STATUS } from './codec.js';
import { isSilence, type Conversation } from './conversation.js';
import { watches, type FcardOptions } from './options.js';
import { createReading, positionOf } from './reading.js';
import { decodeClock, decodeStores, encodeClock, hasOddDigits, readIndexRequest } from './records.js';
import { createUsers, decodeCounts } from './users.js';

const LISTEN_MS = 250;

/** Serial numbers of the maker begin with the model, such as FC-8300T25010001. */
const modelOf = (serial: string): string | null => /^([A-Z]{2}-\d{4}[A-Z]{0,2})\d{6,}$/.exec(serial)?.[1] ?? null;

const isRefusal = (error: unknown): boolean => error instanceof GatewayError && error.code === 'bad-reply';

export function createSession(conversation: Conversation, options: FcardOptions, wire: Wire): TerminalSession {
  const reading = createReading(conversation, options, wire);
  let watching = false;
  /** Whether this firmware wants a sixth byte in 08 03. */
  let sixBytes = false;

  const readSn = async (): Promise<string> => {
    const serial = snText((await conversation.ask(COMMAND.readSn)).data);
    if (serial === '') {
      const reasonZh = '考勤机没有给出序列号';
      throw fail('bad-reply', { request: 'serial', reason: 'the terminal tells no serial number', reasonZh });
    }
    conversation.callBy(serial);
    return serial;
  };

  const identify = async (): Promise<TerminalIdentity> => {
    const serial = await readSn();
    const version = await conversation.tryAsk(COMMAND.version);
    const stores = await conversation.tryAsk(COMMAND.stores);
    const counts = await conversation.tryAsk(COMMAND.personCounts);
    const [store] = stores ? decodeStores(stores.data) : [];
    const people = counts ? decodeCounts(counts.data) : null;
    return {
      serial,
      model: modelOf(serial),
      firmware: version && version.type !== STATUS ? snText(version.data.subarray(0, 40)) || null : null,
      details: {
        ...(store ? { recordCapacity: store.capacity, lastRecord: store.write, readIndex: store.read } : {}),
        ...(people ? { users: people.used, userCapacity: people.max } : {}),
      },
    };
  };

  const readClock = async (): Promise<WallTime> => {
    const wall = decodeClock((await conversation.ask(COMMAND.readClock)).data);
    if (hasOddDigits(wall))
      wire.note({ code: 'clock-odd', text: 'The clock shows digits above 9, as after a loss of its battery' });
    return wall;
  };

  const startWatch = async (): Promise<void> => {
    const before = watching;
    watching = (await conversation.tryAsk(COMMAND.startWatch)) !== null;
    if (before && !watching)
      wire.note({ code: 'odd', text: 'The terminal does not tell records as they happen any more' });
  };

  async function* pages(after: Cursor | null, { follow }: PageOptions): AsyncGenerator<PunchPage, void> {
    const watch = watches(options);
    // On a line with several nobody may talk unasked.
    if (!watch) await conversation.tryAsk(COMMAND.stopWatch);
    else if (follow) await startWatch();
    let position = yield* reading.run(positionOf(after));
    while (follow && watch) {
      const until = wire.clock.ticks() + options.pollSeconds * 1000;
      while (wire.clock.ticks() < until) {
        const live = reading.livePage();
        if (live) yield live;
        // In slices, so that a clock reading that somebody wants meanwhile gets its turn.
        await conversation.listen(Math.min(LISTEN_MS, until - wire.clock.ticks()));
      }
      // The watch ends when the terminal restarts, so it is asked for again: this also shows that it is still there.
      await startWatch();
      yield { punches: [], cursor: null, drained: false, count: null };
      // The store is the truth: it brings what no live record told, and its index is what may be confirmed.
      position = yield* reading.run(position);
    }
  }

  const setReadIndex = async (index: number): Promise<void> => {
    try {
      await conversation.ask(COMMAND.setReadIndex, readIndexRequest(index, sixBytes));
    } catch (error) {
      if ((!isRefusal(error) && !isSilence(error)) || sixBytes) throw error;
      await conversation.ask(COMMAND.setReadIndex, readIndexRequest(index, true));
      sixBytes = true;
    }
    reading.moved(index);
  };

  const confirm = async (page: PunchPage): Promise<void> => {
    const index = reading.confirmable(page);
    if (index === null) return;
    try {
      await setReadIndex(index);
    } catch (error) {
      if (!isSilence(error) && !isRefusal(error)) throw error;
      // Nothing depends on it: our own position is what counts.
      wire.note({ code: 'odd', text: 'The terminal did not take the read index', data: { index } });
    }
  };

  return {
    identify,
    readClock,
    // Not asked again by itself: the time to set would be old by then. The caller comes back with a new one.
    setClock: async (to) => {
      await conversation.ask(COMMAND.writeClock, encodeClock(to), { retries: 0 });
    },
    pages,
    confirm,
    users: createUsers(conversation),
    [Symbol.asyncDispose]: async () => {
      if (watching) conversation.farewell(COMMAND.stopWatch);
      conversation.dispose();
      return Promise.resolve();
    },
  };
}
