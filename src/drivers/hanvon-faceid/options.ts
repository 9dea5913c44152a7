/**
 * All that a definition, a technician or a test may say about a Hanvon FaceID terminal and its simulator. Unknown keys are
 * refused. Defaults suit every model of the family.
 */
import { z } from 'zod';
import { bilingual } from '../../core/faults.js';
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });

// White space at the end comes with a secret read from a file; digits written without quotes arrive as a number.
const commKey = z.union([
  z.string().regex(/^\s*\d{1,8}\s*$/, bilingual('one to eight digits', '1 到 8 位数字')),
  z.number().int().min(0).max(99_999_999),
]);
const moment = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2})?$/,
    bilingual('write 2026-03-02 or 2026-03-02 08:00:00', '写作 2026-03-02 或 2026-03-02 08:00:00'),
  );

export const hanvonOptions = z.strictObject({
  commKey: commKey
    .optional()
    .meta(words('通信密钥（考勤机菜单中的 1–8 位数字）', 'Communication key of the terminal, one to eight digits')),
  serial: z
    .string()
    .regex(/^[\w.:-]{1,64}$/)
    .optional()
    .meta(
      words(
        '序列号；仅当考勤机既不给出序列号也不给出网卡地址时使用',
        'Serial number, only used where the terminal tells neither a serial number nor a network card address',
      ),
    ),
  since: moment
    .optional()
    .meta(words('首次读取从何时开始；缺省为全部', 'Where the first reading begins; everything when not said')),
  encoding: z.enum(['auto', 'gbk', 'utf-8']).default('auto').meta(words('文字编码', 'Encoding of texts')),
  directionMap: z
    .record(z.string().regex(/^\d{1,9}$/), z.enum(DIRECTIONS))
    .optional()
    .meta(words('状态码(status)到进出方向的对应', 'Duty state (status) to direction; terminals number them freely')),
  verifyMap: z
    .record(z.string().min(1).max(64), z.enum(VERIFIES))
    .optional()
    .meta(words('验证方式(type)的对应', 'Method as told (type) to method')),
  overlapMinutes: z
    .number()
    .min(1)
    .max(1440)
    .default(10)
    .meta(words('每次读取与上次重叠的时间（分钟）', 'Minutes that each reading begins before the last punch seen')),
  answerTimeoutMs: z
    .number()
    .int()
    .min(500)
    .max(120_000)
    .default(5000)
    .meta(words('应答时限（毫秒），考勤机可要求延长', 'Deadline of an answer, ms; the terminal may ask for more')),
  retries: z
    .number()
    .int()
    .min(0)
    .max(10)
    .default(2)
    .meta(words('无应答时重新连接并重试的次数', 'How often a command is tried again on a new connection')),
  busyRetries: z
    .number()
    .int()
    .min(0)
    .max(60)
    .default(6)
    .meta(words('设备忙时的重试次数', 'How often a busy terminal is asked again')),
  busyWaitMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5000)
    .meta(words('设备忙时等待多久再试（毫秒）', 'Pause before a busy terminal is asked again, ms')),
});

export type HanvonOptions = z.output<typeof hanvonOptions>;

export const hanvonSimulatorOptions = z.strictObject({
  commKey: commKey.optional(),
  /** `classic` models answer GetDateTime with `unknown command`; `f810` knows GetDateTime, GetMAC_SN, GetNetInfo, DetectDevice. */
  family: z.enum(['classic', 'f810']).default('classic'),
  /** Where the serial number is told: as `dev_id`, as `sn` of GetMAC_SN, or nowhere (then `dev_id` is 1 and there is a `mac`). */
  serialIn: z.enum(['dev_id', 'sn', 'none']).default('dev_id'),
  encoding: z.enum(['gbk', 'utf-8']).default('gbk'),
  /** Each record on a line of its own. */
  lines: z.boolean().default(false),
  padded: z.boolean().default(true),
  /** Whether GetRecord tells `total`. */
  total: z.boolean().default(true),
  /** Whether a command without bounds is understood. */
  unbounded: z.boolean().default(true),
  /** How often `Wait` comes before a Return, and how many seconds it asks for. */
  waits: z.number().int().min(0).max(10).default(0),
  waitSeconds: z.number().int().min(1).max(600).default(10),
  /** Direction told as duty state, as card_type, or not. */
  duty: z.enum(['status', 'card_type', 'none']).default('status'),
  /** Bytes of the photo that comes with each record. */
  photoBytes: z.number().int().min(0).max(4_000_000).default(0),
  /** Most records in one answer, whatever `total` says. */
  answerRecordsMax: z.number().int().min(1).max(1_000_000).default(1_000_000),
  /** What a command under another key meets. */
  wrongKey: z.enum(['silent', 'answer']).default('answer'),
  /** Closes the connection after each answer. */
  closes: z.boolean().default(false),
  model: z.string().max(16).default('F710'),
  edition: z.string().max(16).default('3.006.089'),
  peopleMax: z.number().int().min(1).max(100_000).default(1000),
  /** Face templates of the people it begins with. */
  faces: z.number().int().min(0).max(18).default(18),
});

export type HanvonSimulatorOptions = z.output<typeof hanvonSimulatorOptions>;
