/**
 * One terminal that calls: all of its connections go to one desk, which answers them; the session asks through the command
 * channel and gives pages. It is there as long as it calls: when it has not for several of its intervals, the session ends. It has no word for its clock, so there is none to read.
 */
import type { Duplex } from 'node:stream';
import { fail } from '../../core/errors.js';
import { linkedController, within } from '../../core/time.js';
import type { TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { createHttpDesk } from '../http-server.js';
import { createChannel } from './channel.js';
import { query } from './command.js';
import { parseInfoPairs } from './greeting.js';
import { createInbox } from './inbox.js';
import type { ZkPushOptions } from './options.js';
import { createPeople } from './people.js';
import { createReading } from './reading.js';
import { assertClock, createReception, type Known } from './reception.js';

const BODY_BYTES_MAX = 16 * 1024 * 1024;
const SILENCE_MS = 90_000;
/** Longest that a terminal is waited for to tell about itself; its serial number is known before. */
const INFO_MS = 25_000;
const BUSY = -1005;
const LEVELS_FRESH_MS = 30_000;

export function openSession(link: Duplex, options: ZkPushOptions, wire: Wire, signal: AbortSignal): TerminalSession {
  const { clock } = wire;
  assertClock(wire);
  const failing = new AbortController();
  const life = linkedController(signal, failing.signal);
  const end = (error: Error): void => failing.abort(error);
  const known: Known = {
    ...{ serial: null, firmware: null, model: null, users: null, records: null, levelsAt: null },
    ...{ version: null, language: null, greeted: false, encoding: null, heardAt: clock.ticks(), uploadedAt: 0 },
    ...{ attlogStamp: null, operlogStamp: null, askedForAll: 0 },
  };
  const { delaySeconds, errorDelaySeconds } = options;
  // One that twice got no answer was told to wait in between.
  const silenceMs = Math.max(SILENCE_MS, 3000 * delaySeconds, 4000 * errorDelaySeconds);
  const firstRequestMs = 15_000 + 2000 * errorDelaySeconds;
  const heardOf: (() => void)[] = [];
  const inbox = createInbox(clock, life.signal);
  const channel = createChannel({
    clock,
    signal: life.signal,
    silenceMs,
    heardAt: () => known.heardAt,
    uploadedAt: () => known.uploadedAt,
  });

  let infoUnknown = false;
  let asking: Promise<void> | null = null;
  const askInfo = async (): Promise<void> => {
    const result = await channel.run(query.info());
    if (result === 'unanswered' || result.returned < 0) {
      // Busy is busy; any other refusal will not change.
      infoUnknown = result === 'unanswered' || result.returned !== BUSY;
      return;
    }
    const info = parseInfoPairs(result.pairs);
    known.firmware = info.firmware ?? known.firmware;
    known.model = info.model ?? known.model;
    known.users = info.users ?? known.users;
    known.records = info.records ?? known.records;
    known.levelsAt = clock.ticks();
  };
  /** Fill levels of now, as far as it tells them in time. */
  const levels = async (): Promise<void> => {
    if (infoUnknown || (known.levelsAt !== null && clock.ticks() - known.levelsAt < LEVELS_FRESH_MS)) return;
    asking ??= askInfo().finally(() => (asking = null));
    await within(clock, INFO_MS, life.signal, asking);
  };

  const people = createPeople({
    ...{ options, wire, known, channel, signal: life.signal, levels },
    refusals: () => inbox.refusals,
  });
  const reading = createReading({ options, wire, known, inbox, channel, silenceMs, levels });
  const desk = createHttpDesk({
    clock,
    signal: life.signal,
    sizeBytesMax: BODY_BYTES_MAX,
    onCall: createReception({
      ...{ options, wire, known, inbox, channel, end },
      querying: () => reading.querying,
      settled: () => reading.settled,
      onUser: (user) => people.heard(user),
      onCleared: () => reading.readAgain(),
      onHeard: () => {
        for (const wake of heardOf.splice(0)) wake();
      },
    }),
    onBroken: (window) => {
      if (known.serial === null) end(fail('wrong-protocol', { driver: 'zk-push', window }));
      else wire.note({ code: 'noise', text: 'A connection brought bytes that are no HTTP', data: { window } });
    },
  });
  desk.take(link);

  const welcome = async (): Promise<void> => {
    const { nextCall } = wire;
    if (!nextCall) return;
    for (;;) desk.take(await nextCall(life.signal));
  };
  // Ends with the session: whoever waits for a call has its signal.
  const welcoming = welcome().catch((error: unknown) => {
    if (!life.signal.aborted) end(error instanceof Error ? error : fail('link-closed'));
  });

  const firstRequest = async (): Promise<string> => {
    life.signal.throwIfAborted();
    if (known.serial === null) {
      const heard = new Promise<void>((resolve) => heardOf.push(resolve));
      await within(clock, firstRequestMs, life.signal, heard);
    }
    if (known.serial === null)
      throw fail('link-silent', {
        ms: firstRequestMs,
        waitingFor: 'the first request of the terminal',
        waitingForZh: '等待考勤机的首个请求',
      });
    return known.serial;
  };

  return {
    async identify(): Promise<TerminalIdentity> {
      const serial = await firstRequest();
      if (known.model === null || known.firmware === null) {
        known.levelsAt = null;
        await levels();
      }
      return {
        serial,
        model: known.model,
        firmware: known.firmware,
        details: {
          ...(known.version === null ? {} : { pushVersion: known.version.slice(0, 16) }),
          ...(known.users === null ? {} : { users: known.users }),
          ...(known.records === null ? {} : { records: known.records }),
        },
      };
    },
    pages: (after, how) => reading.pages(after, how),
    confirm: (page) => {
      reading.confirm(page);
      return Promise.resolve();
    },
    users: people,
    async [Symbol.asyncDispose]() {
      inbox.close();
      life.end();
      await desk[Symbol.asyncDispose]();
      await welcoming;
    },
  };
}
