/**
 * Invented people and their punches, the same for the same seed. Names and document numbers are made up: birth years
 * around 1900, so that nobody living is meant.
 */
import { addDays, parseLocalDate, wallTime, type LocalDate, type WallTime } from '../core/time.js';
import type { SimulatedPunch, SimulatedUser } from '../drivers/driver.js';

const SURNAMES = [
  '王',
  '李',
  '张',
  '刘',
  '陈',
  '杨',
  '赵',
  '黄',
  '周',
  '吴',
  '徐',
  '孙',
  '胡',
  '朱',
  '高',
  '林',
  '何',
  '郭',
  '马',
  '罗',
  '梁',
  '宋',
  '郑',
  '谢',
];
const GIVEN = [
  '建国',
  '秀英',
  '志强',
  '丽华',
  '海燕',
  '文博',
  '晓明',
  '玉兰',
  '永刚',
  '春梅',
  '国栋',
  '雪梅',
  '振华',
  '桂芳',
  '立新',
  '红霞',
  '卫东',
  '凤英',
  '俊杰',
  '淑珍',
  '浩然',
  '婷婷',
  '德胜',
  '美玲',
];

export function personName(index: number): string {
  return `${SURNAMES[index % SURNAMES.length] ?? '王'}${GIVEN[(index * 7) % GIVEN.length] ?? '建国'}`;
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** A made-up citizen number with a right check character (GB 11643), born in 1900. */
export function documentNumber(index: number): string {
  const month = String((index % 12) + 1).padStart(2, '0');
  const day = String((index % 28) + 1).padStart(2, '0');
  const body = `1502031900${month}${day}${String((index % 900) + 100).padStart(3, '0')}`;
  const sum = WEIGHTS.reduce((total, weight, at) => total + weight * Number(body.charAt(at)), 0);
  return body + '10X98765432'.charAt(sum % 11);
}

export function userId(index: number): string {
  return String(20250001 + index);
}

export function simulatedUsers(count: number): readonly SimulatedUser[] {
  return Array.from({ length: count }, (_, index) => ({ id: userId(index), name: personName(index) }));
}

const SLOT_MINUTES = [8 * 60 + 20, 12 * 60 + 2, 13 * 60 + 50, 17 * 60 + 33];

/** `count` punches of `users` people, four a day each, ending on `lastDate`; no person twice in one second. */
export function simulatedHistory(count: number, users: number, lastDate: LocalDate): readonly SimulatedPunch[] {
  const people = Math.max(1, users);
  const days = Math.ceil(count / (people * SLOT_MINUTES.length));
  const dates = Array.from({ length: days }, (_, day) => addDays(lastDate, day + 1 - days));
  return Array.from({ length: count }, (_, index) => {
    const person = index % people;
    const round = Math.floor(index / people);
    const date = dates[Math.floor(round / SLOT_MINUTES.length)] ?? lastDate;
    const second = (SLOT_MINUTES[round % SLOT_MINUTES.length] ?? 500) * 60 + ((person * 7) % 600);
    return { userId: userId(person), wallTime: clockTime(date, second) };
  });
}

/** `date` at `second` seconds after midnight. */
export function clockTime(date: LocalDate, second: number): WallTime {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  return wallTime(year, month, day, Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60);
}

export const HISTORY_END = parseLocalDate('2025-09-01') ?? ('2025-09-01' as LocalDate);
