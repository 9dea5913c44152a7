/**
 * The reference platform of the city side as one object: receiver, database, keys, broker connection. Built by the
 * command `platform run`, by the demonstration and by tests.
 *
 * Promises: deliveries are answered and acknowledgements sent only after their commit; a lost broker is tried again
 * within two seconds for ever; when the database refuses, deliveries stay unanswered and the commit is repeated, so
 * data waits at the edge where it is safe (upstream §15). Refuses to buffer beyond what the broker may leave open.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { asGatewayError, fail } from '../core/errors.js';
import { randomHex } from '../core/ids.js';
import type { Log } from '../core/log.js';
import { within, type Clock } from '../core/time.js';
import { createDoorbell } from '../core/unit.js';
import { signJws } from '../uplink/envelope.js';
import { createAckOutbox } from './acks.js';
import { createChain } from './chain.js';
import { loadPlatformKeys, type PlatformKeys } from './keys.js';
import { createKeyring } from './keyring.js';
import { createLedger, type Ledger } from './ledger.js';
import { openWire, withoutSecrets, type Delivery, type MqttVersion, type Wire } from './mqtt.js';
import { createQuestions, type GatewayAnswer } from './questions.js';
import { createReceiver, type AckDraft, type Counts } from './receive.js';
import { readGatewayFile, registerGateway, revokeKey, type GatewayEntry } from './registry.js';
import { readSecrets, type PlatformSettings } from './settings.js';
import { createPlatformStore, type PlatformStore } from './store.js';

const RECONNECT_MS_MAX = 2000;
const DRAIN_MS = 2000;
const CONNECTED_MS = 600_000;
const ANNOUNCE_MS = 3_600_000;
const STATE_VALID_MS = 12 * 3_600_000;
const KEY_SET_VALID_MS = 365 * 86_400_000;
const KEY_SET_RENEW_MS = 30 * 86_400_000;

export interface PlatformStats {
  readonly connected: boolean;
  readonly connections: number;
  readonly commits: number;
  /** Messages handled, by finding. */
  readonly counts: Counts;
  readonly acks: { readonly sent: number; readonly failed: number };
  /** True while the database refuses commits. */
  readonly storeFailing: boolean;
}

export interface PlatformMood {
  readonly on?: boolean;
  readonly slow?: boolean;
  readonly win?: number;
  readonly spreadSeconds?: number;
  readonly pics?: 'now' | 'night' | 'off';
}

export interface Platform {
  readonly keys: PlatformKeys;
  readonly ledger: Ledger;
  /** Starts the loops; resolves at once, whether or not the broker is there. */
  start(): void;
  /** Resolves when connected and subscribed. */
  connected(signal: AbortSignal): Promise<void>;
  /** Ends within a few seconds: commits what has come, sends what is due, clears the retained state, closes. */
  stop(): Promise<void>;
  stats(): PlatformStats;
  registerGateway(entry: GatewayEntry): void;
  revokeKey(gw: string, kid: string, fromSeq: number): void;
  /** A person accepts a parked epoch. */
  acceptEpoch(gw: string, ep: string): boolean;
  ask(
    gw: string,
    method: string,
    params: Readonly<Record<string, unknown>>,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<GatewayAnswer>;
  /** Changes the retained platform state (§10). */
  announce(mood: PlatformMood): void;
}

export interface PlatformParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
  /** For tests: called inside each transaction, right before the commit. */
  readonly beforeCommit?: () => void;
}

