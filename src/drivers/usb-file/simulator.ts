/**
 * Writes the log file that a terminal or its software would put on a stick, in every format and encoding, and serves its bytes as
 * a link that ends. The faults are those of people and of spreadsheet programs.
 */
import type { Duplex } from 'node:stream';
import iconv from 'iconv-lite';
import { instant, instantToWall, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom } from '../faults.js';
import { usbFileSimulatorOptions, type UsbFileSimulatorOptions } from './options.js';

const ZK_STATES = ['in', 'out', 'break-out', 'break-in', 'ot-in', 'ot-out'];
const HEADERS = {
  zh: ['序号', '工号', '姓名', '日期时间', '日期', '时间', '状态', '验证方式'],
  en: ['No.', 'User ID', 'Name', 'DateTime', 'Date', 'Time', 'State', 'Verify Mode'],
} as const;

/** The text of a file with these records. */
function write(
  records: readonly SimulatedPunch[],
  nameOf: (id: string) => string,
  options: UsbFileSimulatorOptions,
  faults: ReadonlyMap<string, string>,
): string {
  const end = options.windows ? '\r\n' : '\n';
  const told = (punch: SimulatedPunch, index: number): { id: string; date: string; time: string } => {
    const [day = '', clock = ''] = punch.wallTime.split(' ');
    const date = index === 0 && faults.has('impossible-date') ? '2025-02-30' : day;
    const id = index === 0 && faults.has('spreadsheet-id') ? '1.5E+17' : punch.userId;
    return { id, date, time: faults.has('minutes-only') ? clock.slice(0, 5) : clock };
  };
  const quote = (cell: string): string => (options.quotes ? `"${cell.replaceAll('"', '""')}"` : cell);
  const csv = (cells: readonly string[]): string => cells.map(quote).join(options.delimiter);
  const state = (punch: SimulatedPunch): string => String(Math.max(0, ZK_STATES.indexOf(punch.direction ?? 'in')));

  const lines = records.map((punch, index) => {
    const { id, date, time } = told(punch, index);
    const number = String(index + 1);
    if (options.format === 'zk') return `${id.padStart(9)}\t${date} ${time}\t1\t${state(punch)}\t15\t0`;
    if (options.format === 'timmy')
      return [
        number.padStart(6, '0'),
        '1',
        id.padStart(9, '0'),
        nameOf(punch.userId).padEnd(8),
        '0',
        '8',
        `${date.replaceAll('-', '/')} ${time}`,
      ].join('\t');
    const moment = options.twoColumns ? [date, time] : [`${date} ${time}`];
    const words =
      options.language === 'zh'
        ? [punch.direction === 'out' ? '签退' : '签到', '人脸']
        : [punch.direction === 'out' ? 'Check-Out' : 'Check-In', 'Face'];
    return csv([number, id, nameOf(punch.userId), ...moment, ...words]);
  });
  const header = (): readonly string[] => {
    if (options.format === 'zk') return [];
    if (options.format === 'timmy')
      return [
        options.raggedHeader
          ? 'No\tTMNo\tEnNo\t\tName\t\tINOUT\tMode\tDateTime\t'
          : 'No\tTMNo\tEnNo\tName\tINOUT\tMode\tDateTime',
      ];
    const [number, id, name, moment, date, time, status, verify] = HEADERS[options.language];
    return [csv([number, id, name, ...(options.twoColumns ? [date, time] : [moment]), status, verify])];
  };
  const [first] = lines;
  if (faults.has('duplicate-record') && first !== undefined) lines.push(first);
  // A stick that was pulled out while the file was written.
  const last = lines.pop();
  if (last !== undefined) lines.push(faults.has('torn-line') ? last.slice(0, 8) : last);
  return [...header(), ...lines].map((line) => `${line}${end}`).join('');
}

export function simulateUsbFile(setup: SimulatorSetup): SimulatedTerminal {
  const options = usbFileSimulatorOptions.parse(setup.options);
  const people = new Map(setup.users.map((user) => [user.id, user]));
  const punches = [...setup.records];
  const faults = new Map(setup.faults);
  const random = seededRandom(setup.seed);
  let offsetMs = 0;
  const wallClock = (): WallTime => instantToWall(instant(setup.world.now() + offsetMs), setup.zone);

  const file = (): Uint8Array => {
    const text = write(punches, (id) => people.get(id)?.name ?? '', options, faults);
    if (options.encoding === 'gbk') return iconv.encode(text, 'gbk');
    return Buffer.from(options.encoding === 'utf-8-bom' ? `\ufeff${text}` : text, 'utf8');
  };
  const add = (punch: SimulatedPunch): SimulatedPunch => {
    punches.push(punch);
    return punch;
  };

  return {
    async serve(link: Duplex, signal: AbortSignal) {
      link.on('error', () => undefined);
      link.resume();
      const wire = createFaultyWire(link, faults, random, setup.wire);
      const whole = await wire.send(file(), signal).catch(() => false);
      if (whole && (await wire.flush())) link.end();
    },
    addUser: (user) => void people.set(user.id, user),
    punch: (userId, how = {}) => add({ userId, wallTime: wallClock(), ...how }),
    addRecord: (record) => void add(record),
    users: () => [...people.values()],
    records: () => punches,
    setClockOffset: (ms) => void (offsetMs = ms),
    wallClock,
    setFault(name, value) {
      if (value === null) faults.delete(name);
      else faults.set(name, value);
    },
  };
}
