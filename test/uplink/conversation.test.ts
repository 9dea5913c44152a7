/** The conversation as a state machine: every case of upstream §5, §8, §9, §10 and §13 that needs no socket. */
import { beforeEach, describe, expect, test } from 'vitest';
import { fail } from '../../src/core/errors.js';
import type { Instant } from '../../src/core/time.js';
import { createConversation } from '../../src/uplink/conversation.js';
import type { Conversation, ConversationEvent, Effect, Standing } from '../../src/uplink/conversation-words.js';
import type { AckMessage, PlatStateMessage } from '../../src/uplink/messages.js';
import { UPLINK_TIMINGS } from '../../src/uplink/uplink.js';

const T0 = 1_789_000_000_000;
const hash = (seq: number): string => seq.toString(16).padStart(64, '0');
const GW = 'gw7k2m9q4t';
const EP = '0123456789abcdef0123456789abcdef';

/** A conversation with an outbox that does what the effects say, and a clock that the test moves. */
class Scene {
  readonly conversation: Conversation;
  ticks = 0;
  random = 0.5;
  trusted = true;
  headSeq = 0;
  ackedSeq = 0;
  platAt = 0;
  ep = EP;
  ackAt = T0;
  wrongHash = false;
  batchBytes = 1_000;
  log: Effect[] = [];

  constructor() {
    this.conversation = createConversation(UPLINK_TIMINGS, () => this.random);
  }

  get standing(): Standing {
    const { ep, ackedSeq, headSeq, platAt } = this;
    return {
      gw: GW,
      ep,
      ackedSeq,
      headSeq,
      platAt,
      hashOf: (seq) => (seq <= headSeq ? hash(seq) : null),
      sizeOf: () => this.batchBytes,
    };
  }

  step(event: ConversationEvent): Effect[] {
    const moment = { ticks: this.ticks, now: (T0 + this.ticks) as Instant, trusted: this.trusted };
    const effects = [...this.conversation.step(event, moment, this.standing)];
    for (const effect of effects) {
      if (effect.kind === 'acknowledge' || effect.kind === 'unacknowledge') this.ackedSeq = effect.through;
      if (effect.kind === 'plat-at') this.platAt = effect.at;
      if (effect.kind === 'new-epoch') {
        this.ep = 'f'.repeat(32);
        this.headSeq = 0;
        this.ackedSeq = 0;
      }
    }
    this.log.push(...effects);
    return effects;
  }

  /** Lets time pass, ticking whenever the conversation asks to be woken; returns what it did. */
  pass(ms: number): Effect[] {
    const end = this.ticks + ms;
    const done: Effect[] = [];
    for (let turn = 0; turn < 10_000; turn += 1) {
      const at = this.conversation.wakeAt();
      if (at > end) break;
      expect(at).toBeGreaterThanOrEqual(this.ticks - 1);
      this.ticks = Math.max(this.ticks, at);
      const before = this.conversation.wakeAt();
      done.push(...this.step({ kind: 'tick' }));
      expect(this.conversation.wakeAt(), 'a due time must be dealt with').toBeGreaterThan(
        Math.min(before, this.ticks) - 1,
      );
    }
    this.ticks = end;
    return done;
  }

  connect(changes: Partial<Extract<ConversationEvent, { kind: 'connected' }>> = {}): Effect[] {
    return this.step({
      kind: 'connected',
      sid: 'S',
      version: '5',
      receiveMaximum: 20,
      batchBytesMax: null,
      ...changes,
    });
  }

  ack(through: number, changes: Partial<AckMessage> = {}): Effect[] {
    this.ackAt += 1;
    const ack: AckMessage = { v: 1, gw: GW, ep: this.ep, through, hash: hash(through), at: this.ackAt, ...changes };
    return this.step({ kind: 'ack', ack, jws: 'jws' });
  }

  plat(changes: Partial<PlatStateMessage>): Effect[] {
    return this.step({ kind: 'plat', plat: { v: 1, on: true, at: T0 + this.ticks, ...changes } });
  }

  /** Connected, greeted, nothing waiting. */
  online(headSeq = 0, ackedSeq = headSeq): void {
    this.headSeq = headSeq;
    this.ackedSeq = ackedSeq;
    this.step({ kind: 'start' });
    this.pass(5_000);
    this.connect();
    this.ack(ackedSeq, { sid: 'S' });
    this.log = [];
  }

  view(): ReturnType<Conversation['view']> {
    return this.conversation.view(this.ticks);
  }
}

