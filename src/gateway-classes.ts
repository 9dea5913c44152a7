/**
 * The classes as the status page shows them: number, state, hours and the versions in force by hash, so that anybody who looks can
 * compare what a class was activated with. Only what stands in memory and a few indexed lookups; no persons.
 */
import type { Classes } from './classes/classes.js';
import { allStates } from './classes/lifecycle.js';
import { plannedLessons } from './classes/timetable.js';
import { instantToDate, type Clock, type Zone } from './core/time.js';
import type { Store } from './store/store.js';
import type { ClassStatus } from './web/status.js';

/** By number; drafts only say that they are there. */
export function classStatuses(store: Store, classes: Classes, clock: Clock, zone: Zone): readonly ClassStatus[] {
  return allStates(store, instantToDate(clock.now(), zone)).map(({ classNo, state }) => {
    const record = classes.get(classNo);
    if (record === null) return { classNo, state, active: null };
    const { name, from, to, plannedHours, policy, members } = record;
    return {
      classNo,
      state,
      active: {
        ...{ name, from, to, plannedHours, timetableHours: plannedLessons(record.days), trainees: members.length },
        policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
        roster: { version: record.rosterVersion, hash: record.rosterHash },
        timetable: { version: record.timetableVersion, hash: record.timetableHash },
      },
    };
  });
}
