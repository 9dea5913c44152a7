/**
 * A class computed anew from raw: from the database to results, as `rollcall verify`, `recompute` and `totals` do it. Class sizes of 15 to 120
 * trainees on 30 days, four punches a day each; the time for a day must not grow with the class. Numbers of a shared machine
 * drift; the ratio is what counts, and it is held.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClassIndex } from '../../dist/classes/class-index.js';
import { loadClasses } from '../../dist/classes/class-tables.js';
import { openClasses } from '../../dist/classes/classes.js';
import { checkCharacter } from '../../dist/classes/identity.js';
import { compareClass } from '../../dist/classes/recompute.js';
import { addDays, dateAt, instant, instantToWall, systemClock } from '../../dist/core/time.js';
import { loadPreset } from '../../dist/policies.js';
import { openStore } from '../../dist/store/database.js';
import { openReader } from '../../dist/store/reader.js';
import { median } from './measure.mjs';

const SIZES = [15, 30, 60, 120];
const DAYS = 30;
const ROUNDS = 7;
/** At the largest class a day may take so many times what it takes at the smallest. */
const GROWTH_MAX = 2;
const ZONE = 'Asia/Shanghai';
const FROM = '2026-03-02';
const TIMES = ['08:20', '12:05', '13:50', '17:35'];

const no = (index) => `T${String(index + 1).padStart(4, '0')}`;

function documentOf(index) {
  const digits = `150203190001${String((index % 28) + 1).padStart(2, '0')}${String(100 + index).padStart(3, '0')}`;
  return digits + checkCharacter(digits);
}

function classFile(size, dates) {
  const roster = Array.from(
    { length: size },
    (_, index) => `  - { traineeNo: ${no(index)}, name: 欧阳青禾, documentNumber: "${documentOf(index)}" }`,
  );
  return `cityClassNo: BENCH-${size}
name: 测速
institution: 测速
occupation: { code: "6-31-01-03", name: 电工, level: 四级 }
period: { from: ${dates[0]}, to: ${dates.at(-1)} }
plannedHours: ${dates.length * 8}
approval: 测速
room: A1
terminals: [{ terminal: gate }]
timetable: [${dates.map((date) => `{ date: ${date} }`).join(', ')}]
teachers: [{ teacherNo: J1, name: 南宫老师 }]
roster:
${roster.join('\n')}
`;
}

function punchAt(date, time, user, index) {
  const told = instant(dateAt(date, time, ZONE) + index * 1000);
  return {
    ...{ kind: 'punch', deviceSn: 'BENCH0001', terminalId: 'gate', deviceUserId: user, deviceUid: null },
    ...{ wallTime: instantToWall(told, ZONE), instant: told, rx: instant(told + 2000), rxTicks: 0, clockTrusted: true },
    ...{ offsetMs: 0, offsetAgeMs: 1000, effective: told, direction: 'unknown', directionRaw: null, verify: 'face' },
    ...{ verifyRaw: 15, score: null, source: 'poll', delivery: 'live', seq: null, seqEpoch: null, firmware: null },
    ...{ raw: new Uint8Array(40), decoder: 'bench/1', traineeNo: null },
  };
}

function fill(dir, size, dates) {
  const clock = systemClock();
  const store = openStore({ dir, clock, software: 'bench' });
  const { policy } = loadPreset('baotou-2023');
  const policies = { get: () => policy, names: [policy.id] };
  const classes = openClasses(store, { clock, zone: ZONE, policies, terminals: ['gate'] });
  classes.importText('bench.yaml', classFile(size, dates), { source: 'bench', importedBy: 'bench' });
  for (const date of dates)
    store.transact((tx) => {
      for (let index = 0; index < size; index += 1)
        for (const time of TIMES) tx.addPunch(punchAt(date, time, no(index), index));
    });
  store[Symbol.dispose]();
}

/** Milliseconds for the whole class, with the reading of its tables. */
function once(dir, size) {
  const reader = openReader(dir, { now: instant(Date.now()) });
  const began = performance.now();
  const index = createClassIndex(loadClasses(reader));
  let [days, hours] = [0, 0];
  for (const { computed } of compareClass(reader, index, `BENCH-${size}`)) {
    days += 1;
    hours += computed?.dayResult?.totalHours ?? 0;
  }
  const ms = performance.now() - began;
  reader[Symbol.dispose]();
  if (days !== size * DAYS || hours !== days * 8)
    throw new Error(`${days} days of ${hours} hours are not what was punched`);
  return ms;
}

export function benchRecompute() {
  const dates = Array.from({ length: DAYS }, (_, index) => addDays(FROM, index));
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
  try {
    const places = SIZES.map((size) => [size, join(dir, String(size))]);
    for (const [size, place] of places) fill(place, size, dates);
    // In turns, and the first turn for nothing: what the engine learns from one size helps all others.
    const turns = Array.from({ length: ROUNDS + 1 }, () => places.map(([size, place]) => once(place, size))).slice(1);
    const perDay = SIZES.map((size, at) => {
      const times = turns.map((turn) => turn[at]);
      const [ms, best, days] = [median(times), Math.min(...times), size * DAYS];
      console.log(
        `recompute ${String(size).padStart(4)} trainees x ${DAYS} days ${ms.toFixed(0).padStart(6)} ms   ${((days * 1000) / ms).toFixed(0).padStart(7)} days/s   ${((best * 1000) / days).toFixed(0).padStart(5)} µs a day at best`,
      );
      return best / days;
    });
    const growth = (perDay.at(-1) ?? 0) / (perDay[0] ?? 1);
    console.log(`time for a day at ${SIZES.at(-1)} trainees: ${growth.toFixed(2)} x that at ${SIZES[0]}`);
    if (growth > GROWTH_MAX)
      throw new Error(`the time for a day grew ${growth.toFixed(2)} x, more than ${GROWTH_MAX} x`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
