/**
 * Terminal to journal: one unit for each terminal. It opens the wire, learns who answers, compares clocks, and commits
 * what it reads: punches and touched days in one transaction, with the reading position in the last of a page. Only after
 * those commits is the page confirmed to the terminal (P1, D4). The clock of a terminal is set only after a complete read, because setting it with
 * unread punches would falsify them.
 *
 * Polled or pushed makes no difference here: a session's pages end when it is drained, or never.
 */
import type { Duplex } from 'node:stream';
import { asGatewayError, fail } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { formatReach, hostAndPort, isListening, type Reach } from '../core/reach.js';
import { instant, instantToWall, linkedController, wallToInstant, type Clock, type Instant } from '../core/time.js';
import type { Bell, Unit } from '../core/unit.js';
import type {
  Cursor,
  Finding,
  PunchPage,
  PunchRecord,
  TerminalIdentity,
  TerminalSession,
  Wire,
} from '../drivers/driver.js';
import type { Delivery, PunchFact } from '../rules/facts.js';
import { punchFact } from '../rules/punch-fact.js';
import type { Store, TouchedDay } from '../store/store.js';
import { createPresence, type PresenceParts } from './intake/presence.js';
import type { TerminalSetup, TerminalState, TerminalStatus } from './intake/terminal.js';

