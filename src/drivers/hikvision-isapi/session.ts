/**
 * One conversation with one terminal: who it is, its clock, its people, its events. Reading by search is the truth; while following,
 * the alert stream and pushes bring events at once, and a search every minute or so proves that the terminal is there and finds
 * whatever they lost. Stored first, acknowledged after: a push is answered in `confirm`.
 *
 *   deviceInfo   System/time   AcsEvent … AcsEvent (drained)   then   alertStream ║ pushes ║ AcsEvent every pollSeconds
 *
 * It never erases a record, asks for no picture and no face, and writes no setting but the clock, and the push slot with consent.
 */
import { fail } from '../../core/errors.js';
import { linkedController, type WallTime } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { followStream } from './alert-stream.js';
import { punchOf, textAt, treeAt, wallOf, type HikEvent } from './codec.js';
import type { Conversation } from './conversation.js';
import { between, formOf, offsetText, posixOffset, shifted, writeTime } from './device-time.js';
import { createInbox, type Inbox } from './inbox.js';
import type { HikOptions } from './options.js';
import { configurePush, createPushWatch, servePushes, type PushWatch } from './push.js';
import { createReading, type Reading } from './reading.js';
import { createSearch } from './search.js';
import { readStanding } from './standing.js';
import { createUsers } from './users.js';

const KEEP_ALIVE_MS = 45_000;
const PUSH_LATE_MS = 120_000;
/** By the terminal's own clock: an event older than this was kept, whatever it says of itself. */
const REPLAY_MS = 120_000;
const TIME_PATH = '/ISAPI/System/time';

interface DeviceTime {
  readonly localTime: string;
  readonly timeZone: string;
  readonly timeMode: string;
  readonly wall: WallTime;
}

