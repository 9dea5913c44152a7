/** What a simulated site is made of, and the files a person would write for it: settings of the gateway, class with roster and timetable. */
import { stringify } from 'yaml';
import { isSecretKey } from '../../src/core/faults.js';
import type { LocalDate } from '../../src/core/time.js';
import { documentNumber, personName, userId } from '../../src/demo/people.js';
import type { UplinkTimings } from '../../src/uplink/uplink.js';
import { AUD, GW, ZONE_WORD, type City } from './city.js';
import { CALL_PORT, callsGateway, reachKindOf, serialOf, type TerminalPlan } from './station.js';

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

function reachText(plan: TerminalPlan): string {
  const kind = reachKindOf(plan);
  if (kind === 'file') return `file:///${plan.id}.invalid`;
  return kind.endsWith('-listen') ? `${kind}://0.0.0.0:${CALL_PORT}` : `${kind}://${plan.id}.invalid:5010`;
}

/** `keepSecret` writes a secret to a file and gives its name: settings name files, never secrets. */
function terminalEntry(plan: TerminalPlan, keepSecret: (name: string, text: string) => string): object {
  const { id, driver, options: own = {}, settings } = plan;
  const options = Object.entries(own).map(([key, value]): readonly [string, unknown] =>
    isSecretKey(key) ? [`${key}File`, keepSecret(`${id}-${key}`, String(value))] : [key, value],
  );
  return {
    id,
    driver,
    reach: reachText(plan),
    clock: { set: 'never' },
    pollSeconds: 5,
    options: { ...(driver === 'anviz-tcb' ? { verifyMap: { '16': 'face' } } : {}), ...Object.fromEntries(options) },
    ...(reachKindOf(plan).endsWith('-listen') ? { serial: serialOf(plan) } : {}),
    ...settings,
  };
}

export function settingsText(
  options: SiteOptions,
  city: City,
  keepSecret: (name: string, text: string) => string,
): string {
  return stringify({
    site: { institution: '包头市示例职业培训学校', name: '东河校区', room: '301' },
    dataDir: 'gateway',
    web: {
      listen: '127.0.0.1:0',
      ...(options.terminals.some(callsGateway) ? { terminalPorts: [`0.0.0.0:${CALL_PORT}`] } : {}),
    },
    terminals: options.terminals.map((plan) => terminalEntry(plan, keepSecret)),
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
