/**
 * What may stand in the settings file: every key with its meaning in Chinese and English, its limits and its default.
 * This one schema feeds the loader, `config/README.md`, `config/gateway.schema.json` and the forms of the page, so a new
 * setting is added here and nowhere else. Unknown keys are refused everywhere except in a terminal's `options`, which the
 * terminal's own driver checks.
 */
import { z } from 'zod';
import { bilingual } from '../core/faults.js';
import { GATEWAY_ID, ZONE_WORD } from '../core/ids.js';
import { zone } from '../core/time.js';

/** Chinese title for the form, then both descriptions. */
const words = (title: string, zh: string, description: string): { title: string; zh: string; description: string } => ({
  title,
  zh,
  description,
});

const text = z.string().min(1).max(200);
const file = z.string().min(1).max(1000);

const slug = z
  .string()
  .max(64)
  .regex(
    /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
    bilingual('use a-z, 0-9 and single hyphens, such as front-door', '只能用小写字母、数字和单个连字符，如 front-door'),
  );

const timeZone = z.string().refine((name) => zone(name) !== null, {
  error: bilingual(
    'write an IANA zone name such as Asia/Shanghai, not an offset',
    '请填写 IANA 时区名，如 Asia/Shanghai，不要写偏移量',
  ),
});

const listen = z
  .string()
  .regex(
    /^(?:\[[0-9a-fA-F:.]+\]|[^:\s/]+):\d{1,5}$/,
    bilingual('write address:port such as 127.0.0.1:8080', '请写作 地址：端口，如 127.0.0.1:8080'),
  )
  .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65535, {
    error: bilingual('the port must be from 0 to 65535', '端口须在 0 到 65535 之间'),
  });

