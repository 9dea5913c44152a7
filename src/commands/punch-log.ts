/**
 * A log file before it is imported: whose it is, and what is in it that the journal does not have yet. Reads only. What a line holds is
 * never told, only its number and why it is no punch.
 */
import { fail } from '../core/errors.js';
import { silentLog } from '../core/log.js';
import type { Clock, WallTime } from '../core/time.js';
import type { Driver, Finding, PunchRecord, Wire } from '../drivers/driver.js';
import { bindingKey, type IntakeParts } from '../flows/intake.js';
import { createLinks } from '../links/open.js';
import type { TerminalSettings } from '../settings/entries.js';
import type { Reader } from '../store/reader.js';
import { progressLine, type Console } from './console.js';

export interface RefusedLine {
  readonly line: number;
  readonly reason: string;
  readonly text: string;
}

export interface Survey {
  /** Lines of data, and how many of them are punches. */
  readonly lines: number;
  readonly punches: number;
  /** Punches that the journal does not have, each once. */
  readonly fresh: number;
  /** The first of the lines that are no punches. */
  readonly refused: readonly RefusedLine[];
  /** First and last wall time. */
  readonly from: WallTime | null;
  readonly to: WallTime | null;
}

const REASONS_ZH: Readonly<Record<string, string>> = {
  'spreadsheet-id': '编号已被表格软件改坏(1.5E+17)，请重新导出，不要用表格软件另存',
  'spreadsheet-date': '日期被表格软件变成了数字',
  'date-order': '分不清日和月，请用 --set dateOrder=… 指定',
  'no-time': '没有日期时间',
  'no-id': '没有人员编号',
  'bad-quotes': '引号不成对',
};

export const refusedLine = ({ line, reason, text }: RefusedLine): string =>
  `! 第 ${line} 行未导入：${REASONS_ZH[reason] ?? reason}。 ${text}.`;

/**
 * Under which serial number the punches are kept: the one of the wire, so that a punch read both ways is one punch. Throws
 * `log-owner-unknown` when nobody knows it or two are possible, `other-terminal` when the one given is neither.
 */
export function serialOfLog(
  asked: string | null,
  terminal: TerminalSettings,
  reader: Reader | null,
  driver: Driver,
): string {
  const bound = reader?.cursor(bindingKey(terminal.id)) as { readonly serial?: string } | null | undefined;
  const told =
    terminal.driver.name === driver.name ? (terminal.options as { readonly serial?: string }).serial : undefined;
  const known = [...new Set([bound?.serial, terminal.serial ?? told].filter((one) => one !== undefined))];
  const [only] = known;
  if (asked !== null) {
    if (only === undefined || known.includes(asked)) return asked;
    throw fail('other-terminal', { terminal: terminal.id, expected: known.join(' / '), found: asked });
  }
  if (only !== undefined && known.length === 1) return only;
  throw fail('log-owner-unknown', {
    terminal: terminal.id,
    reason:
      only === undefined
        ? 'it was never read and its settings name no serial number'
        : `it was ${known.join(', now it is ')}`,
    reasonZh: only === undefined ? '它从未读取过，设置中也没有序列号' : `它原来是 ${known.join('，现在是 ')}`,
  });
}

/** Reads the whole file without storing anything. Throws `file-unreadable`, `log-file-unknown`. */
export async function surveyLog(
  setup: IntakeParts['terminal'],
  reader: Reader | null,
  around: { readonly clock: Clock; readonly io: Console; readonly signal: AbortSignal },
): Promise<Survey> {
  const { clock, io, signal } = around;
  const refused: RefusedLine[] = [];
  const note = ({ code, text, data }: Finding): void => {
    if (typeof data?.line === 'number')
      refused.push({ line: data.line, reason: String(data.reason), text: text.replace(/[.;]$/, '') });
    else if (code !== 'count-mismatch' && code !== 'noise') io.err(`! ${code}: ${text}`);
  };
  const wire: Wire = { clock, note, zone: setup.zone, host: null, dial: null, nextCall: null };
  const progress = progressLine(io);
  await using links = createLinks({ clock, log: silentLog() });
  await using link = await links.open(setup.reach, signal);
  await using session = await setup.driver.open(link, setup.options, wire, signal);
  const { serial } = await session.identify();
  const fresh = new Set<string>();
  const times: { from: WallTime | null; to: WallTime | null } = { from: null, to: null };
  let punches = 0;
  let lines: number | null = null;
  const take = ({ deviceUserId, wallTime }: PunchRecord): void => {
    punches += 1;
    if (times.from === null || wallTime < times.from) times.from = wallTime;
    if (times.to === null || wallTime > times.to) times.to = wallTime;
    if (reader?.hasPunch(serial, deviceUserId, wallTime) !== true) fresh.add(`${deviceUserId}\t${wallTime}`);
  };
  for await (const page of session.pages(null, { follow: false })) {
    page.punches.forEach(take);
    lines = page.count?.announced ?? lines;
    progress.show(`${punches} 条打卡 punches …`);
  }
  progress.end();
  return { lines: lines ?? punches, punches, fresh: fresh.size, refused, ...times };
}