const seqs = (effects: readonly Effect[]): number[] =>
  effects.flatMap((one) => (one.kind === 'batch' ? [one.seq] : []));
const kinds = (effects: readonly Effect[]): string[] => effects.map((one) => one.kind);

let scene: Scene;
beforeEach(() => (scene = new Scene()));

describe('reconnect (§5)', () => {
  const failing = (code: Parameters<typeof fail>[0]): number => {
    scene.step({ kind: 'failed', error: fail(code, {}) });
    return scene.conversation.wakeAt() - scene.ticks;
  };

  test('first attempt within 5 s of start, then doubling up to two minutes', () => {
    scene.random = 0.999999;
    scene.step({ kind: 'start' });
    expect(scene.conversation.wakeAt()).toBeLessThanOrEqual(5_000);
    expect(kinds(scene.pass(5_000))).toEqual(['connect']);
    const waits = Array.from({ length: 6 }, () => {
      const wait = failing('uplink-unreachable');
      scene.pass(wait);
      return Math.round(wait / 1000);
    });
    expect(waits).toEqual([10, 20, 40, 80, 120, 120]);
  });

  test('never sooner than 1 s after a failed attempt', () => {
    scene.random = 0;
    scene.step({ kind: 'start' });
    scene.pass(0);
    expect(failing('uplink-unreachable')).toBe(1_000);
  });

  test('a lost connection is spread over 30 s, or as the platform says', () => {
    scene.random = 0.999999;
    scene.online();
    scene.ticks += 400_000;
    expect(failing('uplink-lost')).toBeCloseTo(30_000, -2);
    scene.pass(30_000);
    scene.connect();
    scene.plat({ spread: 90 });
    scene.ticks += 400_000;
    expect(failing('uplink-lost')).toBeCloseTo(90_000, -2);
  });

  test('a connection lost early is tried within the spread too; one cut short three times in a row backs off', () => {
    scene.random = 0.999999;
    scene.online();
    scene.plat({ spread: 1 });
    const waits = Array.from({ length: 4 }, () => {
      scene.ticks += 1_000;
      const wait = failing('uplink-lost');
      scene.pass(wait);
      scene.connect();
      return Math.round(wait / 1000);
    });
    expect(waits).toEqual([1, 1, 10, 20]);
    scene.ticks += 61_000;
    expect(failing('uplink-lost')).toBeCloseTo(1_000, -1);
    expect(failing('uplink-unreachable'), 'the attempts that failed are not forgotten').toBeGreaterThan(20_000);
  });

  test('after a loss the first attempt that fails is followed by at most ten seconds', () => {
    scene.random = 0.999999;
    scene.online();
    scene.ticks += 400_000;
    failing('uplink-lost');
    expect(failing('uplink-unreachable')).toBeCloseTo(10_000, -2);
  });

  test.each(['uplink-login', 'uplink-forbidden', 'uplink-tls', 'uplink-taken-over', 'uplink-version'] as const)(
    '%s waits ten minutes',
    (code) => {
      scene.step({ kind: 'start' });
      scene.pass(5_000);
      expect(failing(code)).toBe(600_000);
    },
  );

  test('busy waits at least a minute', () => {
    scene.random = 0;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    expect(failing('uplink-busy')).toBeGreaterThanOrEqual(60_000);
  });

  test('connect now cuts the wait short', () => {
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    failing('uplink-login');
    expect(kinds(scene.step({ kind: 'connect-now' }))).toEqual(['connect']);
  });

  test('not connected for ten minutes is an alarm; it goes with the connection', () => {
    scene.step({ kind: 'start' });
    for (let minute = 0; minute < 10; minute += 1) {
      if (scene.pass(60_000).some((one) => one.kind === 'connect'))
        scene.step({ kind: 'failed', error: fail('uplink-unreachable', {}) });
    }
    expect(scene.view()).toMatchObject({ alarm: true, connected: false });
    scene.pass(200_000);
    scene.connect();
    expect(scene.view().alarm).toBe(false);
  });
});

