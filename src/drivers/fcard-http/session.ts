/**
 * One terminal that pushes by HTTP: its connections go to one desk that answers them, its records wait until they are
 * stored, and `{"Success":1}` is said only then. On first contact everything is asked for once (`RepostRecord`), because
 * another server may have taken the records before. The protocol announces no count and tells no clock, so there is neither.
 */
import type { Duplex } from 'node:stream';
import { asGatewayError, fail, type GatewayError } from '../../core/errors.js';
import { linkedController, within } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, TerminalSession, Wire } from '../driver.js';
import { createHttpDesk, type HttpCall, type HttpReply } from '../http-server.js';
import { answerBody, decodeRecord, detailOf, field, punchOf, readForm, routeOf, textOf } from './codec.js';
import type { Form, IdentifyRecord, Json, Route } from './codec.js';
import { createInbox, type Delivery } from './inbox.js';
import type { FcardHttpOptions } from './options.js';
import { createPeople } from './people.js';

const FIRST_MS = 60_000;
/** Longest that a terminal which calls is waited for to tell of its firmware. */
const SETTING_MS = 5000;
const STEP_MS = 250;
const KEEP_ALIVE_MS = 45_000;
/** Keep-alives after which a terminal that does not ask for commands is believed not to know them. */
const DEAF_KEEP_ALIVES = 4;
/** A record that cannot be read is refused so many times; then it must not hold up those behind it. */
const UNREADABLE_TRIES = 5;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const FRESH_MS = 300_000;
/** Records that are known to be stored; of older ones the journal knows. */
const STORED_MAX = 4096;

const keyOf = (record: IdentifyRecord): string => `${record.id ?? ''} ${record.at} ${record.userId} ${record.event}`;

