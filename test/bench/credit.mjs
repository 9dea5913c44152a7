/**
 * Days of credit a second on one core, and how that grows with the punches of a day: four as a classroom has them, then many
 * repeats, half of them on a terminal of another class. Numbers drift with the machine; only the growth is judged: sixteen times
 * the punches may not cost much more than sixteen times the time.
 */
import { instant } from '../../dist/core/time.js';
import { loadPreset } from '../../dist/policies.js';
import { creditDay } from '../../dist/rules/day.js';
import { median, ratio } from './measure.mjs';

const { policy } = loadPreset('baotou-2023');
const DATE = '2023-03-06';
const MIDNIGHT = Date.UTC(2023, 2, 5, 16);
const GROWTH_MOST = 3;

function punch(n, second, terminal) {
  const told = instant(MIDNIGHT + second * 1000);
  const wallTime = new Date(told + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
  return {
    ...{ n, terminal, wallTime, instant: told, rx: instant(told + 2000), offsetSeconds: 0, offsetAgeSeconds: 0 },
    ...{ delivery: 'live', verify: 'face', score: null, direction: 'unknown' },
  };
}

function day(punches) {
  return {
    ...{ classNo: 'C1', traineeNo: 'S1', date: DATE, sessions: policy.sessions, classDates: [], terminals: ['T1'] },
    ...{ enrolment: null, grantedMethods: [], gatewayClockTrusted: true, leaves: [], makeups: [], online: [] },
    ...{ outages: [], rivals: [], timetableVersion: null, rosterVersion: null, punches },
  };
}

const ordinary = day([30_070, 43_364, 49_863, 63_200].map((second, at) => punch(at + 1, second, 'T1')));
const crowded = (count) =>
  day(Array.from({ length: count }, (_, at) => punch(at + 1, 28_800 + ((at * 7919) % 36_000), at % 2 ? 'T1' : 'T9')));

/** Microseconds of processor time a day, the median of rounds. */
function cost(question, days) {
  const round = () => {
    const began = process.cpuUsage().user;
    for (let at = 0; at < days; at += 1) creditDay(question, policy);
    return (process.cpuUsage().user - began) / days;
  };
  round();
  return median(Array.from({ length: 5 }, round));
}

export function benchCredit(days) {
  // A mistake in the question would make everything fast.
  const { totalHours } = creditDay(ordinary, policy).dayResult;
  if (totalHours !== 8) throw new Error(`the ordinary day counts ${totalHours} hours, not 8`);
  const base = cost(ordinary, days);
  const row = (name, one) =>
    console.log(
      `${name.padEnd(34)} ${one.toFixed(1).padStart(8)} us a day ${Math.round(1e6 / one)
        .toLocaleString('en')
        .padStart(10)} days/s (${ratio(one, base)})`,
    );
  row('credit, 4 punches', base);
  const grown = [16, 256].map((count) => {
    const one = cost(crowded(count), Math.max(200, Math.round((days * 4) / count)));
    row(`credit, ${count} punches`, one);
    return one;
  });
  const growth = grown[1] / grown[0] / 16;
  console.log(`${'credit, growth beyond the punches'.padEnd(34)} ${growth.toFixed(2)}x`);
  if (growth > GROWTH_MOST) throw new Error(`16 times the punches cost ${(growth * 16).toFixed(0)} times the time`);
}