describe('hello and window (§5, §8)', () => {
  test('batches wait for the answer to hello, at most 5 s', () => {
    scene.headSeq = 9;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    expect(kinds(scene.connect())).toEqual(['hello']);
    expect(seqs(scene.pass(4_000))).toEqual([]);
    expect(seqs(scene.pass(1_000))).toEqual([1, 2, 3, 4]);
    expect(scene.view().problem?.code).toBe('uplink-unanswered');
  });

  test('sends on from through + 1 of the answer', () => {
    scene.headSeq = 9;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    scene.connect();
    const effects = scene.ack(3, { sid: 'S' });
    expect(kinds(effects)).toEqual(['acknowledge', 'batch', 'batch', 'batch', 'batch']);
    expect(seqs(effects)).toEqual([4, 5, 6, 7]);
    expect(scene.view()).toMatchObject({ state: 'online', problem: null, unacknowledged: 4 });
  });

  test('the window is min(win, Receive Maximum), and win follows ack and platform state', () => {
    scene.headSeq = 50;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    scene.connect({ receiveMaximum: 2 });
    expect(seqs(scene.ack(0, { sid: 'S' }))).toEqual([1, 2]);
    expect(seqs(scene.ack(1))).toEqual([3]);
    scene.step({ kind: 'failed', error: fail('uplink-lost', {}) });
    scene.pass(40_000);
    scene.connect({ receiveMaximum: 100 });
    expect(seqs(scene.ack(1, { sid: 'S' }))).toEqual([2, 3, 4, 5]);
    expect(seqs(scene.ack(2, { win: 8 }))).toEqual([6, 7, 8, 9, 10]);
    scene.plat({ win: 1 });
    expect(seqs(scene.ack(10))).toEqual([11]);
  });

  test('an unanswered hello is repeated ever more rarely, and a mute connection is made anew', () => {
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    scene.connect();
    const effects = scene.pass(601_000);
    const hellos = effects.filter((one) => one.kind === 'hello').length;
    expect(hellos).toBeGreaterThan(3);
    expect(hellos).toBeLessThan(12);
    expect(kinds(effects)).toContain('disconnect');
  });

  test('wait in an ack pauses; busy in rej pauses and sends the same batch again', () => {
    scene.online(6, 0);
    scene.log = [];
    expect(seqs(scene.ack(1, { wait: 20_000 }))).toEqual([]);
    expect(scene.view().state).toBe('paused');
    expect(seqs(scene.pass(19_000))).not.toContain(6);
    scene.pass(1_500);
    expect(seqs(scene.log)).toContain(5);
    scene.ack(3, { wait: 3_000, rej: [{ seq: 4, code: 'busy' }] });
    expect(seqs(scene.pass(4_000))).toContain(4);
    expect(scene.view().state).not.toBe('stopped');
  });
});

describe('resend (§8)', () => {
  test('after T from through + 1 with window 1, doubling; an ack that moves restores both', () => {
    scene.online(8, 0);
    expect(scene.view().unacknowledged).toBe(4);
    expect(seqs(scene.pass(5_000))).toEqual([1]);
    expect(scene.view()).toMatchObject({ window: 1, state: 'unanswered' });
    expect(scene.view().problem?.code).toBe('uplink-unacknowledged');
    const later = scene.pass(120_000);
    expect(new Set(seqs(later))).toEqual(new Set([1]));
    expect(seqs(later).length).toBeLessThan(6);
    const effects = scene.ack(1);
    expect(kinds(effects)[0]).toBe('acknowledge');
    expect(scene.view()).toMatchObject({ window: 4, state: 'online', problem: null });
  });

  test('no longer than five minutes (and a half) between tries, whatever happens', () => {
    scene.random = 0.999999;
    scene.online(1, 0);
    let last = scene.ticks;
    for (let hour = 0; hour < 60; hour += 1) {
      scene.ack(0); // keeps the connection from being called mute
      if (seqs(scene.pass(60_000)).length > 0) last = scene.ticks;
      expect(scene.ticks - last).toBeLessThanOrEqual(450_000 + 60_000);
    }
  });

  test('the timer follows the smoothed acknowledgement time', () => {
    scene.online(40, 0);
    for (let seq = 1; seq <= 12; seq += 1) {
      scene.ticks += 4_000;
      scene.ack(seq);
    }
    expect(scene.conversation.wakeAt() - scene.ticks).toBeGreaterThan(20_000);
  });

  test('lost, repeated and reordered acks are harmless', () => {
    scene.online(8, 0);
    scene.ack(3);
    scene.log = [];
    scene.ack(1);
    scene.ack(3);
    scene.ack(2);
    scene.ack(0, { sid: 'S' });
    expect(kinds(scene.log).filter((kind) => kind !== 'batch')).toEqual([]);
    expect(scene.ackedSeq).toBe(3);
    expect(scene.view().ignored).toBe(3);
  });

  test('an ack for another epoch or gateway moves nothing', () => {
    scene.online(4, 0);
    scene.ack(2, { ep: 'a'.repeat(32) });
    scene.ack(2, { gw: 'gwother2345' });
    expect(scene.ackedSeq).toBe(0);
    expect(scene.view().ignored).toBe(2);
  });
});

