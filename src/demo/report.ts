/** The day's attendance table and the reasons, from what the gateway has computed; names are masked. */
import type { LocalDate } from '../core/time.js';
import type { Gateway } from '../gateway.js';
import type { DayCredit } from '../rules/day-credit.js';
import { explainLine } from '../rules/explain.js';
import { attendanceTable, type TableRow } from './table.js';

export interface Report {
  readonly table: readonly string[];
  /** For whoever did not earn every hour: the lessons that do not count and why, in both languages. */
  readonly reasons: readonly string[];
}

const SLOTS = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'] as const;

export function report(gateway: Gateway, classNo: string, date: LocalDate): Report {
  const credits = new Map(gateway.store.creditsOf(classNo, date).map((fact) => [fact.traineeNo, fact]));
  const record = gateway.classes.get(classNo);
  const full = record?.plannedHours ?? 0;
  const reasons: string[] = [];
  const rows = gateway.classes.rosterNames(classNo).map((person, at): TableRow => {
    const fact = credits.get(person.traineeNo);
    const credit = fact ? (fact.result as unknown as DayCredit) : null;
    const day = credit?.dayResult ?? null;
    if (credit && day && fact?.state === 'final' && day.totalHours < full) {
      for (const line of credit.explanation
        .filter((one) => one.about === 'lesson' && !one.code.startsWith('LESSON_COUNTED'))
        .slice(0, 1)) {
        reasons.push(
          `${person.traineeNo} ${person.maskedName}:${explainLine(line, 'zh')}`,
          `    ${explainLine(line, 'en')}`,
        );
      }
    }
    return {
      index: at + 1,
      name: person.maskedName,
      traineeNo: person.traineeNo,
      slots: SLOTS.map((slot) => day?.slots[slot]?.time ?? null),
      hours: day?.totalHours ?? null,
      // While the day runs, a slot that is still to come is not missing.
      flags: (credit?.flags ?? []).filter((flag) => fact?.state === 'final' || !/(?:ABSENT|MISSING_)/.test(flag)),
      state: fact?.state ?? '',
    };
  });
  const title = `${record?.institution ?? ''} 学员考勤表 · ${record?.name ?? ''} ${classNo} · ${date}`;
  return { table: attendanceTable(title, rows), reasons };
}
