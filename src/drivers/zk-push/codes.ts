/**
 * The numbers of the PUSH protocol: attendance states, verification methods, operations, return codes of commands. From
 * the vendor's attendance PUSH specification (Chinese edition 2.4.x, appendices 1, 3 and 7). A code that is missing here is
 * no error: it is kept as its number.
 */
import type { Direction, Verify } from '../../core/punch-words.js';

/** State of an ATTLOG line. 255 means that the terminal asks nobody for a state. */
export const DIRECTION_OF: Readonly<Record<number, Direction>> = {
  0: 'in',
  1: 'out',
  2: 'break-out',
  3: 'break-in',
  4: 'ot-in',
  5: 'ot-out',
};

export const STATE_OF: Readonly<Partial<Record<Direction, number>>> = {
  in: 0,
  out: 1,
  'break-out': 2,
  'break-in': 3,
  'ot-in': 4,
  'ot-out': 5,
};

/** Methods since PUSH 2.2. What asks for two proofs, or lets one choose between them without telling which, is `combo`. */
const NEW_VERIFY: Readonly<Record<number, Verify>> = {
  1: 'finger',
  2: 'password',
  3: 'password',
  4: 'card',
  15: 'face',
  21: 'finger',
  25: 'palm',
};

/** Methods of firmware before it. */
const OLD_VERIFY: Readonly<Record<number, Verify>> = { 0: 'password', 1: 'finger', 2: 'card', 3: 'password' };

export type VerifyEdition = 'new' | 'old';

export function verifyOf(code: number | null, edition: VerifyEdition): Verify {
  if (code === null) return 'unknown';
  if (edition === 'old' && code <= 3) return OLD_VERIFY[code] ?? 'unknown';
  if ((code >= 5 && code <= 14) || (code >= 16 && code <= 20)) return 'combo';
  return NEW_VERIFY[code] ?? 'unknown';
}

/** For the simulator: a code by which each method is told. */
export const CODE_OF: Readonly<Partial<Record<Verify, number>>> = {
  finger: 1,
  password: 3,
  card: 4,
  combo: 16,
  face: 15,
  palm: 25,
};

export const OPERATION = { TIME_SET: 21, LOG_CLEARED: 23, DATA_CLEARED: 13 } as const;

const OPERATIONS: Readonly<Record<number, string>> = {
  0: 'power on',
  1: 'power off',
  2: 'verification failed',
  3: 'alarm',
  4: 'menu entered',
  5: 'setting changed',
  6: 'finger enrolled',
  7: 'password enrolled',
  9: 'user deleted',
  13: 'data cleared',
  21: 'time set',
  22: 'factory settings',
  23: 'punches cleared',
  30: 'user added',
  36: 'user changed',
  37: 'user changed',
};

export const operationName = (code: number): string => OPERATIONS[code] ?? `operation ${code}`;

interface Reason {
  readonly en: string;
  readonly zh: string;
}

const reason = (en: string, zh: string): Reason => ({ en, zh });

/** Return codes of commands (appendix 1 of the vendor's specification; -4, -5, -6 from the English manual 3.2). */
const RETURNS: Readonly<Record<number, Reason>> = {
  [-1]: reason('wrong parameter or no data', '参数错误或没有数据'),
  [-2]: reason('file or size error', '文件或大小错误'),
  [-3]: reason('its memory cannot be read or written', '存储读写错误'),
  [-4]: reason('nothing matches', '没有匹配的记录'),
  [-5]: reason('no room', '容量已满'),
  [-6]: reason('not valid', '数据无效'),
  [-9]: reason('size does not match', '数据大小不符'),
  [-10]: reason('no such person', '人员不存在'),
  [-11]: reason('bad template', '模板格式错误'),
  [-12]: reason('bad template', '模板无效'),
  [-22]: reason('unknown command', '命令不识别'),
  [-1001]: reason('no room', '容量已满'),
  [-1002]: reason('not supported or bad syntax', '不支持或语法错误'),
  [-1003]: reason('it took too long', '执行超时'),
  [-1004]: reason('does not agree with its settings', '与设备配置不一致'),
  [-1005]: reason('the terminal is busy', '考勤机忙'),
  [-1006]: reason('too long', '数据太长'),
  [-1007]: reason('its memory failed', '内存错误'),
  [-1008]: reason('it could not get data from the gateway', '获取服务器数据失败'),
};

/** Why a command was refused, in words, with the number. */
export function returnReason(code: number): Reason {
  const known = RETURNS[code];
  return known
    ? { en: `${known.en} (${code})`, zh: `${known.zh}(${code})` }
    : { en: `return code ${code}`, zh: `返回码 ${code}` };
}

/** The terminal does not know this command, now and for ever. */
export const isUnsupported = (code: number): boolean => code === -22 || code === -1002 || code === -1004;
export const isFull = (code: number): boolean => code === -5 || code === -1001;
/** Nobody of that number: for a deletion as good as done. */
export const isNobody = (code: number): boolean => code === -4 || code === -10;