describe('rollback, fork, epoch (§7, §9)', () => {
  test('the platform went back: resend the stored batches from through + 1', () => {
    scene.headSeq = 9;
    scene.ackedSeq = 9;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    scene.connect();
    const effects = scene.ack(5, { sid: 'S' });
    expect(effects[0]).toEqual({ kind: 'unacknowledge', through: 5 });
    expect(seqs(effects)).toEqual([6, 7, 8, 9]);
  });

  test('we were restored: a new epoch that names the head of the platform, once', () => {
    scene.headSeq = 4;
    scene.ackedSeq = 4;
    scene.step({ kind: 'start' });
    scene.pass(5_000);
    scene.connect();
    const effects = scene.ack(7, { sid: 'S' });
    expect(effects[0]).toEqual({ kind: 'new-epoch', cont: { ep: EP, seq: 7, hash: hash(7), why: 'restore' } });
    expect(kinds(effects)).toEqual(['new-epoch', 'hello']);
    scene.headSeq = 2;
    expect(seqs(scene.ack(0, { sid: 'S' }))).toEqual([1, 2]);
    expect(kinds(scene.ack(50))).not.toContain('new-epoch');
    expect(scene.view().problem?.code).toBe('platform-fork');
  });

  test('another hash for our number is a fork: stop, evidence once, hello every ten minutes, keep trying', () => {
    scene.online(4, 0);
    scene.ack(2, { hash: 'e'.repeat(64) });
    expect(scene.log.at(-1)).toEqual({ kind: 'evidence', code: 'fork', seq: 2 });
    expect(scene.view()).toMatchObject({ state: 'stopped', problem: { code: 'platform-fork' }, alarm: true });
    scene.headSeq = 9;
    const effects = scene.pass(1_900_000);
    expect(seqs(effects)).toEqual([]);
    expect(kinds(effects)).toEqual(['hello', 'hello', 'hello']);
    scene.ack(2, { hash: 'e'.repeat(64), sid: 'S' });
    expect(scene.log.filter((one) => one.kind === 'evidence')).toHaveLength(1);
    expect(scene.ackedSeq).toBe(0);
  });
});

describe('refusals (§13)', () => {
  test.each([
    ['sig', 'platform-rej-sig'],
    ['key', 'platform-rej-key'],
    ['epoch', 'platform-rej-epoch'],
    ['fork', 'platform-fork'],
    ['chain', 'platform-rej-chain'],
    ['big', 'platform-rej-big'],
    ['something-new', 'platform-rej-other'],
  ] as const)(
    'rej %s stops, says hello every 10 min, and goes on when the platform has changed its mind',
    (code, expected) => {
      scene.online(6, 0);
      scene.ack(1, { rej: [{ seq: 2, code }] });
      expect(scene.ackedSeq).toBe(1);
      expect(scene.view()).toMatchObject({ state: 'stopped', rejections: 1 });
      expect(scene.view().problem?.code).toBe(expected);
      const quiet = scene.pass(601_000);
      expect(seqs(quiet)).toEqual([]);
      expect(kinds(quiet)).toEqual(['hello']);
      const effects = scene.ack(1, { sid: 'S' });
      expect(seqs(effects)).toEqual([2]);
      scene.ack(2);
      expect(scene.view()).toMatchObject({ state: 'online', problem: null, window: 4 });
    },
  );

  test('an echo of the refusal does not stop it again', () => {
    scene.online(6, 0);
    const at = scene.ackAt + 1;
    scene.ack(1, { rej: [{ seq: 2, code: 'epoch' }] });
    scene.pass(601_000);
    scene.ack(1, { sid: 'S' });
    scene.ack(1, { rej: [{ seq: 2, code: 'epoch' }], at });
    expect(scene.view().state).not.toBe('stopped');
  });

  test('a refusal in the answer to hello keeps it stopped', () => {
    scene.online(6, 0);
    scene.ack(0, { rej: [{ seq: 1, code: 'epoch' }] });
    scene.pass(601_000);
    scene.ack(0, { sid: 'S', rej: [{ seq: 1, code: 'epoch' }] });
    expect(scene.view().state).toBe('stopped');
    expect(seqs(scene.pass(500_000))).toEqual([]);
  });

  test('notes are counted and shown and stop nothing', () => {
    scene.online(6, 0);
    const effects = scene.ack(2, { note: [{ seq: 2, code: 'unknown-trainee' }] });
    expect(seqs(effects)).toEqual([5, 6]);
    expect(scene.view()).toMatchObject({ notes: 1, lastNote: { seq: 2, code: 'unknown-trainee' }, state: 'online' });
  });

  test('messages that cannot be verified are counted, named, and move nothing', () => {
    scene.online(6, 0);
    scene.step({ kind: 'bad', error: fail('jws-signature', { typ: 'att-ack+jws', kid: 'k' }) });
    expect(scene.view()).toMatchObject({ bad: 1, problem: { code: 'jws-signature' } });
    expect(scene.ackedSeq).toBe(0);
    scene.ack(1);
    expect(scene.view().problem).toBeNull();
  });
});

