/**
 * All that a technician or a test may say about a log file and about the simulator that writes one. Unknown keys are refused. What
 * a file does not tell, whose log it is above all, must be said; what it tells ambiguously is never guessed.
 */
import { z } from 'zod';
import { bilingual } from '../../core/faults.js';
import { DIRECTIONS, VERIFIES } from '../../core/punch-words.js';

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });

/** A column by its name in the header, or by its number from 1. */
const column = z.union([z.string().min(1).max(64), z.number().int().min(1).max(200)]);

export const usbFileOptions = z.strictObject({
  serial: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, bilingual('letters, digits and . : - _', '只能是字母、数字和 . : - _'))
    .meta(
      words(
        '这份记录属于哪台考勤机的序列号；应与联网读取时一致，否则会成为另一台',
        'Serial number of the terminal whose log this is; the same as when it is read over a wire, else it is another terminal',
      ),
    ),
  format: z
    .enum(['auto', 'zk', 'timmy', 'csv'])
    .default('auto')
    .meta(words('文件格式：attlog.dat、GLG/AGL_001.TXT 或 CSV', 'attlog.dat, GLG_001.TXT or AGL_001.TXT, or CSV')),
  encoding: z.enum(['auto', 'gbk', 'utf-8']).default('auto').meta(words('文字编码', 'Encoding of texts')),
  dateOrder: z
    .enum(['ymd', 'mdy', 'dmy'])
    .default('ymd')
    .meta(
      words(
        '日期中年月日的顺序；年份不在最前时必须指定',
        'Order of year, month and day; must be said where the year does not come first',
      ),
    ),
  idZeros: z
    .enum(['auto', 'keep', 'strip'])
    .default('auto')
    .meta(
      words(
        '编号前面的零：自动时只去掉 GLG/AGL 文件中补齐的零',
        'Leading zeros of ids; auto strips only the padding of GLG and AGL files',
      ),
    ),
  columns: z
    .strictObject({
      id: column.optional().meta(words('人员编号列', 'Column of the id')),
      dateTime: column.optional().meta(words('日期时间列', 'Column of date and time')),
      date: column.optional().meta(words('日期列', 'Column of the date')),
      time: column.optional().meta(words('时间列', 'Column of the time of day')),
      status: column.optional().meta(words('状态列', 'Column of the state or direction')),
      verify: column.optional().meta(words('验证方式列', 'Column of the method')),
    })
    .optional()
    .meta(words('列的对应；用表头名称或从 1 开始的列号', 'Which column is what, by header or number from 1')),
  directionMap: z
    .record(z.string().min(1).max(64), z.enum(DIRECTIONS))
    .optional()
    .meta(words('状态到进出方向的对应', 'State as written to direction')),
  verifyMap: z
    .record(z.string().min(1).max(64), z.enum(VERIFIES))
    .optional()
    .meta(words('验证方式的对应', 'Method as written to method')),
});

export type UsbFileOptions = z.output<typeof usbFileOptions>;
export type Role = keyof NonNullable<UsbFileOptions['columns']>;

export const usbFileSimulatorOptions = z.strictObject({
  format: z.enum(['zk', 'timmy', 'csv']).default('zk'),
  encoding: z.enum(['utf-8', 'utf-8-bom', 'gbk']).default('utf-8'),
  /** CSV: the language of the header, the delimiter, quotes around every value, date and time in two columns. */
  language: z.enum(['zh', 'en']).default('zh'),
  delimiter: z.enum([',', ';', '\t']).default(','),
  quotes: z.boolean().default(false),
  twoColumns: z.boolean().default(false),
  /** Line ends. */
  windows: z.boolean().default(true),
  /** Timmy: header with additional tabs, as some firmware writes it. */
  raggedHeader: z.boolean().default(false),
});

export type UsbFileSimulatorOptions = z.output<typeof usbFileSimulatorOptions>;
