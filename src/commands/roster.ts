/**
 * `rollcall roster --config FILE`: who is in which terminal (R32). For each class, trainee and terminal: enrolled, failed and why,
 * removed, or waiting. Reads the data directory beside the running daemon and changes nothing; names are masked.
 */
import { namesOf, terminalUsers, wantedOn, type TerminalUserRow, type WantedUser } from '../classes/enrolment.js';
import { loadClasses } from '../classes/class-tables.js';
import { maskName } from '../classes/identity.js';
import { instantToDate, isoUtc, systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { loadSettings, type Settings } from '../settings.js';
import { openReader, type Reader } from '../store/reader.js';
import { faultLines } from './check-config.js';
import { EXIT, type Console } from './console.js';

export interface RosterOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly devicesDir?: string;
}

type State = 'enrolled' | 'failed' | 'removed' | 'waiting';

interface Person {
  readonly classNo: string;
  readonly traineeNo: string;
  /** Masked; null when the key is not within reach. */
  readonly name: string | null;
  readonly terminal: string;
  readonly deviceUserId: string;
  readonly state: State;
  /** Why it failed, as the table has it. */
  readonly reason: string | null;
  readonly at: string | null;
}

const STATES: Readonly<Record<State, string>> = {
  enrolled: '已录入 enrolled',
  failed: '失败 failed',
  removed: '已移除 removed',
  waiting: '等待 waiting',
};

interface Words {
  readonly zh: string;
  readonly en: string;
}

const REASONS: Readonly<Record<string, Words>> = {
  'other-name': {
    zh: '考勤机里这个编号已登记为别的姓名；请在考勤机上核对，改名或换编号',
    en: 'this id belongs to another name in the terminal; compare there, then change the name or the id',
  },
  full: { zh: '考勤机的人员已满；请删除不再使用的人员', en: 'the terminal is full; remove people who left' },
  'by-hand': {
    zh: '此型号不能下发人员；请在考勤机上用这个编号手工登记',
    en: 'people cannot be sent to this model; enrol by hand at the terminal under this id',
  },
  interrupted: {
    zh: '下发时中断，不知是否写入；网关会自动再核对一次',
    en: 'interrupted while it was sent; the gateway looks again by itself',
  },
  'user-refused': {
    zh: '考勤机拒绝了此人；请检查编号和姓名是否合适',
    en: 'the terminal refused this person; check id and name',
  },
};

/** Why a person could not be put into a terminal. */
export function reasonWords(reason: string): Words {
  return REASONS[reason] ?? { zh: `错误 ${reason}，见 docs/errors.md`, en: `error ${reason}, see docs/errors.md` };
}

export function runRoster(config: string, options: RosterOptions, io: Console): number {
  const { drivers, env, devicesDir } = options;
  const { settings, faults } = loadSettings(config, {
    ...{ drivers, env },
    ...(devicesDir === undefined ? {} : { devicesDir }),
  });
  if (settings === null) {
    for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
    return EXIT.usage;
  }
  const clock = options.clock ?? systemClock();
  using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir: env.CREDENTIALS_DIRECTORY });
  const people = reader === null ? [] : peopleOf(reader, settings, clock);
  if (reader !== null && reader.vault === null && people.length > 0)
    io.err('姓名已加密，此处没有密钥，只显示学员号。 Names are sealed and the key is not here; numbers only.');
  const count: Record<State, number> = { enrolled: 0, failed: 0, removed: 0, waiting: 0 };
  let before = '';
  for (const person of people) {
    count[person.state] += 1;
    if (io.json) io.out(JSON.stringify(jsonOf(person)));
    else {
      if (person.classNo !== before) io.out(person.classNo);
      io.out(`  ${lineOf(person)}`);
    }
    before = person.classNo;
  }
  if (people.length === 0)
    io.err('没有需要下发的人员：未导入班级，或没有考勤机接收人员。 Nobody: no class yet, or no terminal takes people.');
  io.out(JSON.stringify(io.json ? { kind: 'summary', ...count } : count));
  return EXIT.good;
}

/** In the order of class, roster and terminal. */
function peopleOf(reader: Reader, settings: Settings, clock: Clock): readonly Person[] {
  const records = loadClasses(reader);
  const today = instantToDate(clock.now(), settings.site.timeZone);
  const rows = terminalUsers(reader);
  const nameOf = namesIn(reader);
  const person = (terminal: string, who: WantedUser, state: State, row: TerminalUserRow | undefined): Person => ({
    ...{ classNo: who.classNo, traineeNo: who.traineeNo, name: nameOf(who), terminal },
    ...{ deviceUserId: who.deviceUserId, state, reason: row?.reason ?? null },
    at: row ? isoUtc(row.at) : null,
  });
  const terminals = settings.terminals.filter((one) => one.pushesRoster).map(({ id }) => id);
  const people = terminals.flatMap((terminal) => {
    const wanted = wantedOn(records, terminal, today);
    const known = new Map(rows.filter((row) => row.terminalId === terminal).map((row) => [row.deviceUserId, row]));
    const present = wanted.map((who) => {
      const row = known.get(who.deviceUserId);
      const counts = row?.traineeNo === who.traineeNo && row.state !== 'removed';
      return person(terminal, who, counts ? row.state : 'waiting', counts ? row : undefined);
    });
    const ids = new Set(wanted.map((one) => one.deviceUserId));
    const gone = [...known.values()].filter((row) => !ids.has(row.deviceUserId));
    return [...present, ...gone.map((row) => person(terminal, row, row.state, row))];
  });
  const order = new Map(records.map((record, index) => [record.classNo, index]));
  const place = (one: Person): number => order.get(one.classNo) ?? order.size;
  return people
    .map((one, index) => ({ one, index }))
    .sort((a, b) => place(a.one) - place(b.one) || a.one.traineeNo.localeCompare(b.one.traineeNo) || a.index - b.index)
    .map(({ one }) => one);
}

/** Masked names; each roster is opened once. */
function namesIn({ db, vault }: Reader): (who: WantedUser) => string | null {
  const rosters = new Map<string, ReadonlyMap<string, string>>();
  return ({ classNo, rosterVersion, traineeNo }) => {
    if (vault === null) return null;
    const key = `${classNo} ${rosterVersion}`;
    const names = rosters.get(key) ?? namesOf({ db, vault }, classNo, rosterVersion);
    rosters.set(key, names);
    const name = names.get(traineeNo);
    return name === undefined ? null : maskName(name);
  };
}

function jsonOf(person: Person): Readonly<Record<string, unknown>> {
  const words = person.reason === null ? null : reasonWords(person.reason);
  return { kind: 'person', ...person, reasonZh: words?.zh ?? null, reasonEn: words?.en ?? null };
}

function lineOf({ traineeNo, name, terminal, deviceUserId, state, reason }: Person): string {
  const words = reason === null ? null : reasonWords(reason);
  return [
    ...[traineeNo, name ?? '', terminal, `编号 id ${deviceUserId}`, STATES[state]],
    words === null ? '' : `（${words.zh}。 ${words.en}.）`,
  ]
    .filter((word) => word !== '')
    .join('  ');
}
