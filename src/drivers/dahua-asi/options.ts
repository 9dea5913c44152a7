/**
 * All that a definition, a technician or a test may say about a Dahua ASI terminal and its simulator. Unknown keys are
 * refused. The defaults spare the terminal: its face engine shares a small processor with the web server.
 */
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';
import { z } from 'zod';

const directions = z.enum(DIRECTIONS);
const verifies = z.enum(VERIFIES);
const code = z.string().regex(/^\d{1,5}$/);
const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });

/** Codes whose events are punches or hints of one. An underscore belongs to the name. */
const EVENT_CODES = ['_DoorFace_', 'AccessControl', 'DoorStatus'] as const;

export const dahuaOptions = z.strictObject({
  authUser: z.string().min(1).max(63).default('admin').meta(words('登录账号', 'Account of the terminal')),
  /** Without it nothing can be read. White space at the end comes with a secret read from a file. */
  authPassword: z
    .string()
    .max(128)
    .transform((text) => text.trimEnd())
    .optional()
    .meta(words('登录密码；连续输错会锁定账号', 'Password of that account; wrong ones lock it')),
  stream: z
    .boolean()
    .default(true)
    .meta(words('接收实时事件流', 'Follow the event stream; off: compare the record count instead')),
  eventCodes: z
    .array(z.string().regex(/^\w{1,40}$/))
    .min(1)
    .max(10)
    .default([...EVENT_CODES])
    .meta(
      words(
        '订阅的事件；AccessControl 以外的仅触发读取记录',
        'Events asked for; all but AccessControl only trigger a reading',
      ),
    ),
  heartbeatSeconds: z
    .number()
    .int()
    .min(1)
    .max(60)
    .default(5)
    .meta(words('事件流心跳间隔（秒），缺三次即重连', 'Heartbeat of the stream; three missing ones end it')),
  verifyMap: z
    .record(code, verifies)
    .optional()
    .meta(
      words(
        '识别方式代码的含义；缺省只认 1 刷卡、15 人脸',
        'Method code to method; only 1 card and 15 face are agreed',
      ),
    ),
  directionMap: z
    .record(code, directions)
    .optional()
    .meta(
      words('考勤状态代码的含义；缺省 1 签入、2 签出', 'AttendanceState to direction; 1 in and 2 out when not said'),
    ),
  epochShiftMinutes: z
    .union([z.literal('auto'), z.number().int().min(-1560).max(1560)])
    .default('auto')
    .meta(
      words(
        '记录时间与显示时间之差（分钟）',
        'Minutes to add to record times; auto: from the zone setting and from live punches',
      ),
    ),
  pageRecords: z
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(100)
    .meta(words('每次读取的记录数', 'Records asked for at once')),
  overlapHours: z
    .number()
    .min(0)
    .max(720)
    .default(24)
    .meta(words('连接后重读多少小时的记录', 'Hours read again when a session begins, for a clock that was set back')),
  countMinutes: z
    .number()
    .min(1)
    .max(1440)
    .default(60)
    .meta(
      words(
        '核对记录数的间隔（分钟）',
        'Minutes between two comparisons of the record count while the stream is healthy',
      ),
    ),
  pollSeconds: z
    .number()
    .min(5)
    .max(3600)
    .default(60)
    .meta(words('没有事件流时核对记录数的间隔（秒）', 'Seconds between two comparisons where there is no stream')),
  fullReadHours: z
    .number()
    .min(1)
    .max(720)
    .default(24)
    .meta(words('重读近期记录的间隔（小时）', 'Hours between two readings of the last days')),
  fullReadDays: z
    .number()
    .int()
    .min(1)
    .max(3650)
    .default(7)
    .meta(words('重读最近多少天', 'Days that this reading goes back')),
  keepAliveSeconds: z
    .number()
    .min(5)
    .max(300)
    .default(60)
    .meta(words('空闲时多久报告一次在线', 'Seconds between two signs of life')),
  answerTimeoutMs: z
    .number()
    .int()
    .min(500)
    .max(120_000)
    .default(10_000)
    .meta(words('应答时限（毫秒）', 'Deadline of an answer, ms')),
  retries: z
    .number()
    .int()
    .min(0)
    .max(5)
    .default(2)
    .meta(words('无应答时重试次数', 'How often a reading is asked again')),
});

export type DahuaOptions = z.output<typeof dahuaOptions>;

export const dahuaSimulatorOptions = z.strictObject({
  authUser: z.string().default('admin'),
  /** No digest is asked without it. */
  authPassword: z.string().optional(),
  /** Largest page of recordFinder.cgi, whatever is asked. */
  pageRecordsMax: z.number().int().min(1).max(1024).default(100),
  /** `found` only: this firmware does not tell totalCount. */
  totalCount: z.boolean().default(true),
  /** StartTime is ignored: paging by time does not move. */
  ignoreStartTime: z.boolean().default(false),
  /** Spelling of CreateTime. */
  createTime: z.enum(['seconds', 'milliseconds', 'text']).default('seconds'),
  /** Tells CreateTimeRealUTC and RealUTC as well. */
  realUtc: z.boolean().default(false),
  /** Zone of the terminal's own setting, in minutes east; null: right. What it tells as CreateTime follows it. */
  zoneMinutes: z.number().int().min(-720).max(840).nullable().default(null),
  /** Whether the NTP setting can be asked. */
  zoneTold: z.boolean().default(true),
  /** Which events it sends for a punch. */
  events: z.enum(['access', 'door', 'none', 'refused']).default('access'),
  /** Events carry RecNo. */
  eventRecNo: z.boolean().default(false),
  eventStyle: z.enum(['pulse', 'flat']).default('pulse'),
  /** JSON-RPC at /RPC2_Login and /RPC2. */
  rpc: z.boolean().default(true),
  /** AccessUser over RPC; else AccessControlCard with recordUpdater.cgi. */
  accessUser: z.boolean().default(true),
  lineEnd: z.enum(['crlf', 'lf']).default('crlf'),
  /** Answers that close the connection afterwards, as many terminals do. */
  keepAlive: z.boolean().default(true),
  userCapacity: z.number().int().min(1).max(1_000_000).default(3000),
  recordCapacity: z.number().int().min(1).max(1_000_000).default(300_000),
  model: z.string().max(40).default('ASI7213X'),
  firmware: z.string().max(80).default('1.000.0000000.5.R,build:2023-03-01'),
});

export type DahuaSimulatorOptions = z.output<typeof dahuaSimulatorOptions>;