export function createPlatform(settings: PlatformSettings, parts: PlatformParts): Platform {
  const { clock, log, random = Math.random } = parts;
  const { prefix } = settings;
  const keys = loadPlatformKeys(settings.dataDir);
  const store = createPlatformStore(join(settings.dataDir, 'platform.db'));
  const keyring = createKeyring(store);
  const chain = createChain(store, keyring);
  if (settings.gateways !== undefined)
    for (const entry of readGatewayFile(settings.gateways)) registerGateway(store, entry, clock.now());
  const secrets = readSecrets(settings);
  const caller = `p-${randomHex(8)}`;
  const stopWire = new AbortController();
  const stopCommits = new AbortController();
  const queue: Delivery[] = [];
  const work = createDoorbell(clock);
  const stateBell = createDoorbell(clock);
  const acks = createAckOutbox({
    clock,
    prefix,
    signer: keys.signers.ack,
    mergeMs: settings.ackMergeMs,
    win: settings.win,
  });
  let mood: PlatformMood = {};
  let wire: Wire | null = null;
  let version: MqttVersion = settings.mqtt.version === '3.1.1' ? 4 : 5;
  let connections = 0;
  let commits = 0;
  let storeFailing = false;
  let onConnected: (() => void)[] = [];
  let commitsDone = Promise.resolve();
  let connectionDone = Promise.resolve();

  const questions = createQuestions({
    clock,
    keyring,
    request: keys.signers.req,
    command: keys.signers.cmd,
    caller,
    publish: async (gw, jws, expirySeconds) => {
      const zone = store.gateway(gw)?.zone ?? 'unknown';
      await open().publish(`${prefix}att/v1/${zone}/${gw}/down/req`, jws, { expirySeconds }, stopWire.signal);
    },
  });
  const receiver = createReceiver({
    store,
    keyring,
    chain,
    prefix,
    onAnswer: (answer) => void questions.answered(answer),
    onFault: (error) =>
      log.error(
        { code: asGatewayError(error).code, stack: asGatewayError(error).stack },
        'a message was dropped through a fault of ours',
      ),
    ...(parts.beforeCommit ? { beforeCommit: parts.beforeCommit } : {}),
  });

  function open(): Wire {
    if (!wire) throw fail('platform-broker', { url: withoutSecrets(settings.url), reason: 'not connected' });
    return wire;
  }

  async function commitLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted || queue.length > 0) {
      if (queue.length === 0) await work.wait(60_000, signal).catch(() => undefined);
      // One turn of the event loop lets what the socket holds join this group, and lets everyone else live.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const group = queue.splice(0, settings.groupMax);
      if (group.length === 0) continue;
      const drafts = await commit(group, signal);
      for (const delivery of group) delivery.done();
      acks.add(drafts);
    }
  }

  async function commit(group: readonly Delivery[], signal: AbortSignal): Promise<readonly AckDraft[]> {
    for (;;) {
      try {
        const drafts = receiver.receive(group, clock.now());
        commits += 1;
        if (storeFailing) stateBell.ring();
        storeFailing = false;
        return drafts;
      } catch (thrown) {
        const error = asGatewayError(thrown);
        if (!storeFailing) log.error({ code: error.code, context: error.context }, error.message);
        storeFailing = true;
        stateBell.ring();
        if (signal.aborted) throw error;
        await clock.sleep(1000, signal);
      }
    }
  }

  async function connectionLoop(signal: AbortSignal): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      try {
        await oneConnection(signal, () => (attempt = 0));
      } catch (thrown) {
        const error = asGatewayError(thrown);
        // An abort surfaces as whatever the interrupted call throws.
        if (signal.aborted as boolean) return;
        if (error.context.version === true && settings.mqtt.version === 'auto' && version === 5) {
          version = 4;
          continue;
        }
        if (attempt === 0) log.warn({ code: error.code, context: error.context }, error.message);
        attempt += 1;
      }
      const ceiling = Math.min(RECONNECT_MS_MAX, 100 * 2 ** Math.min(attempt, 5));
      await clock.sleep(ceiling * (0.5 + random() / 2), signal).catch(() => undefined);
    }
  }

  async function oneConnection(signal: AbortSignal, onOpen: () => void): Promise<void> {
    const opened = await openWire(
      {
        url: settings.url,
        clientId: `platform-${caller}`,
        version,
        username: settings.mqtt.username,
        ...secrets,
        receiveMaximum: settings.mqtt.receiveMaximum,
        willTopic: settings.announce ? `${prefix}att/v1/plat/state` : null,
      },
      clock,
      (delivery) => {
        // While stopping, what still comes stays unanswered: the broker hands it to another worker or the gateway repeats it.
        if (signal.aborted) return;
        queue.push(delivery);
        work.ring();
      },
      signal,
    );
    const life = new AbortController();
    try {
      const up = `${prefix}att/v1/+/+/up/#`;
      const shared = settings.mqtt.shared === 'auto' ? opened.sharedSubscriptions : settings.mqtt.shared;
      const own = `${prefix}att/v1/+/+/up/res/${caller}`;
      await opened.subscribe(shared ? [`$share/${settings.mqtt.group}/${up}`, own] : [up], signal);
      wire = opened;
      connections += 1;
      onOpen();
      for (const tell of onConnected.splice(0)) tell();
      log.info({ url: withoutSecrets(settings.url), version, shared }, 'connected to the broker');
      const helpers = [
        acks.run(opened, life.signal),
        settings.announce ? announceLoop(opened, life.signal) : Promise.resolve(),
      ];
      for (const helper of helpers) {
        helper.catch((error: unknown) => {
          if (life.signal.aborted) return;
          log.warn({ code: asGatewayError(error).code }, 'the broker does not take what the platform says');
          void opened.close();
        });
      }
      const reason = await Promise.race([opened.closed, aborted(signal)]);
      if (!signal.aborted) {
        queue.length = 0;
        log.warn({ reason }, 'the broker connection was lost');
        return;
      }
      await drain(opened);
    } finally {
      life.abort();
      wire = null;
      await opened.close();
    }
  }

  /** After the stop: what has come is committed and acknowledged, within a deadline. */
  async function drain(last: Wire): Promise<void> {
    const never = new AbortController().signal;
    const until = clock.ticks() + DRAIN_MS;
    while ((queue.length > 0 || acks.pending() > 0) && clock.ticks() < until) await clock.sleep(10, never);
    if (!settings.announce) return;
    const cleared = last.publish(`${prefix}att/v1/plat/state`, '', { retain: true }, never);
    await within(clock, DRAIN_MS, never, cleared).catch(() => undefined);
  }

  async function announceLoop(on: Wire, signal: AbortSignal): Promise<void> {
    for (;;) {
      await on.publish(`${prefix}att/v1/plat/state`, stateMessage(), { retain: true }, signal);
      await stateBell.wait(ANNOUNCE_MS, signal);
    }
  }

  /** `at` rises with every state, over restarts and clock steps too: gateways ignore one that does not (§10). */
  function stateMessage(): string {
    const now = clock.now();
    const at = store.transact(() => {
      const next = Math.max(now, Number(store.meta('state-at') ?? '0') + 1);
      store.putMeta('state-at', String(next));
      return next;
    });
    return signJws(
      keys.signers.plat,
      'att-plat+jws',
      JSON.stringify({
        v: 1,
        on: mood.on ?? true,
        at,
        until: at + STATE_VALID_MS,
        win: storeFailing ? 1 : (mood.win ?? settings.win),
        slow: (mood.slow ?? false) || storeFailing,
        spread: mood.spreadSeconds ?? settings.spreadSeconds,
        pics: mood.pics ?? 'off',
        keys: currentKeySet(store, keys, now),
      }),
    );
  }

  return {
    keys,
    ledger: createLedger(store),
    start() {
      commitsDone = commitLoop(stopCommits.signal);
      connectionDone = connectionLoop(stopWire.signal);
    },
    connected: async (signal) => {
      if (wire) return;
      const opens = new Promise<void>((resolve) => onConnected.push(resolve));
      if ((await within(clock, CONNECTED_MS, signal, opens)) === 'late') {
        throw fail('platform-broker', {
          url: withoutSecrets(settings.url),
          reason: `no connection within ${CONNECTED_MS} ms`,
        });
      }
    },
    async stop() {
      stopWire.abort(new Error('stopping'));
      await Promise.allSettled([connectionDone]);
      stopCommits.abort(new Error('stopping'));
      await Promise.allSettled([commitsDone]);
      onConnected = [];
      store.close();
    },
    stats: () => ({
      connected: wire !== null,
      connections,
      commits,
      counts: receiver.counts(),
      acks: acks.counts(),
      storeFailing,
    }),
    registerGateway: (entry) => registerGateway(store, entry, clock.now()),
    revokeKey: (gw, kid, fromSeq) => revokeKey(store, gw, kid, fromSeq),
    acceptEpoch: (gw, ep) => store.transact(() => chain.acceptEpoch(gw, ep, clock.now())),
    ask: (gw, method, params, deadlineMs, signal) => questions.ask(gw, method, params, deadlineMs, signal),
    announce(next) {
      mood = next;
      stateBell.ring();
    },
  };
}

/** The signed key set, renewed in time; a new one has a higher number (§11). */
function currentKeySet(store: PlatformStore, keys: PlatformKeys, now: number): string {
  const kept = JSON.parse(store.meta('key-set') ?? 'null') as {
    ser: number;
    exp: number;
    root: string;
    jws: string;
  } | null;
  if (kept?.root === keys.root.keyId && kept.exp - now > KEY_SET_RENEW_MS) return kept.jws;
  const ser = (kept?.ser ?? 0) + 1;
  const exp = now + KEY_SET_VALID_MS;
  const jws = keys.keySet(ser, now, exp);
  store.putMeta('key-set', JSON.stringify({ ser, exp, root: keys.root.keyId, jws }));
  return jws;
}

async function aborted(signal: AbortSignal): Promise<string> {
  if (!signal.aborted) await once(signal, 'abort');
  return 'stopping';
}
