/**
 * `rollcall import punches FILE --terminal ID --config FILE`: a log carried here on a stick, into the journal by the same road as
 * what a terminal says over a wire. It is looked through first: lines that are no punches are named by number, never by content, and
 * where nothing is new nothing is written. Importing the same file again adds nothing.
 *
 * Only one process may write the data directory (D3): while the daemon runs, the import is refused with `store-locked`, and
 * `--dry-run` still tells what it would do. Credit of the touched days is computed by the daemon when it runs again.
 */
import { resolve } from 'node:path';
import { openClasses } from '../classes/classes.js';
import { fail } from '../core/errors.js';
import { silentLog } from '../core/log.js';
import { systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { createIntake, type IntakeParts } from '../flows/intake.js';
import { systemTimeSource } from '../flows/health.js';
import { punchMeaning } from '../gateway-intake.js';
import { createLinks } from '../links/open.js';
import { loadSettings, type LoadedSettings, type Settings } from '../settings.js';
import { openStore } from '../store/database.js';
import { openReader } from '../store/reader.js';
import { EXIT, progressLine, type Console } from './console.js';
import { presetPolicies, refuse, terminalIds } from './class-desk.js';
import { checkOptions, findDriver, guess, parseSets } from './options.js';
import { refusedLine, serialOfLog, surveyLog, type Survey } from './punch-log.js';

export interface ImportPunchesArguments {
  readonly file: string;
  /** Id in the settings of the terminal whose log it is. */
  readonly terminal: string;
  readonly config: string;
  readonly driver: string;
  readonly set: readonly string[];
  /** Where neither an earlier reading nor the settings know the serial number, or they differ. */
  readonly serial?: string;
  readonly dryRun: boolean;
}

export interface ImportPunchesOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly clock?: Clock;
  readonly devicesDir?: string;
}

interface Work {
  readonly setup: IntakeParts['terminal'];
  readonly settings: Settings;
  readonly terminals: readonly string[];
  readonly clock: Clock;
  readonly version: string;
  readonly io: Console;
  readonly signal: AbortSignal;
}

/** Exit code 0 when every line of data is a punch that the journal now has, 1 when some lines are none, 2 for wrong settings. */
export async function runImportPunches(
  args: ImportPunchesArguments,
  options: ImportPunchesOptions,
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const { drivers, env, devicesDir, version } = options;
  const loaded = loadSettings(args.config, { env, drivers, ...(devicesDir === undefined ? {} : { devicesDir }) });
  const { settings } = loaded;
  if (settings === null) return refuse(args.config, loaded.faults, io);
  const terminal = settings.terminals.find((one) => one.id === args.terminal);
  if (!terminal) return refuseTerminal(args, loaded, io);
  const driver = findDriver(drivers, args.driver);
  if (!driver.reaches.has('file'))
    throw fail('bad-argument', {
      argument: `--driver ${driver.name}`,
      reason: 'this driver reads no files; leave --driver out',
      reasonZh: '该驱动不读文件，请省略 --driver',
    });
  const trusted = options.clock ? false : (await systemTimeSource(signal)) === 'ntp';
  const clock = options.clock ?? systemClock(() => trusted);
  const dir = settings.dataDir;
  // Held before the file is looked at, so that what the look says stays true until the import.
  using store = args.dryRun ? null : openStore({ dir, clock, software: version });
  using reader = openReader(dir, { now: clock.now() });
  const serial = serialOfLog(args.serial ?? null, terminal, reader, driver);
  const own = terminal.driver.name === driver.name ? (terminal.options as object) : {};
  const setup: IntakeParts['terminal'] = {
    ...{ id: terminal.id, driver, zone: terminal.timeZone, serial: null, definition: null },
    options: checkOptions(driver.options, { ...own, ...parseSets(args.set), serial }, driver.name),
    reach: { kind: 'file', path: resolve(args.file) },
    ...{ pollMs: 0, setClock: false, clockStepMaxMs: 0, clockOkMs: 0 },
  };
  const survey = await surveyLog(setup, reader, { clock, io, signal });
  for (const one of survey.refused.slice(0, REFUSED_SHOWN)) io.err(refusedLine(one));
  if (store && survey.fresh > 0) {
    const work: Work = { setup, settings, terminals: terminalIds(loaded), clock, version, io, signal };
    await importWith(store, work);
  }
  return conclude(args, serial, survey, io);
}

const REFUSED_SHOWN = 20;

/** One that is parked says why; one that nobody knows is met with the nearest known id. */
function refuseTerminal(args: ImportPunchesArguments, loaded: LoadedSettings, io: Console): number {
  const own = loaded.faults.filter((fault) => fault.unit === `terminal:${args.terminal}`);
  if (own.length > 0) return refuse(args.config, own, io);
  throw fail('bad-argument', { argument: `--terminal ${args.terminal}`, ...guess(args.terminal, terminalIds(loaded)) });
}

async function importWith(store: ReturnType<typeof openStore>, work: Work): Promise<void> {
  const { setup, settings, clock, io, signal } = work;
  const classes = openClasses(store, {
    clock,
    zone: settings.site.timeZone,
    policies: presetPolicies(settings.policy, undefined),
    terminals: work.terminals,
  });
  const progress = progressLine(io);
  await using links = createLinks({ clock, log: silentLog() });
  const intake = createIntake({
    ...{
      terminal: setup,
      store,
      openLink: (reach, ended) => links.open(reach, ended),
      clock,
      wire: clock,
      log: silentLog(),
    },
    bell: { ring: () => progress.show(`${intake.status().stored} 条已存 stored …`) },
    ...punchMeaning(classes, presetPolicies(settings.policy, undefined).ofSite()),
  });
  try {
    await intake.once(signal);
  } finally {
    progress.end();
  }
}

function conclude(args: ImportPunchesArguments, serial: string, survey: Survey, io: Console): number {
  const { lines, punches, fresh, from, to } = survey;
  const repeated = punches - fresh;
  const refused = lines - punches;
  if (io.json) {
    const counts = { lines, punches, stored: args.dryRun ? 0 : fresh, new: fresh, repeated, refused, from, to };
    io.out(
      JSON.stringify({
        ...{ kind: 'summary', ok: refused === 0, dryRun: args.dryRun, terminal: args.terminal, serial },
        ...counts,
      }),
    );
  } else {
    io.out(`${args.terminal}: 序列号 serial ${serial}${from === null ? '' : `  ${from} – ${to ?? ''}`}`);
    io.out(
      `  打卡 punches ${punches} · 新 new ${fresh} · 已有 known ${repeated} · 未导入的行 lines refused ${refused}`,
    );
  }
  if (punches === 0) io.err('文件中没有打卡。 There are no punches in the file.');
  else if (fresh === 0)
    io.err(`没有新的打卡：${punches} 条均已在库中。 Nothing new: all ${punches} punches are stored already.`);
  else if (args.dryRun) io.err('试运行，未写入。 Only tried; nothing was written.');
  else io.err('已导入；课时在网关启动后重新计算。 Imported; credit is computed when the gateway runs again.');
  if (refused === 0) return EXIT.good;
  io.err(
    `${refused} 行不是有效打卡，未导入；请从考勤机重新导出，不要用表格软件另存。 ${refused} lines are no punches and were not imported; export again from the terminal, and do not save the file in a spreadsheet program.`,
  );
  return EXIT.no;
}
