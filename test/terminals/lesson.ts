/**
 * What happens in the simulated class, and when: faces before terminals, faults that come and go. All of it follows from
 * one seed and is known before the class begins, so that a failing run can be played again.
 */
import { seededRandom } from '../../src/drivers/faults.js';
import { userId } from '../../src/demo/people.js';
import type { Seat } from './fleet.js';

export const PEOPLE = 24;

export type Happening = {
  readonly atMs: number;
  readonly seat: Seat;
} & (
  | { readonly what: 'punch'; readonly user: string }
  | { readonly what: 'fault'; readonly name: string; readonly value: string | null }
);

export interface LessonPlan {
  readonly seed: number;
  readonly lengthMs: number;
  /** Mean times between two arrivals at one terminal, and between two faults of it. */
  readonly punchMs: number;
  readonly faultMs: number;
  /** Faults that one terminal may have at the same time. */
  readonly faultsAtOnce: number;
  /** How long a fault stays at most; it is cleared after that, even one that nothing set off. */
  readonly faultForMs: number;
  /** Faults that are not played, such as those that break sessions in a short run. */
  readonly without?: ReadonlySet<string>;
}

/** No fault in the last part of the class, so that everything is over at its end. */
const CALM_SHARE = 0.15;

function* punchesOf(seat: Seat, plan: LessonPlan, random: () => number): Generator<Happening> {
  for (let atMs = 0; ;) {
    atMs += -Math.log(1 - random()) * plan.punchMs;
    if (atMs >= plan.lengthMs) return;
    // Now and then several people at once, or one who holds the face there twice.
    const crowd = random() < 0.15 ? 1 + Math.floor(random() * 4) : 1;
    for (let index = 0; index < crowd; index += 1)
      yield { atMs: atMs + index * 150, seat, what: 'punch', user: userId(Math.floor(random() * PEOPLE)) };
  }
}

function* faultsOf(seat: Seat, plan: LessonPlan, random: () => number): Generator<Happening> {
  const faults = seat.faults.filter(({ name }) => plan.without?.has(name) !== true);
  const untilMs = plan.lengthMs * (1 - CALM_SHARE);
  for (let atMs = 0; ;) {
    atMs += -Math.log(1 - random()) * plan.faultMs;
    const chosen = faults[Math.floor(random() * faults.length)];
    const lasts = (0.2 + 0.8 * random()) * plan.faultForMs;
    const value = chosen?.values[Math.floor(random() * chosen.values.length)];
    if (chosen === undefined || value === undefined || atMs >= untilMs) return;
    const { name } = chosen;
    yield { atMs, seat, what: 'fault', name, value };
    yield { atMs: Math.min(untilMs, atMs + lasts), seat, what: 'fault', name, value: null };
    atMs += lasts - Math.log(1 - random()) * plan.faultMs;
  }
}

/** Everything that will happen, in order. Each terminal has random numbers of its own: one more terminal changes no other. */
export function lesson(fleet: readonly Seat[], plan: LessonPlan): readonly Happening[] {
  return fleet
    .flatMap((seat, index) => {
      const random = seededRandom(plan.seed + index * 7919);
      const faults = Array.from({ length: plan.faultsAtOnce }, () => [...faultsOf(seat, plan, random)]);
      return [...punchesOf(seat, plan, random), ...faults.flat()];
    })
    .sort((one, other) => one.atMs - other.atMs);
}
