/**
 * All that a definition, a technician or a test may say about a terminal of this protocol and its simulator. Unknown keys
 * are refused. Every default is the value that touches the terminal least.
 */
import { z } from 'zod';
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });
const code = z.string().regex(/^\d{1,3}$/);
const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const milliseconds = (otherwise: number, zh: string, description: string) =>
  z.number().int().min(1000).max(120_000).default(otherwise).meta(words(zh, description));

export const aifaceOptions = z.strictObject({
  clockMode: z
    .enum(['auto', 'local', 'utc'])
    .default('auto')
    .meta(
      words(
        '考勤机时间是当地时间还是 UTC；自动：登记时比较',
        'Whether its times are local or UTC; auto: compared when it registers',
      ),
    ),
  cloudTime: z
    .enum(['never', 'device', 'gateway'])
    .default('never')
    .meta(
      words(
        '应答中的 cloudtime（会校准考勤机时钟）：不带、原样返回、网关时间（首次读完之后）',
        'cloudtime in answers, which sets its clock: left out, its own time, or the gateway’s after the first complete read',
      ),
    ),
  verifyProfile: z
    .enum(['auto', 'A', 'B'])
    .default('auto')
    .meta(
      words(
        '验证方式编码：A 0 指纹 1 卡 2 密码；B 1 指纹 2 卡 3 密码；8 均为人脸',
        'Numbers of the methods: A 0 finger 1 card 2 password; B 1 finger 2 card 3 password; 8 is a face in both',
      ),
    ),
  verifyMap: z
    .record(code, z.enum(VERIFIES))
    .optional()
    .meta(words('验证方式编码的对应，优先于 A/B', 'Number of a method to its name; goes before A and B')),
  directionMap: z
    .record(code, z.enum(DIRECTIONS))
    .optional()
    .meta(words('inout 值到进出方向的对应', 'Value of inout to direction')),
  keyMap: z
    .record(code, z.enum(DIRECTIONS))
    .optional()
    .meta(words('功能键（event 值）到进出方向的对应', 'Function key (value of event) to direction')),
  strangers: z
    .enum(['drop', 'keep'])
    .default('drop')
    .meta(words('陌生人记录：丢弃，或作为打卡保留', 'Records of strangers: dropped, or kept as punches')),
  strangerIds: z
    .array(z.string().regex(/^\d{1,20}$/))
    .default(['99999999'])
    .meta(words('表示陌生人的编号', 'Ids that mean a stranger')),
  grantAccess: z
    .boolean()
    .default(false)
    .meta(words('应答打卡时开门（服务器模式）', 'Open the door when answering a punch (server mode)')),
  since: date
    .optional()
    .meta(words('首次读取的起始日期；不填则读取全部', 'First date of the first reading; everything when left out')),
  checkDays: z
    .number()
    .int()
    .min(1)
    .max(60)
    .default(3)
    .meta(words('每夜核对最近几天的记录', 'Days of the log that are compared every night')),
  keepAliveSeconds: z
    .number()
    .min(5)
    .max(60)
    .default(45)
    .meta(words('多久确认一次考勤机在线', 'Seconds between two signs of life')),
  answerTimeoutMs: milliseconds(10_000, '等待应答的时间', 'Time for an answer'),
  userTimeoutMs: milliseconds(30_000, '等待人员命令应答的时间', 'Time for an answer about people'),
});

export type AifaceOptions = z.output<typeof aifaceOptions>;

export const aifaceSimulatorOptions = z.strictObject({
  profile: z.enum(['A', 'B']).default('A'),
  clockMode: z.enum(['local', 'utc']).default('local'),
  model: z.string().max(32).default('ai07'),
  firmware: z.string().max(32).default('th600w v6.1'),
  heartbeatSeconds: z.number().min(5).max(3600).default(30),
  /** Pause before it calls again. */
  reconnectSeconds: z.number().min(0.1).max(600).default(3),
  /** Numbers as text, as in `"admin":"0"`. */
  textNumbers: z.boolean().default(false),
  /** Truth values as 0 and 1. */
  numericTruth: z.boolean().default(false),
  /** The `to` of getalllog is the first date left out. */
  toExclusive: z.boolean().default(false),
  /** When a record of getnewlog counts as fetched: when its page is sent, or when the list was given to its end. */
  fetched: z.enum(['sent', 'end']).default('sent'),
  /** What `count` of a log page says: all records of the list, or those of the page. */
  countOf: z.enum(['list', 'page']).default('list'),
  pageRecords: z.number().int().min(1).max(50).default(50),
  /** Records in one `sendlog`. */
  pushRecords: z.number().int().min(1).max(50).default(1),
  /** Sends records that nobody fetched by itself, as after an outage. */
  pushBacklog: z.boolean().default(false),
  /** Takes no punch while the gateway is away. */
  serverApproval: z.boolean().default(false),
  /** Knows `gettime`, which came late to the protocol. */
  knowsGetTime: z.boolean().default(true),
  /** Each message must come as one piece. */
  strictMessages: z.boolean().default(true),
  userCapacity: z.number().int().min(1).max(100_000).default(3000),
  recordCapacity: z.number().int().min(1).max(1_000_000).default(100_000),
});

export type AifaceSimulatorOptions = z.output<typeof aifaceSimulatorOptions>;
