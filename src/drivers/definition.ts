/**
 * The schema of one file in `devices/`: which driver a model needs, how it is usually reached, what it can do and where it
 * departs from the protocol. Texts that look like numbers (firmware `1.10`) must be in quotes: YAML would make 1.1 of them.
 */
import { z } from 'zod';
import { bilingual } from '../core/faults.js';
import type { Capability } from './driver.js';

const words = (zh: string, description: string): { zh: string; description: string } => ({ description, zh });

/** Every capability a definition may name; the type keeps the list complete. */
export const CAPABILITIES = Object.keys({
  'punch.poll': true,
  'punch.live': true,
  'clock.read': true,
  'clock.set': true,
  'users.read': true,
  'users.write': true,
} satisfies Record<Capability, true>) as [Capability, ...Capability[]];

const text = z.string().min(1).max(200);
const port = z.int().min(1).max(65535);
const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, bilingual('write a date as 2026-03-02', '日期写作 2026-03-02'));

const socketReach = z.strictObject({ port: port.meta(words('端口', 'Port')) });

const serialReach = z.strictObject({
  baud: z.int().min(300).max(4_000_000).meta(words('波特率', 'Baud rate')),
  parity: z.enum(['none', 'even', 'odd']).default('none').meta(words('校验位', 'Parity')),
});

export const definitionSchema = z.strictObject({
  id: z
    .string()
    .regex(
      /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
      bilingual('use a-z, 0-9 and single hyphens, such as acme-f100', '只能用小写字母、数字和单个连字符，如 acme-f100'),
    )
    .meta(
      words(
        '型号代号，配置文件用它指定型号；与文件名相同',
        'Id of the model, named by the settings; equal to the file name',
      ),
    ),
  vendor: text.meta(words('厂商', 'Maker')),
  model: text.meta(
    words('型号，与铭牌一致；像数字的要加引号', 'Model as on the plate; in quotes when it looks like a number'),
  ),
  driver: text.meta(words('协议驱动', 'Driver of the protocol')),
  reach: z
    .strictObject({
      tcp: socketReach.optional().meta(words('网关连接考勤机(TCP)', 'The gateway calls the terminal (TCP)')),
      'tcp-listen': socketReach.optional().meta(words('考勤机连接网关(TCP)', 'The terminal calls the gateway (TCP)')),
      udp: socketReach.optional().meta(words('UDP', 'UDP')),
      http: socketReach.optional().meta(words('网关连接考勤机(HTTP)', 'The gateway calls the terminal (HTTP)')),
      https: socketReach.optional().meta(words('网关连接考勤机(HTTPS)', 'The gateway calls the terminal (HTTPS)')),
      'http-listen': socketReach
        .optional()
        .meta(words('考勤机连接网关(HTTP)', 'The terminal calls the gateway (HTTP)')),
      'ws-listen': socketReach
        .optional()
        .meta(words('考勤机连接网关(WebSocket)', 'The terminal calls the gateway (WebSocket)')),
      serial: serialReach.optional().meta(words('串口 RS-232/RS-485', 'Serial line RS-232/RS-485')),
      file: z
        .strictObject({})
        .optional()
        .meta(words('U 盘拷来的记录文件', 'A log file that somebody carries here on a stick')),
    })
    .meta(words('通常的连接方式', 'How it is usually reached')),
  capabilities: z
    .array(z.enum(CAPABILITIES))
    .min(1)
    .meta(words('能力；只能是驱动所具备的', 'What it can do; only what its driver can')),
  quirks: z
    .array(
      z.strictObject({
        option: text.meta(words('驱动的选项名', 'An option that the driver declares')),
        value: z.union([z.string(), z.number(), z.boolean()]).meta(words('取值', 'Its value')),
        why: z.string().min(10).max(500).meta(words('原因，界面上会显示', 'The reason, shown on the page')),
      }),
    )
    .default([])
    .meta(words('与协议不同之处', 'Where it departs from the protocol')),
  verified: z
    .array(
      z.strictObject({
        firmware: text.meta(words('固件版本，加引号', 'Firmware version, in quotes')),
        capture: text.optional().meta(words('线路记录文件', 'Capture file')),
        by: text.meta(words('验证人或单位', 'Who verified it')),
        on: date.meta(words('日期', 'Date')),
      }),
    )
    .default([])
    .meta(
      words('在真机上验证的记录；空表示尚未验证', 'Proof on a real terminal; empty means nobody has verified it yet'),
    ),
  note: z.string().max(500).optional().meta(words('说明', 'Remark for people')),
});

export type Definition = z.infer<typeof definitionSchema>;
