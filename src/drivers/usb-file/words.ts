/**
 * The words of exports: what a header calls a column, and how a cell writes direction and method, in Chinese and English. A word
 * that is not here is no error: the column stays unread, direction and method stay `unknown` with what was written.
 */
import type { Direction, Verify } from '../../core/punch-words.js';
import type { Role } from './options.js';

/** A header or a word without case, spaces and punctuation. */
export const plain = (text: string): string => text.toLowerCase().replace(/[\s\p{P}\p{S}]/gu, '');

/** Names of a column, the surest first. `No` and 序号 count lines and are nobody's id. */
const HEADERS: Readonly<Record<Role, readonly string[]>> = {
  id: (
    'enno 工号 人员编号 人员工号 员工编号 员工工号 员工号 学员编号 学号 考勤号码 考勤号 考勤编号 登记号码 用户编号 用户号 用户工号 用户id ' +
    'acno userid employeeid employeeno staffid personid personno empno pin badgenumber 编号'
  ).split(' '),
  dateTime: (
    'datetime 日期时间 考勤日期时间 打卡日期时间 打卡时间 考勤时间 刷卡时间 签到时间 识别时间 验证时间 通行时间 记录时间 事件时间 比对时间 ' +
    'punchtime checktime recordtime eventtime logtime timestamp'
  ).split(' '),
  date: '日期 考勤日期 打卡日期 刷卡日期 date punchdate checkdate'.split(' '),
  time: '时间 时刻 time timeofday'.split(' '),
  status:
    '状态 考勤状态 打卡状态 进出状态 进出方向 出入方向 进出 方向 签到类型 inout iomd status state direction punchstate'.split(
      ' ',
    ),
  verify:
    '验证方式 识别方式 打卡方式 考勤方式 比对方式 认证方式 verify verifymode verification verifycode mode method'.split(
      ' ',
    ),
};

/** The column of each role in a header, by index. */
export function rolesOf(header: readonly string[]): Partial<Record<Role, number>> {
  const cells = header.map(plain);
  const roles: Partial<Record<Role, number>> = {};
  for (const role of Object.keys(HEADERS) as Role[]) {
    const name = HEADERS[role].find((one) => cells.includes(one));
    if (name !== undefined) roles[role] = cells.indexOf(name);
  }
  return roles;
}

const DIRECTION_WORDS: Readonly<Record<Direction, readonly string[]>> = {
  in: 'in i cin checkin clockin dutyon 签到 上班 上班签到 进 入 进门 进入'.split(' '),
  out: 'out o cout checkout clockout dutyoff 签退 下班 下班签退 出 离开 出门'.split(' '),
  'break-out': 'breakout 外出 外出签退'.split(' '),
  'break-in': 'breakin 返回 外出返回 外出签到'.split(' '),
  'ot-in': 'otin overtimein 加班签到 加班上班'.split(' '),
  'ot-out': 'otout overtimeout 加班签退 加班下班'.split(' '),
  unknown: [],
};

const VERIFY_WORDS: Readonly<Record<Verify, readonly string[]>> = {
  face: 'face fa 人脸 面部 人脸识别 刷脸'.split(' '),
  finger: 'finger fingerprint fp 指纹 指纹识别'.split(' '),
  card: 'card rf rfid ic 卡 刷卡 卡片 ic卡'.split(' '),
  password: 'password pw pwd pin 密码'.split(' '),
  palm: 'palm 掌纹 掌静脉'.split(' '),
  iris: 'iris 虹膜'.split(' '),
  qr: 'qr qrcode 二维码'.split(' '),
  remote: 'remote 远程'.split(' '),
  combo: [],
  unknown: [],
};

/** Attendance states of ZKTeco terminals, column 4 of attlog.dat: the same numbers as over the wire. */
const ZK_STATES: readonly Direction[] = ['in', 'out', 'break-out', 'break-in', 'ot-in', 'ot-out'];
/** Methods of ZKTeco terminals, column 5; others differ from model to model. */
const ZK_METHODS: Readonly<Record<string, Verify>> = { '0': 'password', '1': 'finger', '15': 'face', '25': 'palm' };

const find = <Word extends string>(table: Readonly<Record<Word, readonly string[]>>, text: string): Word | null =>
  (Object.keys(table) as Word[]).find((word) => table[word].includes(text)) ?? null;

export function directionOf(text: string, zk: boolean): Direction {
  if (zk) return (/^\d$/.test(text) ? ZK_STATES[Number(text)] : undefined) ?? 'unknown';
  return find(DIRECTION_WORDS, plain(text)) ?? 'unknown';
}

export function verifyOf(text: string, zk: boolean): Verify {
  if (zk) return ZK_METHODS[text] ?? 'unknown';
  const parts = text.split(/[+&、/,]/).filter((part) => part.trim() !== '');
  const methods = parts.map((part) => find(VERIFY_WORDS, plain(part)));
  const [only = null] = methods;
  if (methods.length > 1 && methods.every((method) => method !== null)) return 'combo';
  return methods.length === 1 ? (only ?? 'unknown') : 'unknown';
}