export interface IntakeParts {
  readonly terminal: TerminalSetup;
  readonly store: Store;
  /** Opens a link; where the terminal calls, waits until it does. */
  readonly openLink: (reach: Reach, signal: AbortSignal) => Promise<Duplex & AsyncDisposable>;
  /** The next call of this terminal; null where it never calls. */
  readonly nextCall?: ((signal: AbortSignal) => Promise<Duplex>) | null;
  /** Brings the list of people in the terminal up to date; called between two pages, when everything is read. */
  readonly enrol?: (session: TerminalSession, serial: string, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly wire: Clock;
  readonly log: Log;
  /** Rung after every commit that added something. */
  readonly bell: Bell;
  /** Whose punch this is, and which days of credit it can change. */
  readonly match: (terminalId: string, deviceUserId: string, at: Instant) => string | null;
  readonly daysTouchedBy: (punch: PunchFact) => readonly Omit<TouchedDay, 'stamp' | 'cause'>[];
  readonly daysTouchedByOutage?: PresenceParts['daysTouchedByOutage'];
  /** Time used for credit under the site's clock rule. */
  readonly effective: (punch: Omit<PunchFact, 'effective'>) => Instant | null;
}

export interface Intake extends Unit {
  /** Reads once, what is no line but a file; returns when everything is stored. */
  once(signal: AbortSignal): Promise<void>;
  status(): TerminalStatus;
}

/** Knows the terminal's fixed name in the cursor table, beside its serial numbers. */
export const bindingKey = (id: string): string => `terminal:${id}`;
const CLOCK_EVENT_STEP_MS = 2000;
/** A finding of one kind is told to the journal at most once in this time. */
const TELL_AGAIN_MS = 3_600_000;
/** Punches in one transaction: some tens of milliseconds in which nothing else in this process moves (P10). */
const PUNCHES_PER_COMMIT = 500;
const REPORTED = new Set<Finding['code']>(['epoch-changed', 'unknown-layout', 'memory-low', 'gap', 'clock-odd']);

export function createIntake(parts: IntakeParts): Intake {
  const { terminal, store, clock, log } = parts;
  const name = `terminal:${terminal.id}`;
  let state: TerminalState = 'connecting';
  let since = clock.now();
  let identity: TerminalIdentity | null = null;
  let offset: { readonly ms: number; readonly ticks: number } | null = null;
  let toldOffsetMs: number | null = null;
  /** Monotonic time up to which everything the terminal had was read; a step of the wall clock must not move it. */
  let drainedTicks: number | null = null;
  /** What this session began with or last stored; a position that somebody made forgotten meanwhile is not put back. */
  let position = '';
  let lastPunchAt: Instant | null = null;
  let stored = 0;
  let repeated = 0;
  let mismatch: TerminalStatus['mismatch'] = null;
  /** Monotonic time since which the terminal was drained without a failure; what a later poll brings is live. */
  let drainedSince: number | null = null;
  const findings = new Map<string, number>();
  /** When each finding was last told to the journal. */
  const reported = new Map<Finding['code'], number>();

  const enter = (next: TerminalState): void => {
    if (next !== state) since = clock.now();
    state = next;
  };

  const note = (finding: Finding): void => {
    findings.set(finding.code, (findings.get(finding.code) ?? 0) + 1);
    log.debug({ terminal: terminal.id, finding: finding.code, ...finding.data }, finding.text);
    // What goes on and on must not fill the journal, and a terminal that is polled has a session every few seconds.
    const told = reported.get(finding.code);
    if (REPORTED.has(finding.code) && (told === undefined || clock.ticks() - told >= TELL_AGAIN_MS)) {
      reported.set(finding.code, clock.ticks());
      try {
        store.transact((tx) =>
          tx.addEvent({
            kind: 'event',
            what: 'device',
            at: clock.now(),
            data: { terminal: terminal.id, state: finding.code, ...finding.data },
          }),
        );
        parts.bell.ring();
      } catch (error) {
        // Drivers tell findings while bytes arrive, where nobody catches. A disk that refuses is told by the next page.
        if (asGatewayError(error).kind !== 'storage') throw error;
        reported.delete(finding.code);
      }
    }
  };

  const presence = createPresence({
    ...{ terminal, store, clock, bell: parts.bell, daysTouchedByOutage: parts.daysTouchedByOutage },
    isKnown: () => store.cursor(bindingKey(terminal.id)) !== null,
    serial: () => identity?.serial ?? null,
  });

  const meetTerminal = async (session: TerminalSession): Promise<TerminalIdentity> => {
    const met = await session.identify();
    if (terminal.serial !== null && met.serial !== terminal.serial) {
      throw fail('other-terminal', { terminal: terminal.id, expected: terminal.serial, found: met.serial });
    }
    const bound = store.cursor(bindingKey(terminal.id)) as { readonly serial?: string } | null;
    const rebound = bound?.serial !== undefined && bound.serial !== met.serial;
    if (!presence.isOnline() || rebound) {
      store.transact((tx) => {
        presence.touchBack(tx);
        tx.addEvent({
          kind: 'event',
          what: 'device',
          at: clock.now(),
          data: {
            // A file that somebody carried here says nothing of whether its terminal is there.
            state: rebound ? 'DEVICE_REBOUND' : terminal.reach.kind === 'file' ? 'log-read' : 'online',
            terminal: terminal.id,
            deviceSn: met.serial,
            ...(rebound ? { before: bound.serial ?? null } : {}),
            ...(met.firmware === null ? {} : { firmware: met.firmware }),
            driver: terminal.driver.name,
            decoder: terminal.driver.decoderVersion,
            definition: terminal.definition
              ? `${terminal.definition.id}@${terminal.definition.hash.slice(0, 16)}`
              : null,
          },
        });
        if (bound?.serial !== met.serial) tx.setCursor(bindingKey(terminal.id), { serial: met.serial });
      });
      parts.bell.ring();
    }
    presence.arrived();
    identity = met;
    return met;
  };

  /** Reads the terminal's clock and keeps the offset; a change of more than 2 s is an event (P6). */
  const compareClocks = async (session: TerminalSession, serial: string): Promise<void> => {
    if (!session.readClock) return;
    const wall = await session.readClock();
    const there = wallToInstant(wall, terminal.zone);
    if (there === null) {
      offset = null;
      note({ code: 'clock-odd', text: 'The clock of the terminal shows a date that does not exist' });
      return;
    }
    const ms = there - Math.floor(clock.now() / 1000) * 1000;
    offset = { ms, ticks: clock.ticks() };
    if (toldOffsetMs !== null && Math.abs(ms - toldOffsetMs) <= CLOCK_EVENT_STEP_MS) return;
    if (toldOffsetMs !== null || Math.abs(ms) > CLOCK_EVENT_STEP_MS) {
      const before = toldOffsetMs;
      store.transact((tx) =>
        tx.addEvent({
          kind: 'event',
          what: 'clock',
          at: clock.now(),
          data: { source: `terminal:${terminal.id}`, deviceSn: serial, beforeMs: before, afterMs: ms, driftMs: ms },
        }),
      );
      parts.bell.ring();
    }
    toldOffsetMs = ms;
  };

  const factOf = (record: PunchRecord, serial: string, delivery: Delivery): PunchFact => {
    const { name: driver, decoderVersion, seqIsIdentity } = terminal.driver;
    const how = {
      ...{ terminalId: terminal.id, deviceSn: serial, zone: terminal.zone, rx: clock.now(), rxTicks: clock.ticks() },
      ...{ clockTrusted: clock.trusted(), offset, delivery, seqIsIdentity, firmware: identity?.firmware ?? null },
      decoder: `${driver}/${decoderVersion}`,
    };
    return punchFact(record, how, parts.match, parts.effective);
  };

  /** One commit: punches, days they touch, reading position. */
  const commitPage = (page: PunchPage, serial: string): void => {
    const live = drainedSince !== null;
    const short = page.count !== null && page.count.decoded < page.count.announced ? page.count : null;
    const news = short !== null && mismatch?.announced !== short.announced ? short : null;
    const added = store.transact((tx) => {
      let count = 0;
      let impossible = 0;
      for (const record of page.punches) {
        const asItHappened = record.source === 'realtime' || record.source === 'push';
        // What a terminal kept through an outage is never live, whatever was read before (requirements 4.4).
        const delivery: Delivery = asItHappened || (live && record.source === 'poll') ? 'live' : 'backfill';
        const fact = factOf(record, serial, delivery);
        if (tx.addPunch(fact) === null) continue;
        count += 1;
        if (fact.instant === null) impossible += 1;
        const cause = delivery === 'live' ? 'punch' : 'backfill';
        for (const day of parts.daysTouchedBy(fact)) tx.touchDay({ ...day, cause });
      }
      if (page.cursor && JSON.stringify(page.cursor) !== position) tx.setCursor(serial, page.cursor);
      if (news) {
        const data = { terminal: terminal.id, deviceSn: serial, announced: news.announced, decoded: news.decoded };
        tx.addEvent({ kind: 'event', what: 'count-mismatch', at: clock.now(), data });
      }
      if (impossible > 0) {
        findings.set('impossible-date', (findings.get('impossible-date') ?? 0) + impossible);
        const data = { terminal: terminal.id, deviceSn: serial, state: 'impossible-date', punches: impossible };
        tx.addEvent({ kind: 'event', what: 'device', at: clock.now(), data });
      }
      return count;
    });
    stored += added;
    repeated += page.punches.length - added;
    if (page.cursor) position = JSON.stringify(page.cursor);
    if (page.count) mismatch = short;
    if (page.punches.length > 0) lastPunchAt = clock.now();
    if (added > 0 || news) parts.bell.ring();
  };

  /** Commits a page in slices, so that the page and the platform get their turns; the reading position goes with the last. */
  const storePage = async (page: PunchPage, serial: string, signal: AbortSignal): Promise<void> => {
    let { punches } = page;
    while (punches.length > PUNCHES_PER_COMMIT) {
      commitPage({ punches: punches.slice(0, PUNCHES_PER_COMMIT), cursor: null, drained: false, count: null }, serial);
      punches = punches.slice(PUNCHES_PER_COMMIT);
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    }
    commitPage({ ...page, punches }, serial);
  };

  const readAll = async (
    session: TerminalSession,
    serial: string,
    stillThere: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> => {
    if (drainedSince === null) enter('reading');
    const after = store.cursor(serial) as Cursor | null;
    position = JSON.stringify(after);
    // A punch made while a list is read may be missing in it: complete is only what was there when the reading began.
    let begun = clock.ticks();
    let complete = false;
    for await (const page of session.pages(after, { follow: true })) {
      await stillThere();
      await storePage(page, serial, signal);
      await session.confirm(page);
      if (page.drained || page.count !== null) {
        complete = page.drained && mismatch === null;
        if (state !== 'waiting') enter('live');
        if (complete) {
          drainedTicks = begun;
          drainedSince ??= begun;
          await correctClock(session, serial);
          await parts.enrol?.(session, serial, signal);
        } else drainedSince = null;
        begun = clock.ticks();
      } else if (page.punches.length === 0) {
        // A session that follows yields an empty page now and then, so that the clock is compared again.
        begun = clock.ticks();
        await compareClocks(session, serial);
        if (complete) {
          drainedTicks = begun;
          await parts.enrol?.(session, serial, signal);
        }
      }
    }
  };

  const correctClock = async (session: TerminalSession, serial: string): Promise<void> => {
    if (!terminal.setClock || !session.setClock || !clock.trusted() || offset === null) return;
    if (Math.abs(offset.ms) <= terminal.clockOkMs || Math.abs(offset.ms) > terminal.clockStepMaxMs) return;
    await session.setClock(instantToWall(clock.now(), terminal.zone));
    await compareClocks(session, serial);
  };

  const visit = async (signal: AbortSignal): Promise<void> => {
    // A terminal that is polled stays `waiting` between two good reads: a visit every few seconds is no news.
    // One that cannot be reached stays `unreachable` until it answers: every retry is no news either.
    const { reach } = terminal;
    const calls = isListening(reach);
    if (drainedSince === null && state !== 'unreachable') enter(calls ? 'awaiting-call' : 'connecting');
    const opening = parts.openLink(reach, signal);
    if (calls) await presence.awaitCall(opening, signal);
    await using link = await opening;
    if (calls) enter('connecting');
    // What a session dials ends with it, whatever it forgets; a wait for a call ends by the session's own signal.
    const over = linkedController(signal);
    const { nextCall } = parts;
    const dialled = !calls && 'host' in reach;
    let redialled = false;
    const dial = (): ReturnType<typeof parts.openLink> => {
      redialled = true;
      return parts.openLink(reach, over.signal);
    };
    const wire: Wire = {
      clock: parts.wire,
      note,
      zone: terminal.zone,
      host: dialled ? hostAndPort(reach) : null,
      dial: dialled ? dial : null,
      nextCall: nextCall ?? null,
    };
    try {
      await using session = await terminal.driver.open(link, terminal.options, wire, signal);
      const { serial } = await meetTerminal(session);
      await compareClocks(session, serial);
      redialled = false;
      // Behind a connection that the session has dialled since may stand another terminal: its records are not this one's.
      const stillThere = async (): Promise<void> => {
        if (!redialled) return;
        redialled = false;
        const { serial: now } = await session.identify();
        if (now !== serial) throw fail('link-closed', { terminal: terminal.id, expected: serial, found: now });
      };
      await readAll(session, serial, stillThere, signal);
    } finally {
      over.end();
    }
  };

  const wentOffline = (error: unknown): void => {
    drainedSince = null;
    enter('unreachable');
    const { code, kind } = asGatewayError(error);
    // When our own disk refuses, the terminal is not to blame, and there is nowhere to write it.
    if (kind !== 'storage') presence.lost(code);
  };

  return {
    name,
    once: visit,
    async run(signal) {
      for (;;) {
        try {
          await visit(signal);
        } catch (error) {
          if (!signal.aborted) wentOffline(error);
          throw error;
        }
        enter('waiting');
        await clock.sleep(terminal.pollMs, signal);
      }
    },
    status: () => ({
      ...{ id: terminal.id, reach: formatReach(terminal.reach), driver: terminal.driver.name, state, since },
      serial: identity?.serial ?? null,
      model: identity?.model ?? null,
      firmware: identity?.firmware ?? null,
      offsetMs: offset?.ms ?? null,
      lastDrainedAt: drainedTicks === null ? null : instant(clock.now() - (clock.ticks() - drainedTicks)),
      ...{ lastPunchAt, stored, repeated, mismatch, findings: Object.fromEntries(findings) },
    }),
  };
}