export function createSession(
  conversation: Conversation,
  options: HikOptions,
  wire: Wire,
  signal: AbortSignal,
): TerminalSession {
  let serial: string | null = null;
  let strangerTold = false;
  /** Its clock when it was last read, and when that was. */
  let shown: { readonly wall: WallTime; readonly ticks: number } | null = null;
  const over = linkedController(signal);
  const inbox = createInbox(wire.note);

  const identify = async (): Promise<TerminalIdentity> => {
    const { tree } = await conversation.ask({
      method: 'GET',
      path: '/ISAPI/System/deviceInfo',
      waitingFor: 'the serial number',
    });
    const info = treeAt(tree, 'DeviceInfo');
    serial = textAt(info, 'serialNumber');
    if (serial === '')
      throw fail('bad-reply', {
        request: 'deviceInfo',
        reason: 'the terminal tells no serial number',
        reasonZh: '考勤机没有给出序列号',
      });
    const details = { deviceType: textAt(info, 'deviceType'), mac: textAt(info, 'macAddress') };
    return {
      serial,
      model: textAt(info, 'model') || null,
      firmware: textAt(info, 'firmwareVersion') || null,
      details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== '')),
    };
  };

  const readTime = async (): Promise<DeviceTime> => {
    const { tree } = await conversation.ask({ method: 'GET', path: TIME_PATH, waitingFor: 'the clock' });
    const time = treeAt(tree, 'Time');
    const localTime = textAt(time, 'localTime');
    const wall = wallOf(localTime, wire.zone);
    if (wall === null)
      throw fail('bad-reply', { request: 'System/time', reason: 'no time in it', reasonZh: '没有给出时间' });
    shown = { wall, ticks: wire.clock.ticks() };
    return { localTime, timeZone: textAt(time, 'timeZone'), timeMode: textAt(time, 'timeMode'), wall };
  };

  const setClock = async (to: WallTime): Promise<void> => {
    const before = await readTime();
    if (/ntp/i.test(before.timeMode)) {
      wire.note({
        code: 'clock-odd',
        text: 'The terminal sets its clock by NTP; it was left alone',
        data: { timeMode: before.timeMode },
      });
      return;
    }
    const suffix = /[+-]\d{2}:\d{2}$/.exec(before.localTime)?.[0];
    const offset = suffix ?? posixOffset(before.timeZone) ?? offsetText(to, wire.zone, wire.clock.now());
    await conversation.ask({
      method: 'PUT',
      path: TIME_PATH,
      xml: {
        root: 'Time',
        tree: {
          timeMode: before.timeMode === '' ? 'manual' : before.timeMode,
          localTime: writeTime(to, formOf(before.localTime) ?? 'offset', offset, wire.zone),
          timeZone: before.timeZone === '' ? undefined : before.timeZone,
        },
      },
      waitingFor: 'setting the clock',
      // The time would be old by then; the caller comes back with a new one.
      again: false,
    });
    shown = null;
  };

  /** Events carry only the end of the serial number. */
  const isOurs = ({ shortSerial }: HikEvent): boolean => {
    if (shortSerial === '' || serial === null || serial.endsWith(shortSerial)) return true;
    if (!strangerTold)
      wire.note({ code: 'odd', text: 'An event of another terminal came in the name of this one and was not taken' });
    strangerTold = true;
    return false;
  };

  /** `currentEvent` is often missing in pushes, and what was stored while we were away comes with its old time. */
  const isOld = (wall: WallTime | null): boolean => {
    const age = wall === null || shown === null ? null : between(wall, shown.wall);
    return age !== null && shown !== null && age + wire.clock.ticks() - shown.ticks > REPLAY_MS;
  };

  const arrive = (event: HikEvent, path: 'realtime' | 'push', stored?: () => void, watch?: PushWatch): boolean => {
    if (!isOurs(event)) return false;
    const wall = wallOf(event.time, wire.zone);
    const asItHappened = event.current && !isOld(wall);
    const punch = punchOf(event, options, wire.zone, asItHappened ? path : 'replay');
    if (punch) watch?.pushed(punch.deviceUserId, punch.wallTime);
    inbox.add({ ...event, punch, wall }, stored);
    return true;
  };

  /** Starts what tells events at once; the result ends it and waits until it has ended. */
  const startLive = (watch: PushWatch | null): (() => Promise<void>) => {
    const live = linkedController(over.signal);
    const paths: Promise<void>[] = [];
    const run = (path: Promise<void>): void => {
      paths.push(
        path.catch((error: unknown) => {
          if (!live.signal.aborted) inbox.fail(error);
        }),
      );
    };
    if (options.live === 'stream' && wire.dial) {
      run(
        followStream(conversation, wire, {
          onEvent: (event) => void arrive(event, 'realtime'),
          onOpen: () => inbox.wantSearch(null),
          signal: live.signal,
        }),
      );
    }
    const { pushKey } = options;
    if (wire.nextCall && pushKey !== undefined) {
      run(
        servePushes(wire.nextCall, pushKey, wire, {
          onEvent: (event, stored) => arrive(event, 'push', stored, watch ?? undefined),
          signal: live.signal,
        }),
      );
    }
    return async () => {
      live.end();
      await Promise.all(paths);
    };
  };

  /** One complete reading, with what comes live between its pages. */
  async function* read(reading: Reading, box: Inbox | null, backTo: WallTime | null, seen: (page: PunchPage) => void) {
    for await (const page of reading.run(backTo)) {
      seen(page);
      yield page;
      for (let live = box?.take() ?? null; live; live = inbox.take()) yield live;
    }
    inbox.seen(reading.standing.serial, reading.standing.seenTo);
  }

  async function* follow(reading: Reading): AsyncGenerator<PunchPage, void> {
    const ready = await configurePush(conversation, options, wire);
    const began = (await readTime()).wall;
    const watch = wire.nextCall && options.pushKey !== undefined ? createPushWatch(began) : null;
    const found: PunchPage['punches'][number][] = [];
    const remember = (page: PunchPage): void => {
      if (watch) found.push(...page.punches.filter(({ wallTime }) => wallTime > began));
    };
    const missing = async (): Promise<void> => {
      if (!watch || found.length === 0) return;
      const late = watch.missed(found.splice(0), shifted((await readTime()).wall, -PUSH_LATE_MS));
      if (!late) return;
      wire.note({
        code: 'gap',
        text: 'The terminal recorded punches and does not push them any more',
        data: { ready },
      });
      await configurePush(conversation, options, wire);
    };
    const stop = startLive(watch);
    try {
      yield* read(reading, inbox, null, remember);
      let searched = wire.clock.ticks();
      let spoke = searched;
      for (;;) {
        const live = inbox.take();
        if (live) {
          yield live;
          continue;
        }
        const now = wire.clock.ticks();
        const wanted = inbox.takeWanted();
        if (wanted || now - searched >= options.pollSeconds * 1000) {
          yield* read(reading, inbox, wanted?.backTo ?? null, remember);
          await missing();
          searched = wire.clock.ticks();
          spoke = searched;
        } else if (now - spoke >= KEEP_ALIVE_MS) {
          await readTime();
          spoke = wire.clock.ticks();
          yield { punches: [], cursor: null, drained: false, count: null };
        } else {
          const due = Math.min(searched + options.pollSeconds * 1000, spoke + KEEP_ALIVE_MS);
          await inbox.wait(Math.max(1, due - now), wire.clock, over.signal);
        }
      }
    } finally {
      await stop();
    }
  }

  async function* pages(after: Cursor | null, { follow: following }: PageOptions): AsyncGenerator<PunchPage, void> {
    if (serial === null) await identify();
    const standing = readStanding(after);
    const search = createSearch(conversation, options, wire, standing);
    const reading = createReading(search, options, wire, standing, async () => {
      const time = await readTime();
      search.shown(time.localTime, time.timeZone);
      return time.wall;
    });
    if (following) yield* follow(reading);
    else yield* read(reading, null, null, () => undefined);
  }

  return {
    identify,
    readClock: async () => (await readTime()).wall,
    setClock,
    pages,
    confirm: async (page) => {
      inbox.confirm(page);
      return Promise.resolve();
    },
    users: createUsers(conversation),
    async [Symbol.asyncDispose]() {
      over.end();
      await Promise.resolve();
    },
  };
}
