/**
 * All that a definition, a technician or a test may say about a ZKTeco PUSH terminal and its simulator. Unknown keys are
 * refused. Every default is the value that works with most firmwares.
 */
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';
import { z } from 'zod';

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });
const code = z.string().regex(/^\d{1,3}$/);
const encoding = z.enum(['auto', 'gbk', 'utf-8']);
// White space at the end comes with a secret read from a file; digits written without quotes arrive as a number.
const secret = z.union([z.string().regex(/^[\x21-\x7e]{1,64}\s*$/), z.number().int().min(0).max(999_999_999_999)]);

export const zkPushOptions = z.strictObject({
  commKey: secret
    .optional()
    .meta(
      words('推送通信密码(PushComKey)；设置后核对', 'PUSH communication key (PushComKey); compared when it is set'),
    ),
  dialect: z
    .enum(['auto', '1.0', '2.4', 'us'])
    .default('auto')
    .meta(
      words(
        '握手方言：自动(新旧键名都发)、1.0、2.4、美版(时区写成 -05:00)',
        'Dialect of the greeting: both kinds of keys, old, new, or the US edition (zone as -05:00)',
      ),
    ),
  verifyMap: z
    .union([z.enum(['auto', 'new', 'old']), z.record(code, z.enum(VERIFIES))])
    .default('auto')
    .meta(
      words(
        '验证方式编码：自动(推送版本 2.2 起为新)、新、旧，或逐个对应',
        'Codes of methods: by PUSH version (2.2 and later: new), new, old, or one by one',
      ),
    ),
  directionMap: z
    .record(code, z.enum(DIRECTIONS))
    .optional()
    .meta(words('状态码到进出方向的对应', 'State code to direction, where the keys of a terminal mean something else')),
  encoding: encoding.default('auto').meta(words('姓名的文字编码', 'Encoding of names')),
  privilegeKey: z
    .enum(['Pri', 'Privilege'])
    .default('Pri')
    .meta(
      words('人员权限的键名；个别固件要 Privilege', 'Key of the privilege of a person; some firmware wants Privilege'),
    ),
  delaySeconds: z
    .number()
    .int()
    .min(2)
    .max(60)
    .default(10)
    .meta(words('取命令的间隔（秒）', 'Seconds between two polls for commands')),
  errorDelaySeconds: z
    .number()
    .int()
    .min(30)
    .max(300)
    .default(30)
    .meta(words('失败后重试的间隔（秒）', 'Seconds after which the terminal tries again')),
  transTimes: z
    .string()
    .regex(/^\d{2}:\d{2}(?:;\d{2}:\d{2}){0,9}$/)
    .default('00:00;14:05')
    .meta(words('定时上传时刻，最多十个', 'Times of scheduled uploads, ten at most')),
  transIntervalMinutes: z
    .number()
    .int()
    .min(0)
    .max(1440)
    .default(1)
    .meta(words('检查并上传新数据的间隔（分钟），0 关闭', 'Minutes between looks for new data; 0: off')),
  fullReadHours: z
    .number()
    .min(1)
    .max(720)
    .default(24)
    .meta(words('两次全部读取之间的小时数', 'Hours between two readings of everything')),
  overlapHours: z
    .number()
    .min(1)
    .max(720)
    .default(24)
    .meta(words('续读时向前重叠的小时数', 'Hours before the last known punch from which reading goes on')),
  quietSeconds: z
    .number()
    .min(1)
    .max(300)
    .default(15)
    .meta(
      words(
        '查询结束后等待迟到数据的秒数',
        'Seconds without data after a query was answered, until it counts as complete',
      ),
    ),
});

export type ZkPushOptions = z.output<typeof zkPushOptions>;

/** The communication key as text, or null when none is compared. */
export const commKeyOf = (options: ZkPushOptions): string | null =>
  options.commKey === undefined ? null : String(options.commKey).trim();

export const zkPushSimulatorOptions = z.strictObject({
  /** What it expects of a greeting, and how it reads the time zone. */
  dialect: z.enum(['1.0', '2.4', 'us']).default('2.4'),
  /** `pushver` of its greeting; empty: firmware before that. */
  version: z.string().max(16).default('2.4.1'),
  language: z.number().int().min(0).max(255).default(83),
  commKey: z.string().max(64).optional(),
  /** Appends `.aspx` to every path. */
  aspx: z.boolean().default(false),
  fields: z.number().int().min(3).max(16).default(7),
  crlf: z.boolean().default(false),
  /** Whether the last line of a body ends in LF. */
  lastLf: z.boolean().default(true),
  nameEncoding: z.enum(['gbk', 'utf-8']).default('gbk'),
  verify: z.enum(['new', 'old']).default('new'),
  postLines: z.number().int().min(1).max(1000).default(1000),
  /** Head and body as two writes. */
  splitBody: z.boolean().default(false),
  chunked: z.boolean().default(false),
  keepAlive: z.boolean().default(true),
  /** Uploads and polls from one thread, or from two with a connection each. */
  threads: z.union([z.literal(1), z.literal(2)]).default(1),
  /** Whether its log counts as uploaded already, or it brings all of it by itself. */
  backlog: z.enum(['none', 'all']).default('none'),
  /** False: it was greeted before the gateway started again, and goes straight on. */
  greets: z.boolean().default(true),
  /** `VERIFY SUM ATTLOG`, `DATA QUERY ATTLOG`, `INFO`: what its firmware knows. */
  knowsSum: z.boolean().default(true),
  sumKey: z.enum(['AttlogSum', 'AttlogCount']).default('AttlogSum'),
  knowsQuery: z.boolean().default(true),
  knowsInfo: z.boolean().default(true),
  privilegeKey: z.enum(['Pri', 'Privilege']).default('Pri'),
  /** Sets its clock from `Date` and the time zone. */
  obeysDate: z.boolean().default(true),
  answerTimeoutMs: z.number().int().min(500).max(120_000).default(10_000),
  userCapacity: z.number().int().min(1).max(100_000).default(3000),
  firmware: z.string().max(48).default('ZAM170-NF-Ver1.1.17'),
  model: z.string().max(32).default('SIM-SpeedFace'),
});

export type ZkPushSimulatorOptions = z.output<typeof zkPushSimulatorOptions>;
