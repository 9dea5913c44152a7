/** What a simulated site is made of, and the files a person would write for it: settings of the gateway, class with roster and timetable. */
import { stringify } from 'yaml';
import type { LocalDate } from '../../src/core/time.js';
import { documentNumber, personName, userId } from '../../src/demo/people.js';
import type { UplinkTimings } from '../../src/uplink/uplink.js';
import { AUD, GW, ZONE_WORD, type City } from './city.js';
import type { TerminalPlan } from './station.js';

export const SITE_DATE = '2026-09-10' as LocalDate;
export const SITE_CLASS = 'SCENE-2026-01';
export const UPSTREAM = 'city';

export interface SiteOptions {
  readonly terminals: readonly TerminalPlan[];
  readonly people?: number;
  readonly seed?: number;
  /** Time of day at which the world begins. */
  readonly begins?: string;
  readonly healthMs?: number;
  /** Seconds after which a dead gateway is started again by whoever runs the world; null: only by `start`. */
  readonly restartAfterMs?: number | null;
  readonly timings?: Partial<UplinkTimings>;
  /** The class's dates; the day of the site alone when left out. */
  readonly dates?: readonly string[];
}

export function settingsText(options: SiteOptions, city: City): string {
  return stringify({
    site: { institution: '包头市示例职业培训学校', name: '东河校区', room: '301' },
    dataDir: 'gateway',
    web: { listen: '127.0.0.1:0' },
    terminals: options.terminals.map(({ id, driver, options: own, settings }) => ({
      id,
      driver,
      reach: `tcp://${id}.invalid:5010`,
      clock: { set: 'never' },
      pollSeconds: 5,
      ...(driver === 'anviz-tcb' ? { options: { verifyMap: { '16': 'face' }, ...own } } : { options: own ?? {} }),
      ...settings,
    })),
    upstreams: [
      {
        id: UPSTREAM,
        gw: GW,
        zone: ZONE_WORD,
        aud: AUD,
        url: 'mqtt://127.0.0.1:1',
        platformKeysFile: city.keysFile,
        spreadSeconds: 2,
      },
    ],
    log: { level: 'error' },
  });
}

export function classText(options: SiteOptions): string {
  const dates = options.dates ?? [SITE_DATE];
  return stringify({
    cityClassNo: SITE_CLASS,
    name: '电工(四级)',
    institution: '包头市示例职业培训学校',
    occupation: { code: '6-31-01-03', name: '电工', level: '四级' },
    period: { from: dates[0], to: dates.at(-1) },
    plannedHours: 8 * dates.length,
    policy: 'baotou-2023',
    approval: '示例〔2026〕1号',
    room: '301',
    terminals: options.terminals.map(({ id }) => ({ terminal: id })),
    timetable: dates.map((date) => ({ date })),
    teachers: [{ teacherNo: 'J01', name: '南宫砚秋', qualification: '高级技师' }],
    roster: Array.from({ length: options.people ?? 3 }, (_, at) => ({
      traineeNo: `T${String(at + 1).padStart(4, '0')}`,
      name: personName(at),
      documentNumber: documentNumber(at),
      deviceUserId: userId(at),
    })),
  });
}
