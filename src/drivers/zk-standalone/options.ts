/**
 * All that a definition, a technician or a test may say about a ZKTeco standalone terminal and its simulator. Unknown
 * keys are refused. Every default is the value that works with most firmwares.
 */
import { DIRECTIONS } from '../../core/punch-words.js';
import { z } from 'zod';

const directions = z.enum(DIRECTIONS);

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });

export const zkOptions = z.strictObject({
  /** Without it no key is sent. Text is accepted, as from a secret file. */
  commKey: z
    .union([z.number().int().min(0).max(999_999), z.string().regex(/^\s*\d{1,6}\s*$/)])
    .optional()
    .meta(words('通信密码（考勤机菜单中的 Comm Key,0–999999）', 'Comm key of the terminal (its menu, 0 to 999999)')),
  attendanceFunction: z
    .union([z.literal('auto'), z.literal(0), z.literal(1)])
    .default('auto')
    .meta(words('读取考勤记录的功能号；自动：先 0 后 1', 'Function number for the attendance log; auto: 0, then 1')),
  recordBytes: z
    .union([z.literal('auto'), z.literal(8), z.literal(16), z.literal(40)])
    .default('auto')
    .meta(words('每条考勤记录的字节数', 'Bytes of an attendance record')),
  userBytes: z
    .union([z.literal('auto'), z.literal(28), z.literal(72)])
    .default('auto')
    .meta(words('每个用户记录的字节数', 'Bytes of a user record')),
  verifyStateOrder: z
    .enum(['auto', 'verify-first', 'state-first'])
    .default('auto')
    .meta(words('16 字节记录中验证方式与状态的先后', 'Which comes first in records of 16 bytes: method or state')),
  encoding: z.enum(['auto', 'gbk', 'utf-8']).default('auto').meta(words('文字编码', 'Encoding of texts')),
  directionMap: z
    .record(z.string().regex(/^(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/), directions)
    .optional()
    .meta(words('状态码到进出方向的对应', 'State code to direction, where the keys of a terminal mean something else')),
  disableWhileReading: z
    .boolean()
    .default(false)
    .meta(words('读取时锁定键盘（人脸机不要开启）', 'Lock the keypad while reading (not for face terminals)')),
  recountMinutes: z
    .number()
    .min(1)
    .max(1440)
    .default(10)
    .meta(words('核对记录数的间隔（分钟）', 'Minutes between two comparisons of the record count')),
  keepAliveSeconds: z
    .number()
    .min(1)
    .max(300)
    .default(30)
    .meta(words('静默多少秒后探测连接', 'Seconds of silence after which the connection is probed')),
  connectTimeoutMs: z
    .number()
    .int()
    .min(500)
    .max(120_000)
    .default(5000)
    .meta(words('连接应答时限（毫秒）', 'Deadline of an answer while connecting, ms')),
  answerTimeoutMs: z
    .number()
    .int()
    .min(500)
    .max(120_000)
    .default(5000)
    .meta(words('应答时限（毫秒）', 'Deadline of an answer, ms')),
  chunkSilenceMs: z
    .number()
    .int()
    .min(1000)
    .max(120_000)
    .default(10_000)
    .meta(words('读取中允许的静默（毫秒）', 'Silence, not total time, after which a chunk is given up, ms')),
});

export type ZkOptions = z.output<typeof zkOptions>;

/** The comm key as a number, or null when there is none. */
export function commKeyOf(options: ZkOptions): number | null {
  return options.commKey === undefined ? null : Number(options.commKey);
}

export const zkSimulatorOptions = z.strictObject({
  commKey: z.number().int().min(0).max(999_999).default(0),
  recordBytes: z.union([z.literal(8), z.literal(16), z.literal(40)]).default(40),
  userBytes: z.union([z.literal(28), z.literal(72)]).default(72),
  verifyStateOrder: z.enum(['verify-first', 'state-first']).default('verify-first'),
  encoding: z.enum(['gbk', 'utf-8']).default('gbk'),
  /** Largest data set sent as one DATA packet without a prepared answer. */
  smallAnswerBytes: z.number().int().min(0).max(1_000_000).default(1024),
  /** Bytes in one DATA packet; seen on terminals: 1008, 4096, 65536. */
  packetBytes: z.number().int().min(8).max(65_536).default(1008),
  /** Length of the GET_FREE_SIZES answer: 80, 92, or less when cut short. */
  sizesBytes: z.number().int().min(0).max(92).default(80),
  /** The only function number that yields attendance records; `any` takes all. */
  attendanceFunction: z.union([z.literal('any'), z.literal(0), z.literal(1)]).default('any'),
  /** What the session field of DATA packets holds. */
  dataSession: z.enum(['index', 'session']).default('index'),
  /** Old firmware: refuses DATA_WRRQ and knows the direct read only. */
  directOnly: z.boolean().default(false),
  /** How it refuses: ACK_ERROR, or the code for an unknown command. */
  directRefusal: z.enum(['error', 'unknown']).default('unknown'),
  connectReplyId: z.number().int().min(0).max(65_535).default(0),
  connectExtraByte: z.boolean().default(false),
  exitAck: z.boolean().default(true),
  /** Layout of live attendance events. */
  eventBytes: z
    .union([
      z.literal(10),
      z.literal(12),
      z.literal(14),
      z.literal(32),
      z.literal(36),
      z.literal(37),
      z.literal(52),
      z.literal(104),
    ])
    .default(32),
  /** Pause between packets on the clock of the wire; real terminals leave small gaps. */
  packetPauseMs: z.number().min(0).max(1000).default(4),
  /** What a second session meets: a refusal, or it takes the session away from the first. */
  secondSession: z.enum(['refuse', 'steal']).default('refuse'),
  /** A full log forgets its oldest record for every new one. */
  recordCapacity: z.number().int().min(1).max(10_000_000).default(200_000),
  userCapacity: z.number().int().min(1).max(100_000).default(10_000),
  /** Most characters of a user id (`~PIN2Width`). */
  idDigits: z.number().int().min(1).max(24).default(24),
  deviceName: z.string().max(32).default('SIM-F18'),
  firmware: z.string().max(48).default('Ver 6.60 Aug 19 2021'),
});

export type ZkSimulatorOptions = z.output<typeof zkSimulatorOptions>;
