/** A small class for the tests of classes and credit: text, store in a temporary directory, lookups. Made-up people born in 1900. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openClasses, type Classes } from '../../src/classes/classes.js';
import { checkCharacter } from '../../src/classes/identity.js';
import { dateAt, instant, instantToWall, type Instant, type LocalDate, type Zone } from '../../src/core/time.js';
import { loadPreset } from '../../src/policies.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { parsePolicy, withValues } from '../../src/rules/policy.js';
import { openStore } from '../../src/store/database.js';
import type { StoreHooks } from '../../src/store/options.js';
import type { Store } from '../../src/store/store.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

export const ZONE = 'Asia/Shanghai' as Zone;
export const preset = loadPreset('baotou-2023');
/** The preset with another grace: another content under the same name. */
export const changedPreset = parsePolicy(withValues(preset.plain, { 'grace.lateMinutes': 5 }));

export const SURNAMES = ['欧阳', '司马', '上官', '诸葛', '令狐'];

/** Valid made-up citizen number of person `index`. */
export function documentOf(index: number): string {
  const digits = `15020319000101${String(100 + index).padStart(3, '0')}`;
  return digits + checkCharacter(digits);
}

export const nameOf = (index: number): string => `${SURNAMES[index % SURNAMES.length] ?? ''}青禾`;

export interface ClassText {
  readonly classNo?: string;
  readonly people?: readonly string[];
  readonly head?: string;
  readonly timetable?: string;
  readonly terminals?: string;
  readonly period?: string;
  readonly extra?: string;
  readonly teacher?: string;
}

export const person = (index: number, more = ''): string =>
  `  - { traineeNo: "T00${index}", name: ${nameOf(index)}, documentNumber: "${documentOf(index)}"${more} }`;

/** Class file: 2026-09-07 (Monday) to 2026-09-11, three people. */
export function classText(text: ClassText = {}): string {
  return `cityClassNo: ${text.classNo ?? 'BT2026-031'}
name: 电工第三期
institution: 昆区实训学校
occupation: { code: "6-31-01-03", name: 电工, level: 四级 }
period: ${text.period ?? '{ from: 2026-09-07, to: 2026-09-11 }'}
plannedHours: 40
${text.head ?? 'approval: 昆人社培〔2026〕31号'}
room: A301
terminals: ${text.terminals ?? '[{ terminal: gate }]'}
timetable: ${text.timetable ?? '{ weekdays: [mon, tue, wed, thu, fri] }'}
teachers: [${text.teacher ?? '{ teacherNo: J1, name: 南宫老师傅 }'}]
roster:
${(text.people ?? [person(1), person(2), person(3)]).join('\n')}
${text.extra ?? ''}`;
}

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

export interface Bench {
  readonly dir: string;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly classes: Classes;
  /** Closes and opens again on the same directory. */
  reopen(): Bench;
}

export const at = (date: string, time: string): Instant => dateAt(date as LocalDate, time, ZONE);
export const day = (date: string): LocalDate => date as LocalDate;

export function openBench(
  options: { readonly clock?: FakeClock; readonly dir?: string; readonly hooks?: StoreHooks } = {},
): Bench {
  const clock = options.clock ?? createFakeClock(at('2026-09-07', '07:00'));
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'rollcall-classes-'));
  const store = openStore({ dir, clock, software: 'test', ...(options.hooks ? { hooks: options.hooks } : {}) });
  let closed = false;
  const close = (): void => {
    if (!closed) store[Symbol.dispose]();
    closed = true;
  };
  if (options.dir === undefined) open.push(() => rmSync(dir, { recursive: true, force: true }));
  open.push(close);
  const classes = openClasses(store, {
    clock,
    zone: ZONE,
    policies: {
      get: (name) => (name === null || name === 'baotou-2023' ? preset.policy : null),
      names: ['baotou-2023'],
    },
    terminals: ['gate', 'workshop', 'other'],
  });
  const reopen = (): Bench => {
    close();
    return openBench({ clock, dir });
  };
  return { dir, clock, store, classes, reopen };
}

/** Why a timetable is changed, as a class file says it. */
export const CHANGE = 'change: { reason: 教师病假调课, by: A1 }';

export const by = { source: 'class.yaml', importedBy: 'cli' };

export interface PunchText {
  readonly terminal?: string;
  readonly user?: string;
  readonly received?: Instant;
  readonly over?: Partial<PunchFact>;
}

/** A live punch on `date` at `time`; `received` in the past of nothing, else backfilled. */
export function punch(date: string, time: string, text: PunchText = {}): PunchFact {
  const told = at(date, time);
  const terminalId = text.terminal ?? 'gate';
  const rx = text.received ?? instant(told + 2000);
  return {
    kind: 'punch',
    deviceSn: `SN-${terminalId}`,
    terminalId,
    deviceUserId: text.user ?? 'T001',
    deviceUid: null,
    wallTime: instantToWall(told, ZONE),
    instant: told,
    rx,
    rxTicks: 0,
    clockTrusted: true,
    offsetMs: 0,
    offsetAgeMs: 1000,
    effective: told,
    direction: 'unknown',
    directionRaw: null,
    verify: 'face',
    verifyRaw: 1,
    score: null,
    source: 'poll',
    delivery: rx - told > 60_000 ? 'backfill' : 'live',
    seq: null,
    seqEpoch: null,
    firmware: null,
    raw: new Uint8Array([1, 2, 3]),
    decoder: 'test-1',
    traineeNo: null,
    ...text.over,
  };
}

/** What intake does with a punch. */
export function take(bench: Bench, ...punches: readonly PunchFact[]): void {
  bench.store.transact((tx) => {
    for (const one of punches) {
      if (tx.addPunch(one) === null) continue;
      for (const touched of bench.classes.daysTouchedBy(one)) {
        tx.touchDay({ ...touched, cause: one.delivery === 'live' ? 'punch' : 'backfill' });
      }
    }
  });
}

export const FULL_DAY = ['08:20', '12:05', '13:50', '17:35'] as const;
