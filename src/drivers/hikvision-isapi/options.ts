/**
 * All that a definition, a technician or a test may say about a Hikvision terminal and its simulator. Unknown keys are refused.
 * Nothing in the terminal's settings is written unless `configurePush` says that its owner agrees.
 */
import { z } from 'zod';
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';

const directions = z.enum(DIRECTIONS);
const verifies = z.enum(VERIFIES);
const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });
const minor = z.number().int().min(1).max(65_535);
// White space at the end comes with a secret read from a file.
const secret = z
  .string()
  .max(128)
  .transform((text) => text.trimEnd());
const pathToken = secret.refine((text) => /^[A-Za-z0-9_-]{12,64}$/.test(text), '12 to 64 of A-Z a-z 0-9 _ -');
const hostPort = z.string().regex(/^[A-Za-z0-9.-]{1,63}:\d{1,5}$/, 'host:port');

export const hikOptions = z.strictObject({
  authUser: z.string().min(1).max(63).default('admin').meta(words('登录账号', 'Account of the terminal')),
  /** Without it only a terminal that asks for no login can be read. */
  authPassword: secret
    .optional()
    .meta(words('登录密码；连续输错 5 至 7 次会锁定账号', 'Password of that account; 5 to 7 wrong ones lock it')),
  authScheme: z
    .enum(['auto', 'digest', 'basic'])
    .default('auto')
    .meta(words('登录方式；自动时优先摘要认证', 'Way to log in; auto prefers digest')),
  live: z
    .enum(['stream', 'poll'])
    .default('stream')
    .meta(
      words(
        '实时方式：长连接事件流，或只轮询；推送另行设置',
        'Live events by the alert stream, or by polling alone; pushes come beside either',
      ),
    ),
  pushKey: pathToken
    .optional()
    .meta(
      words(
        '推送地址 /hik/ 之后的口令，终端据此被识别',
        'Secret word after /hik/ in the address that the terminal pushes to; it is known by it',
      ),
    ),
  pushHost: hostPort
    .optional()
    .meta(words('终端推送的目标：本网关的地址和端口', 'Where the terminal shall push to: host:port of this gateway')),
  configurePush: z
    .boolean()
    .default(false)
    .meta(
      words(
        '业主同意后设为 true：网关会改写终端的第一个事件推送地址',
        'True once the owner agrees: the gateway then overwrites the first slot of the terminal for pushed events',
      ),
    ),
  pollSeconds: z
    .number()
    .min(10)
    .max(3600)
    .default(60)
    .meta(words('两次查询之间的秒数', 'Seconds between two searches while following')),
  overlapMinutes: z
    .number()
    .int()
    .min(5)
    .max(2880)
    .default(60)
    .meta(words('每次查询与已读部分重叠的分钟数', 'Minutes by which every search overlaps what was read')),
  deepReadHours: z
    .number()
    .min(1)
    .max(168)
    .default(24)
    .meta(words('两次长查询之间的小时数', 'Hours between two searches of the last days')),
  deepReadDays: z
    .number()
    .int()
    .min(1)
    .max(60)
    .default(7)
    .meta(words('长查询回看的天数', 'Days that such a search goes back')),
  pageRecords: z
    .number()
    .int()
    .min(1)
    .max(100)
    .default(30)
    .meta(words('每页记录数；多数机型最多 30', 'Events asked for in one page; many models give at most 30')),
  passMinors: z
    .array(minor)
    .max(100)
    .optional()
    .meta(words('视为打卡的次类型代码', 'Minor codes of major 5 that are punches, in place of the built-in table')),
  verifyMap: z
    .record(z.string().regex(/^\d{1,5}$/), verifies)
    .optional()
    .meta(words('次类型代码对应的识别方式', 'Minor code to method')),
  directionMap: z
    .record(z.string().regex(/^[a-z]{1,20}$/), directions)
    .optional()
    .meta(words('考勤状态（小写）对应的方向', 'attendanceStatus, in small letters, to direction')),
  answerTimeoutMs: z
    .number()
    .int()
    .min(500)
    .max(60_000)
    .default(10_000)
    .meta(words('应答超时', 'Deadline of an answer')),
  retries: z
    .number()
    .int()
    .min(0)
    .max(5)
    .default(2)
    .meta(words('无应答时重试次数', 'How often a request is made again when nothing answers')),
});

export type HikOptions = z.output<typeof hikOptions>;

export const hikSimulatorOptions = z.strictObject({
  authUser: z.string().min(1).max(63).default('admin'),
  authPassword: z.string().min(1).max(63).default('Class-1234'),
  authScheme: z.enum(['digest', 'basic', 'both']).default('digest'),
  /** Requests that one nonce is good for. */
  nonceUses: z.number().int().min(1).default(1000),
  /** Wrong passwords after which the account is locked. */
  lockAfter: z.number().int().min(1).default(7),
  model: z.string().max(40).default('DS-K1T671M'),
  firmware: z.string().max(40).default('V3.2.30'),
  /** Most entries of one page, whatever is asked. */
  pageMax: z.number().int().min(1).max(100).default(30),
  /** How its clock is written, and how dates of a search must be written. */
  dateForm: z.enum(['offset', 'none', 'z']).default('offset'),
  /** Whether localTime shows the form that the search wants; else it must be learned from a refusal. */
  showsDateForm: z.boolean().default(true),
  /** Minors that a search takes: all of a major at once, only every major at once, or each by itself. */
  minorZero: z.enum(['works', 'major-zero-only', 'refused']).default('works'),
  /** Adds an open and a closed lock after each punch, and a failure before it. */
  doorEvents: z.boolean().default(false),
  timeMode: z.enum(['manual', 'NTP']).default('manual'),
  eventFormat: z.enum(['json', 'xml']).default('json'),
  /** Seconds between heartbeats of the stream; 0: none. */
  heartbeatSeconds: z.number().int().min(0).max(600).default(10),
  /** Tells again, at each connect of the stream, so many events of the past. */
  replay: z.number().int().min(0).max(100).default(0),
  /** A photo with every live event. */
  pictures: z.boolean().default(true),
  /** Pushes from the start to /hik/ and this word; else when httpHosts is set. */
  pushKey: z.string().max(64).optional(),
  /** How a push is wrapped. */
  pushForm: z.enum(['multipart', 'json', 'xml']).default('multipart'),
});

export type HikSimulatorOptions = z.output<typeof hikSimulatorOptions>;