const brokerUrl = z
  .string()
  .regex(
    /^mqtts?:\/\/(?:\[[0-9a-fA-F:.]+\]|[^:/\s@?#]+):\d{1,5}$/,
    bilingual('write mqtts://host:port, without user or password', '请写作 mqtts://主机:端口，不含用户名和密码'),
  );

const site = z.strictObject({
  institution: text.optional().meta(words('培训机构', '培训机构名称', 'Name of the training institution')),
  name: text.meta(words('培训点', '培训点（校区）名称', 'Name of the training site')),
  room: text.meta(words('教室', '教室名称或编号', 'Name or number of the classroom')),
  timeZone: timeZone
    .default('Asia/Shanghai')
    .meta(words('时区', '培训点所在时区（IANA 名称）', 'Time zone of the site, an IANA name')),
});

const web = z.strictObject({
  listen: listen
    .default('127.0.0.1:8080')
    .meta(words('监听地址', '本机页面与健康检查的监听地址', 'Address on which the page and the health checks listen')),
  terminalPorts: z
    .array(listen)
    .max(16)
    .default([])
    .meta(
      words(
        '考勤机端口',
        '供考勤机呼叫的端口，如 0.0.0.0:7788；未登记的考勤机会在此显示，可登记使用。已登记考勤机的端口自动打开',
        'Ports that terminals call, such as 0.0.0.0:7788: terminals that nobody has adopted are shown there. Those of the terminals below are opened by themselves',
      ),
    ),
});

const clockRule = z.strictObject({
  set: z
    .enum(['never', 'auto'])
    .default('never')
    .meta(
      words(
        '校时',
        'never 不校时；auto 读完打卡后自动校时',
        'never: leave it alone; auto: set it after its punches are read',
      ),
    ),
  maxStepSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .meta(
      words(
        '最大校时幅度',
        '超过此差值不自动校时，只报警（秒）',
        'Beyond this difference it is only reported, never set (seconds)',
      ),
    ),
});

export const terminalSchema = z.strictObject({
  id: slug.meta(words('编号', '考勤机编号，本文件内唯一', 'Id of the terminal, unique in this file')),
  model: slug
    .optional()
    .meta(
      words('型号', '型号代号，见 devices/;与 driver 二选一', 'Id of the model in devices/; either this or driver'),
    ),
  driver: slug
    .optional()
    .meta(words('驱动', '协议驱动；没有合适的型号时使用', 'Driver of the protocol, when no model fits')),
  reach: z
    .string()
    .min(1)
    .meta(
      words(
        '连接方式',
        '网关连接考勤机：tcp://主机:端口、udp://…、http://…、https://…、serial:///dev/ttyUSB0?baud=115200；考勤机呼叫网关：tcp-listen://[地址]:端口、http-listen://…、ws-listen://…',
        'The gateway calls: tcp://host:port, udp://…, http://…, https://…, serial:///dev/ttyUSB0?baud=115200; the terminal calls: tcp-listen://[host]:port, http-listen://…, ws-listen://…',
      ),
    ),
  timeZone: timeZone
    .optional()
    .meta(
      words(
        '时区',
        '考勤机时钟所用时区；缺省为 site.timeZone',
        'Zone of the clock of the terminal; else site.timeZone',
      ),
    ),
  pollSeconds: z
    .int()
    .min(5)
    .max(86_400)
    .default(60)
    .meta(words('轮询间隔', '两次读取之间的间隔（秒）', 'Time between two reads (seconds)')),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .meta(
      words(
        '驱动选项',
        '驱动的选项；密码写入文件并以 …File 指定，如 commKeyFile',
        'Options of the driver; secrets stand in files named by …File, such as commKeyFile',
      ),
    ),
  roster: z
    .enum(['push', 'off'])
    .default('push')
    .meta(
      words(
        '人员下发',
        'push 把班级名单下发到考勤机并在结束后撤回；off 不改动考勤机人员。从不改动他人录入的人员',
        'push: put the people of the classes into the terminal and take them out afterwards; off: leave its people alone. People whom somebody else enrolled are never changed',
      ),
    ),
  clock: clockRule
    .default({ set: 'never', maxStepSeconds: 300 })
    .meta(words('时钟', '如何处理考勤机时钟', 'What to do about the clock of the terminal')),
  serial: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta(
      words(
        '序列号',
        '预期的序列号；不符时停用并报警（加引号）',
        'Expected serial number; another one parks the terminal (in quotes)',
      ),
    ),
});

const mqtt = z.strictObject({
  version: z
    .enum(['5', 'auto'])
    .default('5')
    .meta(words('MQTT 版本', '"5" 或 auto(允许退回 3.1.1)，加引号', '"5", or auto to allow falling back to 3.1.1')),
  username: text.optional().meta(words('用户名', '缺省为 gw', 'User name; else gw')),
  passwordFile: file.optional().meta(words('密码文件', '存放密码的文件', 'File with the password')),
  caFile: file.optional().meta(words('CA 证书', '校验服务器的 CA 证书(PEM)', 'CA certificate for the server (PEM)')),
  certFile: file
    .optional()
    .meta(words('客户端证书', '网关的客户端证书(PEM)', 'Client certificate of the gateway (PEM)')),
  keyFile: file
    .optional()
    .meta(words('客户端私钥', '客户端证书的私钥(PEM)', 'Private key of the client certificate (PEM)')),
  keepAliveSeconds: z
    .int()
    .min(10)
    .max(3600)
    .default(60)
    .meta(words('心跳', 'MQTT 心跳间隔（秒）', 'MQTT keep-alive (seconds)')),
});

const fieldSet = z.strictObject({
  name: z
    .boolean()
    .default(false)
    .meta(words('姓名', '是否上报姓名', 'Whether names are sent')),
  documentNumber: z
    .enum(['none', 'digest'])
    .default('none')
    .meta(words('证件号', 'none 不上报；digest 上报带密钥的摘要', 'none, or a keyed digest')),
  photo: z
    .enum(['none'])
    .default('none')
    .meta(words('照片', '此版本不上报照片', 'Photos are not sent by this version')),
});

export const upstreamSchema = z.strictObject({
  id: slug.meta(words('编号', '上级平台编号，本文件内唯一', 'Id of the upstream, unique in this file')),
  gw: z
    .string()
    .regex(
      GATEWAY_ID,
      bilingual(
        'gw and 8 to 20 of 0-9 a-h j k m n p-t v-z, as given at enrolment',
        'gw 加 8 至 20 位字符(0-9 a-h j k m n p-t v-z)，由平台在注册时分配',
      ),
    )
    .meta(words('网关编号', '平台在注册时分配的网关编号', 'Gateway id given at enrolment')),
  zone: z
    .string()
    .regex(
      ZONE_WORD,
      bilingual(
        '1 to 32 of a-z, 0-9 and hyphen; digits alone need quotes',
        '1 至 32 位小写字母、数字或连字符；纯数字须加引号',
      ),
    )
    .meta(words('区划', '平台分配的区划代码（加引号）', 'Routing word of the zone given at enrolment (in quotes)')),
  aud: text.meta(words('平台编号', '平台编号', 'Id of the platform')),
  url: brokerUrl.meta(words('地址', 'MQTT 服务器，mqtts://主机:端口', 'MQTT broker, mqtts://host:port')),
  prefix: z
    .string()
    .regex(
      /^[^+#\s/]+(?:\/[^+#\s/]+)*$/,
      bilingual('a topic prefix without slash at its ends, + or #', '主题前缀，首尾不带斜杠，不含 + 和 #'),
    )
    .optional()
    .meta(words('主题前缀', '加在 att/v1 之前的主题前缀', 'Topic prefix in front of att/v1')),
  mqtt: mqtt.default(mqtt.parse({})).meta(words('MQTT', '连接参数', 'Parameters of the connection')),
  platformKeysFile: file.meta(words('平台公钥', '平台签名公钥集文件', 'File with the signing keys of the platform')),
  platformRootKeyFile: file
    .optional()
    .meta(words('平台根公钥', '平台根公钥文件，用于校验公钥集', 'File with the root key that signs the key set')),
  fieldSet: fieldSet
    .default(fieldSet.parse({}))
    .meta(words('上报字段', '允许离开本单位的字段', 'What may leave the house')),
  spreadSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(30)
    .meta(words('错峰', '断线重连的随机等待上限（秒）', 'Greatest random wait before reconnecting (seconds)')),
  lingerSeconds: z
    .number()
    .min(0)
    .max(60)
    .default(2)
    .meta(words('凑批', '封批前等待更多记录的时间（秒）', 'How long a batch waits for more records (seconds)')),
});

const retention = z.strictObject({
  recordsYears: z
    .int()
    .min(5)
    .max(100)
    .default(5)
    .meta(words('记录', '打卡与课时记录保存年限，至少 5 年', 'Years to keep punches and results, at least 5')),
  framesYears: z
    .int()
    .min(5)
    .max(100)
    .default(5)
    .meta(words('画面', '课堂画面保存年限，至少 5 年', 'Years to keep frames of the room, at least 5')),
  punchPhotoDaysAfterSeal: z
    .int()
    .min(1)
    .max(3650)
    .default(180)
    .meta(words('打卡照片', '封存后打卡照片保存天数', 'Days to keep punch photos after sealing')),
});

export const settingsSchema = z.strictObject({
  site: site.meta(words('培训点', '网关所在的培训点', 'Where the gateway stands')),
  dataDir: file
    .default('/var/lib/rollcall')
    .meta(
      words(
        '数据目录',
        '数据库与密钥目录；相对路径以本文件所在目录为准',
        'Database and keys; a relative path begins at this file',
      ),
    ),
  web: web.default(web.parse({})).meta(words('页面', '本机页面', 'The page of the gateway')),
  upstreams: z
    .array(upstreamSchema)
    .default([])
    .meta(words('上级平台', '接收数据的上级平台', 'City platforms that receive the records')),
  terminals: z
    .array(terminalSchema)
    .default([])
    .meta(words('考勤机', '本教室的考勤机', 'Terminals of this classroom')),
  cameras: z
    .array(z.unknown())
    .default([])
    .meta(words('摄像机', '此版本尚不支持，须为空', 'Not supported by this version; must be empty')),
  policy: z
    .strictObject({
      preset: slug
        .default('baotou-2023')
        .meta(
          words(
            '预设',
            '课时认定办法，见 config/policies/；也可为 policy.dir 中的一层',
            'Credit rules, see config/policies/; may also be a layer of policy.dir',
          ),
        ),
      dir: file
        .optional()
        .meta(
          words(
            '政策层目录',
            '旗县区或班级的政策层，文件名为 名称.yaml，见 docs/policies.md；相对路径以本文件所在目录为准',
            'Policy layers of county and class, named ID.yaml, see docs/policies.md; a relative path begins at this file',
          ),
        ),
      keysFile: file
        .optional()
        .meta(
          words(
            '政策签名公钥',
            '可为政策层签名者的公钥（JWK 集）；缺省则不接受任何政策层',
            'Public keys of those who may sign layers, a JWK set; without it no layer is accepted',
          ),
        ),
      calendarsDir: file
        .optional()
        .meta(
          words(
            '日历目录',
            '补充或更正的节假日安排，文件名为 年份.yaml，优先于 config/calendars/',
            'Holidays added or corrected, named YEAR.yaml; they win over config/calendars/',
          ),
        ),
    })
    .default({ preset: 'baotou-2023' })
    .meta(words('课时认定', '课时认定办法', 'How hours are credited')),
  retention: retention
    .default(retention.parse({}))
    .meta(words('保存期限', '本地保存期限', 'How long things are kept here')),
  exports: z
    .strictObject({
      fonts: z
        .array(file)
        .max(8)
        .default([])
        .meta(
          words(
            '字体',
            'PDF 所用字体文件（绝对路径）；字体集中的某一款写作 文件#PostScript名。缺省自动查找系统中的中文字体',
            'Font files for PDF, absolute paths; one face of a collection as file#PostScriptName. Chinese fonts of the system are found by themselves',
          ),
        ),
    })
    .default({ fonts: [] })
    .meta(words('导出', '考勤表等文件的导出', 'Files that are made for others, such as the attendance table')),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
        .default('info')
        .meta(words('日志级别', '日志级别', 'Least level that is logged')),
    })
    .default({ level: 'info' })
    .meta(words('日志', '运行日志', 'The log of the daemon')),
});

export type SettingsFile = z.infer<typeof settingsSchema>;
export type TerminalEntry = z.infer<typeof terminalSchema>;
export type UpstreamEntry = z.infer<typeof upstreamSchema>;