describe('platform state (§10)', () => {
  test('off: no batches, hello every ten minutes; on: everyone waits its share of the spread', () => {
    scene.online(4, 0);
    scene.ack(4);
    scene.plat({ on: false, until: T0 + 7_200_000, at: T0 + scene.ticks });
    scene.headSeq = 9;
    expect(scene.view()).toMatchObject({ state: 'paused', platformOff: true });
    const quiet = scene.pass(1_250_000);
    expect(seqs(quiet)).toEqual([]);
    expect(kinds(quiet)).toEqual(['hello', 'hello']);
    scene.ack(4, { sid: 'S' });
    scene.plat({ on: true, spread: 30 });
    expect(seqs(scene.pass(14_000))).toEqual([]);
    expect(seqs(scene.pass(2_000))).toEqual([5, 6, 7, 8]);
  });

  test('until ends it, and no state silences for more than a day', () => {
    scene.online(4, 4);
    scene.plat({ on: false, until: T0 + 10 * 86_400_000 });
    scene.headSeq = 5;
    scene.pass(86_400_000 - 60_000);
    expect(seqs(scene.log)).toEqual([]);
    scene.pass(120_000);
    expect(seqs(scene.log)).toContain(5);
  });

  test('without a trusted clock the pause counts from its receipt', () => {
    scene.online(4, 4);
    scene.trusted = false;
    const long_ago = T0 - 40 * 86_400_000;
    scene.plat({ on: false, at: long_ago, until: long_ago + 60_000 });
    expect(scene.view().platformOff).toBe(true);
    scene.pass(61_000);
    expect(scene.view().platformOff).toBe(false);
  });

  test('an older or repeated state is ignored, and the retained one is taken once after a restart', () => {
    scene.online(4, 4);
    scene.platAt = T0 + 100;
    scene.plat({ at: T0 + 50, win: 1 });
    expect(scene.view()).toMatchObject({ ignored: 1, window: 4 });
    scene.plat({ at: T0 + 100, win: 2 });
    expect(scene.view().window).toBe(2);
    scene.plat({ at: T0 + 100, win: 3 });
    expect(scene.view()).toMatchObject({ ignored: 2, window: 2 });
  });

  test("the platform's own will means unknown, not off", () => {
    scene.online(4, 4);
    scene.plat({ on: false, until: T0 + 3_600_000 });
    scene.step({ kind: 'plat', plat: null });
    scene.headSeq = 5;
    expect([...new Set(seqs(scene.pass(31_000)))]).toEqual([5]);
  });
});

test('a batch above the broker’s limit is named and never sent; the connection is tried anew later', () => {
  scene.headSeq = 3;
  scene.batchBytes = 5_000;
  scene.step({ kind: 'start' });
  scene.pass(5_000);
  scene.connect({ batchBytesMax: 4_000 });
  scene.ack(0, { sid: 'S' });
  expect(scene.view().problem?.code).toBe('uplink-oversize');
  const effects = scene.pass(601_000);
  expect(seqs(effects)).toEqual([]);
  expect(kinds(effects)).toContain('disconnect');
});

test('command resend publishes the stored batches, at most 64', () => {
  scene.online(200, 200);
  expect(seqs(scene.step({ kind: 'resend', from: 10, to: 12 }))).toEqual([10, 11, 12]);
  expect(seqs(scene.step({ kind: 'resend', from: 1, to: 500 }))).toHaveLength(64);
  expect(scene.view().unacknowledged).toBe(0);
});