export function openSession(link: Duplex, options: FcardHttpOptions, wire: Wire, signal: AbortSignal): TerminalSession {
  const { clock } = wire;
  const failing = new AbortController();
  const life = linkedController(signal, failing.signal);
  const inbox = createInbox(clock, life.signal);
  const people = createPeople({ options, wire, signal: life.signal });
  const pending = new WeakMap<PunchPage, () => void>();
  const stored = new Set<string>();
  const unreadable = new Map<string, number>();
  const state = {
    serial: null as string | null,
    firmware: null as string | null,
    settingsAsked: false,
    heardAt: clock.ticks(),
    keepAliveAt: -Infinity,
    keepAlives: 0,
    recordAt: -Infinity,
    /** Whether everything is to be sent again, and when that was told. */
    repost: false,
    repostAt: null as number | null,
  };
  const heard: (() => void)[] = [];

  const reply = (fields: Json = {}): HttpReply => ({
    status: 200,
    headers: { 'Content-Type': 'application/json;charset=UTF-8' },
    body: answerBody(fields),
  });

  const takeRecord = async (form: Form, body: Uint8Array, gone: AbortSignal): Promise<HttpReply | null> => {
    state.recordAt = clock.ticks();
    let record: IdentifyRecord;
    try {
      record = decodeRecord(detailOf(form) ?? {});
    } catch (error) {
      return refuseUnreadable(body, asGatewayError(error));
    }
    // What was stored in this session is known; a refusal at the door is nothing to store.
    if (punchOf(record, wire.zone) === null || stored.has(keyOf(record))) return reply();
    return (await inbox.offer(record, gone)) ? reply() : null;
  };

  /** Never answered with success at once: it may be our fault. Never for ever: others wait behind it. */
  const refuseUnreadable = (body: Uint8Array, error: GatewayError): HttpReply => {
    const key = `${body.length} ${body.subarray(-64).join()}`;
    const tries = (unreadable.get(key) ?? 0) + 1;
    if (unreadable.size > 100) unreadable.clear();
    unreadable.set(key, tries);
    const givenUp = tries >= UNREADABLE_TRIES;
    wire.note({
      code: givenUp ? 'gap' : 'unknown-layout',
      text: `An upload cannot be read: ${error.message}`,
      data: { tries, givenUp },
    });
    return reply(givenUp ? {} : { Success: 400 });
  };

  const keepAlive = (): HttpReply => {
    state.keepAliveAt = clock.ticks();
    state.keepAlives += 1;
    const asksSettings = state.firmware === null && !state.settingsAsked;
    state.settingsAsked = true;
    return reply({
      ...people.flags(),
      ...(state.repost ? { Remote: 1 } : {}),
      ...(asksSettings ? { UploadWorkParameter: 1 } : {}),
    });
  };

  const command = (): HttpReply => {
    const repost = state.repost;
    if (repost) state.repostAt = clock.ticks();
    state.repost = false;
    return reply({ ...people.commands(), ...(repost ? { RepostRecord: 1 } : {}) });
  };

  const answers: Readonly<
    Record<Route, (form: Form, body: Uint8Array, gone: AbortSignal) => HttpReply | Promise<HttpReply | null>>
  > = {
    '/Device/Keepalive': keepAlive,
    '/Device/UploadWorkSetting': (form) => {
      state.firmware = textOf(field(form.fields, 'FirmwareVerson', 'FirmwareVersion')).slice(0, 40) || null;
      return reply();
    },
    '/Device/RemoteCommand': command,
    '/Device/RequestAuthorization': () => refuseEntry(),
    '/People/RequestAuthorization': () => refuseEntry(),
    '/Record/UploadIdentifyRecord': takeRecord,
    '/Record/UploadSystemRecord': () => reply(),
    '/People/DownloadPeopleList': (form) => reply(people.additions(form)),
    '/People/DownloadPeopleListResult': (form) => {
      people.added(form);
      return reply();
    },
    '/People/DeletePeopleList': (form) => reply(people.deletions(form)),
    '/People/DeletePeopleListResult': (form) => {
      people.deleted(form);
      return reply();
    },
    '/People/PushPeople': (form) => {
      people.pushed(form);
      return reply();
    },
  };

  /** Who may pass a door is not for a gateway of attendance to say. */
  const refuseEntry = (): HttpReply => {
    wire.note({ code: 'odd', text: 'The terminal asks who may enter; switch that off, the gateway opens no door' });
    return reply({ Success: 0 });
  };

  const onCall = async (call: HttpCall, gone: AbortSignal): Promise<HttpReply | null> => {
    const route = call.method === 'POST' ? routeOf(call.path) : null;
    if (route === null) return { status: 404, body: '' };
    let form: Form;
    try {
      form = readForm(call.headers, call.body);
    } catch (error) {
      return refuseUnreadable(call.body, asGatewayError(error));
    }
    if (state.serial !== null && form.sn !== '' && form.sn !== state.serial) {
      wire.note({ code: 'odd', text: 'A request of another terminal came over this one’s connection' });
      return null;
    }
    if (form.sn !== '') state.serial = form.sn;
    state.heardAt = clock.ticks();
    const answer = await answers[route](form, call.body, gone);
    for (const wake of heard.splice(0)) wake();
    return answer;
  };

  const desk = createHttpDesk({
    clock,
    signal: life.signal,
    sizeBytesMax: BODY_BYTES_MAX,
    onCall,
    onBroken: (window) => {
      if (state.serial === null) failing.abort(fail('wrong-protocol', { driver: 'fcard-http', window }));
      else wire.note({ code: 'noise', text: 'A connection brought bytes that are no HTTP', data: { window } });
    },
  });
  desk.take(link);
  const welcome = async (): Promise<void> => {
    for (; wire.nextCall;) desk.take(await wire.nextCall(life.signal));
  };
  // Ends with the session: whoever waits for a call has its signal.
  const welcoming = welcome().catch((error: unknown) => {
    if (!life.signal.aborted) failing.abort(error);
  });

  /** Waits until `ready`, woken by each request. */
  const until = async (ready: () => boolean, ms: number): Promise<boolean> => {
    const began = clock.ticks();
    while (!ready()) {
      const leftMs = ms - (clock.ticks() - began);
      if (leftMs <= 0) return false;
      await within(clock, leftMs, life.signal, new Promise<void>((resolve) => heard.push(resolve)));
      life.signal.throwIfAborted();
    }
    return true;
  };

  const assertAlive = (): void => {
    const silence = clock.ticks() - state.heardAt;
    if (silence < options.silenceSeconds * 1000) return;
    throw fail('link-silent', {
      ms: Math.round(silence),
      waitingFor: 'the terminal to call',
      waitingForZh: '等待考勤机呼叫',
    });
  };

  /** Until everything has come, what is not of now was kept in the terminal; afterwards it can only be told by a wrong clock. */
  const sourceOf = ({ at }: IdentifyRecord, drained: boolean): 'push' | 'replay' =>
    drained || Math.abs(clock.now() - at) <= FRESH_MS ? 'push' : 'replay';

  async function* give(delivery: Delivery, drained: boolean): AsyncGenerator<PunchPage, void> {
    const punch = punchOf(delivery.record, wire.zone, sourceOf(delivery.record, drained));
    const page: PunchPage = { punches: punch ? [punch] : [], cursor: null, drained: false, count: null };
    pending.set(page, () => {
      if (stored.size >= STORED_MAX) stored.clear();
      stored.add(keyOf(delivery.record));
      delivery.settle(true);
    });
    try {
      yield page;
    } finally {
      // Not confirmed before the next page was wanted: the terminal keeps it.
      delivery.settle(false);
    }
  }

  /** Everything has come: asked for again where that was wanted, quiet since, and a keep-alive after it. */
  const isDrained = (began: number): boolean => {
    const since = Math.max(began, state.recordAt, state.repostAt ?? began);
    return !state.repost && state.keepAliveAt > since && clock.ticks() - since >= options.quietSeconds * 1000;
  };

  async function* pages(after: Cursor | null, { follow }: PageOptions): AsyncGenerator<PunchPage, void> {
    const began = clock.ticks();
    const keepAlives = state.keepAlives;
    let drained = false;
    let reposted = after?.reposted === true;
    state.repost = !reposted;
    let toldAt = clock.ticks();
    for (;;) {
      life.signal.throwIfAborted();
      assertAlive();
      const delivery = await inbox.take(STEP_MS);
      if (delivery) {
        yield* give(delivery, drained);
        toldAt = clock.ticks();
        continue;
      }
      if (!drained && state.repost && state.keepAlives - keepAlives >= DEAF_KEEP_ALIVES) {
        wire.note({
          code: 'odd',
          text: 'The terminal does not ask for commands: only what it has not uploaded yet comes',
        });
        state.repost = false;
      }
      if (!drained && isDrained(began)) {
        drained = true;
        reposted ||= state.repostAt !== null;
        toldAt = clock.ticks();
        yield { punches: [], cursor: { reposted }, drained: true, count: null };
        if (!follow) return;
      } else if (drained && clock.ticks() - toldAt >= KEEP_ALIVE_MS && state.keepAliveAt > toldAt) {
        toldAt = clock.ticks();
        yield { punches: [], cursor: null, drained: false, count: null };
      }
    }
  }

  return {
    async identify() {
      life.signal.throwIfAborted();
      if (!(await until(() => state.serial !== null, FIRST_MS))) {
        const waitingForZh = '等待考勤机的首个请求';
        throw fail('link-silent', { ms: FIRST_MS, waitingFor: 'the first request of the terminal', waitingForZh });
      }
      await until(() => state.firmware !== null, SETTING_MS);
      const serial = state.serial ?? '';
      const model = /^([A-Z]{2}-\d{4}[A-Z]{0,2})[\dA-Z]{6,}$/.exec(serial)?.[1] ?? null;
      return { serial, model, firmware: state.firmware, details: {} };
    },
    pages,
    confirm: async (page) => Promise.resolve(pending.get(page)?.()),
    users: people,
    async [Symbol.asyncDispose]() {
      inbox.close();
      life.end();
      await desk[Symbol.asyncDispose]();
      await welcoming;
    },
  };
}
