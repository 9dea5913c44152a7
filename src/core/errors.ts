/**
 * Every error code of the program, its kind, and what a person does about it.
 *
 * The *kind* is the remedy (architecture, "Errors"): `retry` the world is down, back off and try again for ever;
 * `peer` the other side answered what we cannot accept; `settings` a human must change something; `storage` the
 * disk is full or sick, so terminals keep their own memory; `bug` we broke our own rule.
 * Texts never contain secrets, names, document numbers or faces: `context` is logged.
 */
export type ErrorKind = 'retry' | 'peer' | 'settings' | 'storage' | 'bug';

interface Entry {
  readonly kind: ErrorKind;
  /** What happened, in one sentence; `{key}` is taken from the context. */
  readonly en: string;
  readonly zh: string;
  /** What to do about it. */
  readonly remedyEn: string;
  readonly remedyZh: string;
}

const entry = (kind: ErrorKind, en: string, remedyEn: string, zh: string, remedyZh: string): Entry => ({
  kind,
  en,
  zh,
  remedyEn,
  remedyZh,
});

export const ERRORS = {
  // core
  'bad-hex': entry(
    'settings',
    'Line {line}, column {column} is not hex: {found}.',
    'Write pairs of 0-9 and A-F; white space is ignored and # starts a comment.',
    '第 {line} 行第 {column} 列不是十六进制：{foundZh}。',
    '请使用成对的 0-9、A-F；空白会被忽略，# 之后为注释。',
  ),
  'short-frame': entry(
    'peer',
    'Frame too short at offset {offset}: wanted {wanted} bytes, {left} left ({window}).',
    'Record the line with "rollcall capture" and send the file to the maintainers.',
    '报文过短：偏移 {offset} 处需要 {wanted} 字节，只剩 {left} 字节({window})。',
    '请用 “rollcall capture” 记录线路数据并发给维护人员。',
  ),
  'out-of-range': entry(
    'bug',
    'Value {value} does not fit into {bytes} bytes.',
    'This is a fault of the program; send the log to the maintainers.',
    '数值 {value} 超出 {bytes} 字节的范围。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),
  'unit-ended': entry(
    'bug',
    'Unit {unit} ended by itself.',
    'This is a fault of the program; send the log to the maintainers.',
    '单元 {unit} 自行结束。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),
  unexpected: entry(
    'bug',
    'Unexpected error: {reason}.',
    'This is a fault of the program; send the log to the maintainers.',
    '意外错误：{reason}。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),
  'bad-reach': entry(
    'settings',
    'Reach "{reach}" is not understood: {reason}.',
    'Write for example tcp://192.168.1.201:4370 or serial:///dev/ttyUSB0?baud=115200.',
    '无法理解连接方式 “{reach}”：{reasonZh}。',
    '例如：tcp://192.168.1.201:4370 或 serial:///dev/ttyUSB0?baud=115200。',
  ),

  // links
  'link-refused': entry(
    'retry',
    '{reach} could not be opened: {reason}.',
    'Check power, cable, address and port; the gateway tries again by itself.',
    '无法打开 {reach}：{reasonZh}。',
    '请检查电源、网线、地址和端口；网关会自动重试。',
  ),
  'link-closed': entry(
    'retry',
    'The connection was closed by the other side or the cable was pulled.',
    'Check cable and power; the gateway connects again by itself.',
    '连接被对方关闭，或线缆被拔出。',
    '请检查线缆和电源；网关会自动重连。',
  ),
  'link-silent': entry(
    'retry',
    'No answer within {ms} ms ({waitingFor}).',
    'Check that the terminal is switched on and not busy in its menu; the gateway tries again by itself.',
    '{ms} 毫秒内没有应答({waitingForZh})。',
    '请确认考勤机已开机且未停留在菜单中；网关会自动重试。',
  ),
  'serial-missing': entry(
    'retry',
    'The serial port {path} is not there ({reason}).',
    'Check that the USB adapter is plugged in; "ls -l /dev/serial/by-id" shows the ports. The gateway tries again by itself.',
    '串口 {path} 不存在({reason})。',
    '请检查 USB 转接器是否插好；用 “ls -l /dev/serial/by-id” 查看现有串口。网关会自动重试。',
  ),
  'serial-denied': entry(
    'retry',
    'The serial port {path} may not be used by this account ({reason}).',
    'Add the account to the group dialout ("sudo usermod -aG dialout rollcall") and restart the service.',
    '当前账户无权使用串口 {path}({reason})。',
    '请将账户加入 dialout 组(“sudo usermod -aG dialout rollcall”)，然后重启服务。',
  ),
  'serial-in-use': entry(
    'retry',
    'The serial port {path} is held by another program ({reason}).',
    'Close the other program ("sudo fuser -v {path}" names it); the gateway tries again by itself.',
    '串口 {path} 正被其他程序占用({reason})。',
    '请关闭占用串口的程序（“sudo fuser -v {path}” 可查看）；网关会自动重试。',
  ),
  'line-conflict': entry(
    'settings',
    'Two terminals name the serial line {path} with different parameters: {first} and {second}.',
    'Give every terminal on one line the same baud rate, parity and stop bits.',
    '两台考勤机在同一条串口线路 {path} 上使用了不同参数：{first} 与 {second}。',
    '同一条线路上所有考勤机的波特率、校验位和停止位必须一致。',
  ),
  'capture-failed': entry(
    'retry',
    'The capture file {path} could not be written: {reason}.',
    'Check that the folder exists, may be written and has free space.',
    '无法写入抓包文件 {path}：{reason}。',
    '请检查目录是否存在、是否可写以及剩余空间。',
  ),

  // drivers
  'wrong-protocol': entry(
    'peer',
    'The other side does not speak {driver}; its first bytes are {window}.',
    'Check address, port and the driver chosen for this terminal.',
    '对方使用的不是 {driver} 协议，其首字节为 {window}。',
    '请检查地址、端口以及为该考勤机选择的驱动。',
  ),
  'bad-reply': entry(
    'peer',
    'Answer to {request} cannot be accepted: {reason}.',
    'If it happens again, record the line with "rollcall capture" and send the file to the maintainers.',
    '对 {requestZh} 的应答无法接受：{reasonZh}。',
    '如反复出现，请用 “rollcall capture” 记录线路数据并发给维护人员。',
  ),
  'auth-refused': entry(
    'settings',
    'The terminal refused the password.',
    'Enter the communication password that the terminal shows in its menu (option "commKeyFile" or "authPasswordFile"); the gateway waits ten minutes between tries.',
    '考勤机拒绝了通信密码。',
    '请填写考勤机菜单中的通信密码（选项 “commKeyFile” 或 “authPasswordFile”）；网关每十分钟重试一次。',
  ),
  'user-refused': entry(
    'peer',
    'The terminal did not take a change of its list of people: {reason}.',
    'See the reason; the gateway tries again later and shows the state of each person.',
    '考勤机拒绝修改人员名单：{reasonZh}。',
    '请查看原因；网关稍后会重试，并显示每个人的状态。',
  ),
  'clock-implausible': entry(
    'retry',
    'The clock of this gateway shows {shown}, which cannot be right; terminals that take their time from it get no answer.',
    'Set date and time ("timedatectl") or connect a time server; the terminals keep their records meanwhile.',
    '本网关的时钟显示 {shown}，不可能正确；依赖网关授时的考勤机暂不应答。',
    '请校正日期和时间(“timedatectl”)或接入时间服务器；期间考勤机会保留记录。',
  ),
  'terminal-full': entry(
    'peer',
    'The terminal has no room for another person.',
    'Remove people who have left from the terminal, or use a second terminal for this class.',
    '考勤机人员容量已满。',
    '请删除已离开的人员，或为该班级增加一台考勤机。',
  ),
  'call-replaced': entry(
    'retry',
    'The terminal has called again; its earlier connection was closed.',
    'Nothing to do. If it happens all the time, two terminals may have the same serial number.',
    '考勤机已重新连接，先前的连接已关闭。',
    '无需处理。若反复出现，可能有两台考勤机使用同一序列号。',
  ),
  'certificate-unknown': entry(
    'settings',
    'The terminal shows a certificate that nobody has vouched for, SHA-256 {fingerprint}.',
    'Compare it with the terminal and write it into the reach: https://host:port?fingerprint={fingerprint}.',
    '考勤机的证书未经确认，SHA-256 为 {fingerprint}。',
    '请与考勤机核对后写入连接方式：https://主机:端口?fingerprint={fingerprint}。',
  ),
  'forbidden-request': entry(
    'bug',
    'The request {request} would erase what nobody has read; it is never sent ({window}).',
    'This is a fault of the program; send the log to the maintainers. The terminal was not touched.',
    '请求 {request} 会清除尚未读取的数据，禁止发送({window})。',
    '这是程序缺陷，请把日志发给维护人员；考勤机未受影响。',
  ),
  'bus-address-needed': entry(
    'settings',
    'Two terminals answer on one line (addresses {first} and {second}).',
    'Set the option "address" of this terminal to its own communication number.',
    '同一条线路上有两台考勤机应答（地址 {first} 和 {second}）。',
    '请在该考勤机的选项 “address” 中填写其通信编号。',
  ),
  'wrong-epoch': entry(
    'settings',
    'The terminal counts time from {suggested}, the settings say {configured}: every punch would be a day off.',
    'Set the option "epoch" of this terminal to {suggested}. Its records are kept in its memory until then.',
    '考勤机的计时起点是 {suggested}，而设置为 {configured}：所有打卡会相差一天。',
    '请将该考勤机的选项 “epoch” 改为 {suggested}；在此之前记录保留在考勤机内。',
  ),
  'read-incomplete': entry(
    'peer',
    'The terminal announced {announced} records and {decoded} were read.',
    'The gateway reads again by itself; never clear the terminal.',
    '考勤机声明有 {announced} 条记录，实际读到 {decoded} 条。',
    '网关会自动重读；切勿清空考勤机。',
  ),

  // commands
  'bad-argument': entry(
    'settings',
    'Argument "{argument}" cannot be used: {reason}.',
    'See "rollcall <command> --help".',
    '参数 “{argument}” 无法使用：{reasonZh}。',
    '请查看 “rollcall <命令> --help”。',
  ),
  'file-unreadable': entry(
    'settings',
    'File {file} cannot be read: {reason}.',
    'Check the path and its permissions.',
    '无法读取文件 {file}：{reason}。',
    '请检查路径和权限。',
  ),

  'gateway-away': entry(
    'retry',
    'The gateway does not answer at {url}.',
    'Start it ("systemctl start rollcall") and try again; look at web.listen in the settings.',
    '网关在 {url} 没有应答。',
    '请启动网关（systemctl start rollcall）后重试；并检查设置中的 web.listen。',
  ),
  'log-owner-unknown': entry(
    'settings',
    'It is not certain under which serial number the log of terminal {terminal} belongs: {reason}.',
    'Give the serial number of the terminal that wrote it with --serial; it stands on its plate and in its menu.',
    '无法确定考勤机 {terminal} 的这份记录属于哪个序列号：{reasonZh}。',
    '请用 --serial 给出写出这份记录的考勤机的序列号；见铭牌或“系统信息”菜单。',
  ),
  'not-called': entry(
    'settings',
    'No unclaimed terminal with the serial number {serial} has called the gateway.',
    'Look at "rollcall discover --config FILE" for those that have; check the server address in the menu of the terminal.',
    '没有序列号为 {serial} 的未登记考勤机呼叫过本网关。',
    '请用 “rollcall discover --config 文件” 查看；并检查考勤机菜单中的服务器地址。',
  ),
  'demo-stuck': entry(
    'bug',
    'The demonstration waited in vain for: {what}. {reason}',
    'Run it again with more time; if it happens again, send the output to the maintainers.',
    '演示未能等到：{what}。{reason}',
    '请重新运行；如再次出现，请把输出发给维护人员。',
  ),

  // gateway
  'signing-key-lost': entry(
    'settings',
    'The signing key {path} is gone, although batches were signed with it.',
    'Put it back from the backup. If it is lost for good, run "rollcall keys", register the new key at the platform and restart.',
    '签名密钥 {path} 丢失，而此前的批次由它签名。',
    '请从备份恢复该文件。如确已丢失，请运行 “rollcall keys”，在平台登记新公钥后重启。',
  ),

  // flows
  'other-terminal': entry(
    'settings',
    'Terminal {terminal} should have serial number {expected}, but {found} answers.',
    'Check the address, or enter the new serial number in the settings if the terminal was replaced.',
    '考勤机 {terminal} 的序列号应为 {expected}，但应答的是 {found}。',
    '请检查地址；如已更换考勤机，请在设置中填写新的序列号。',
  ),

  // web
  'port-in-use': entry(
    'settings',
    'Port {port} on {host} is in use by another program.',
    'Stop the other program or choose another port in web.listen.',
    '{host} 的端口 {port} 已被其他程序占用。',
    '请停止该程序，或在 web.listen 中更换端口。',
  ),
  'port-refused': entry(
    'settings',
    'The web page cannot listen on {host}:{port}: {reason}.',
    'Choose an address of this machine and a port above 1023 in web.listen.',
    '网页服务无法监听 {host}:{port}：{reason}。',
    '请在 web.listen 中填写本机地址和大于 1023 的端口。',
  ),
  // zk-standalone
  'terminal-busy': entry(
    'retry',
    'The terminal refused the session ({reason}); another program may be connected to it.',
    'Close other attendance software that uses this terminal; the gateway tries again by itself.',
    '考勤机拒绝建立会话({reason})，可能有其他程序正在连接它。',
    '请关闭正在连接该考勤机的其他考勤软件；网关会自动重试。',
  ),

  // usb-file
  'log-file-unknown': entry(
    'settings',
    'The file is no attendance log that is understood: {reason}.',
    'Take the file as the terminal or its software wrote it (attlog.dat, GLG_001.TXT, AGL_001.TXT, CSV); name its columns with the option "columns".',
    '无法识别该考勤记录文件：{reasonZh}。',
    '请使用考勤机或其软件导出的原始文件（attlog.dat、GLG_001.TXT、AGL_001.TXT、CSV），必要时用选项 “columns” 指定各列。',
  ),

  // store
  'store-locked': entry(
    'settings',
    'Another process uses the data directory {dir}.',
    'Stop the other daemon (systemctl stop rollcall) or choose another dataDir.',
    '数据目录 {dir} 正被另一个进程使用。',
    '请停止另一个守护进程(systemctl stop rollcall)或更换 dataDir。',
  ),
  'store-unwritable': entry(
    'settings',
    'Data directory {dir} cannot be written: {reason}.',
    'Give the service user the directory (chown rollcall {dir}) or choose another dataDir.',
    '数据目录 {dir} 不可写：{reason}。',
    '请把目录授权给服务用户(chown rollcall {dir})或更换 dataDir。',
  ),
  'store-newer': entry(
    'settings',
    'The database has schema {found}; this program knows up to {known}.',
    'Install the newer version of Rollcall again; the database was not touched.',
    '数据库结构版本为 {found}，本程序最高支持 {known}。',
    '请重新安装较新版本的 Rollcall；数据库未被改动。',
  ),
  'store-damaged': entry(
    'storage',
    'The database is damaged or older than its witness: {reason}.',
    'Keep the files as they are, run "rollcall verify {dir}" and call the maintainers; terminals keep their punches.',
    '数据库已损坏或比见证文件更旧：{reason}。',
    '请保留原文件，运行 “rollcall verify {dir}” 并联系维护人员；考勤机会保留打卡记录。',
  ),
  'store-failed': entry(
    'storage',
    'The disk refused a write: {reason}.',
    'Free space on the disk or replace it; punches stay in the terminals until then.',
    '磁盘写入失败：{reason}。',
    '请清理或更换磁盘；在此之前打卡记录保留在考勤机中。',
  ),
  'store-misuse': entry(
    'bug',
    'The store was asked for something that would break its promises: {reason}.',
    'This is a fault of the program; send the log to the maintainers.',
    '对数据库的请求违反其约定：{reason}。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),
  'key-exposed': entry(
    'settings',
    'Key file {path} can be read by others (mode {mode}) and cannot be tightened.',
    'Run "chmod 600 {path}" as its owner; if others could read it, replace the key.',
    '密钥文件 {path} 可被他人读取（权限 {mode}），且无法收紧。',
    '请以所有者身份执行 “chmod 600 {path}”；如曾被他人读取，请更换密钥。',
  ),
  'key-unreadable': entry(
    'settings',
    'Key file {path} is there but does not hold a usable key.',
    'Put the file back from the backup; the gateway never replaces a lost key by itself.',
    '密钥文件 {path} 存在，但其中没有可用的密钥。',
    '请从备份恢复该文件；网关不会自行更换丢失的密钥。',
  ),
  'sealed-unreadable': entry(
    'storage',
    'A protected value at {place} cannot be opened: it was moved, changed, or its key is gone.',
    'Import the roster again; if that does not help, run "rollcall verify" and call the maintainers.',
    '{place} 处的加密内容无法解密：它被移动、被改动，或密钥已不存在。',
    '请重新导入学员名册；如仍无效，请运行 “rollcall verify” 并联系维护人员。',
  ),

  // uplink
  'uplink-unreachable': entry(
    'retry',
    'The broker {broker} cannot be reached: {reason}.',
    'Check network, address, port and firewall; the gateway tries again by itself and keeps collecting.',
    '无法连接消息服务器 {broker}：{reason}。',
    '请检查网络、地址、端口和防火墙；网关会自动重试并继续采集。',
  ),
  'uplink-tls': entry(
    'settings',
    'The TLS connection to {broker} was refused: {reason}.',
    'Check the server name in url, caFile, the certificate and its dates, and the clock of this machine.',
    '与 {broker} 的 TLS 连接被拒绝：{reason}。',
    '请检查 url 中的服务器名、caFile、证书及其有效期，以及本机时钟。',
  ),
  'uplink-files': entry(
    'settings',
    'A file of upstream {upstream} cannot be used: {reason}.',
    'Check the path and that the service user may read it.',
    '上级平台 {upstream} 的文件无法使用：{reason}。',
    '请检查路径以及服务用户是否有读取权限。',
  ),
  'uplink-silent': entry(
    'retry',
    'The broker {broker} accepted the connection and then said nothing for {ms} ms ({waitingFor}).',
    'Check that the port belongs to an MQTT broker and that no proxy holds the connection; the gateway tries again by itself.',
    '消息服务器 {broker} 接受了连接，但 {ms} 毫秒内没有任何应答({waitingFor})。',
    '请确认该端口是 MQTT 服务且没有代理拦截连接；网关会自动重试。',
  ),
  'uplink-busy': entry(
    'retry',
    'The broker {broker} is overloaded: {reason}.',
    'Nothing to do here; the gateway waits at least a minute and tries again.',
    '消息服务器 {broker} 过载：{reason}。',
    '无需操作；网关至少等待一分钟后自动重试。',
  ),
  'uplink-away': entry(
    'retry',
    'The broker {broker} answers but does not serve now: {reason}.',
    'Tell the operator of the platform if it lasts; the gateway tries again by itself.',
    '消息服务器 {broker} 有应答但暂不提供服务：{reason}。',
    '如持续出现请联系平台运维人员；网关会自动重试。',
  ),
  'uplink-version': entry(
    'settings',
    'The broker {broker} does not speak this version of MQTT: {reason}.',
    'Set mqtt.version to auto for this upstream, or ask for a broker with MQTT 5.',
    '消息服务器 {broker} 不支持该 MQTT 版本：{reason}。',
    '请将该上级平台的 mqtt.version 设为 auto，或要求对方提供支持 MQTT 5 的服务器。',
  ),
  'uplink-login': entry(
    'settings',
    'The broker {broker} refused user name or password: {reason}.',
    'Check mqtt.username and mqtt.passwordFile, or enrol the gateway again; it tries again every ten minutes.',
    '消息服务器 {broker} 拒绝了用户名或密码：{reason}。',
    '请检查 mqtt.username 和 mqtt.passwordFile，或重新登记网关；网关每十分钟重试一次。',
  ),
  'uplink-forbidden': entry(
    'settings',
    'The broker {broker} does not allow this gateway: {reason}.',
    'Ask the operator of the platform to admit this gateway id; it tries again every ten minutes.',
    '消息服务器 {broker} 不允许本网关接入：{reason}。',
    '请平台运维人员授权本网关编号；网关每十分钟重试一次。',
  ),
  'uplink-identity': entry(
    'settings',
    'The broker {broker} refused the client id: {reason}.',
    'Check gw of this upstream against the enrolment.',
    '消息服务器 {broker} 拒绝了客户端标识：{reason}。',
    '请将该上级平台的 gw 与登记信息核对。',
  ),
  'uplink-refused': entry(
    'retry',
    'The broker {broker} refused the connection: {reason}.',
    'Tell the operator of the platform this code; the gateway tries again by itself.',
    '消息服务器 {broker} 拒绝连接：{reason}。',
    '请将此代码告知平台运维人员；网关会自动重试。',
  ),
  'uplink-lost': entry(
    'retry',
    'The connection to the broker {broker} was lost: {reason}.',
    'Check the network if it happens often; the gateway connects again by itself.',
    '与消息服务器 {broker} 的连接中断：{reason}。',
    '如频繁出现请检查网络；网关会自动重连。',
  ),
  'uplink-taken-over': entry(
    'settings',
    'Another machine connected to {broker} with the identity of this gateway.',
    'Find the second box or the copied disk and switch it off; this gateway waits ten minutes between tries.',
    '另一台设备使用本网关的身份连接了 {broker}。',
    '请找到第二台设备或被复制的磁盘并将其停用；本网关每十分钟重试一次。',
  ),
  'uplink-flapping': entry(
    'retry',
    'The broker closed the connection {times} times shortly after accepting it.',
    'Look for a second box or a copied disk with the identity of this gateway; else the network is bad. The gateway connects again by itself.',
    '消息服务器已连续 {times} 次在接受连接后不久将其关闭。',
    '请检查是否有第二台设备或被复制的磁盘使用了本网关身份；否则为网络质量问题。网关会自动重连。',
  ),
  'uplink-subscribe-refused': entry(
    'settings',
    'The broker {broker} refused the subscription to {topic}: {reason}.',
    'Ask the operator of the platform to allow this gateway to read its down topics and plat/state.',
    '消息服务器 {broker} 拒绝订阅 {topic}：{reason}。',
    '请平台运维人员允许本网关读取其 down 主题和 plat/state。',
  ),
  'uplink-publish-refused': entry(
    'settings',
    'The broker {broker} refused a message on {topic}: {reason}.',
    'Ask the operator of the platform to allow this gateway to write under its own topics; a hello is tried every ten minutes.',
    '消息服务器 {broker} 拒绝了 {topic} 上的消息：{reason}。',
    '请平台运维人员允许本网关写入自己的主题；网关每十分钟试发一次 hello。',
  ),
  'uplink-oversize': entry(
    'settings',
    'Batch {seq} needs a packet of {bytes} bytes; the broker takes at most {bytesMax}.',
    'Ask the operator of the platform to raise the maximum packet size of the broker to 262144; nothing is lost.',
    '批次 {seq} 需要 {bytes} 字节的报文，消息服务器最多接受 {bytesMax} 字节。',
    '请平台运维人员将服务器最大报文长度提高到 262144；数据不会丢失。',
  ),
  'uplink-flooded': entry(
    'peer',
    'The broker {broker} sent more than can be taken.',
    'Tell the operator of the platform; the gateway connects again by itself.',
    '消息服务器 {broker} 发送的数据超出接收能力。',
    '请联系平台运维人员；网关会自动重连。',
  ),
  'uplink-offline': entry(
    'retry',
    'Upstream {upstream} is not connected.',
    'Wait for the connection; the state of the upstream says what is wrong.',
    '上级平台 {upstream} 未连接。',
    '请等待连接恢复；该上级平台的状态会说明原因。',
  ),
  'uplink-unanswered': entry(
    'peer',
    'The broker takes our messages, but no answer of the platform arrives.',
    'Either the platform is not running or the broker does not deliver: ask its operator about the receiver and about the right of this gateway to read its down topics.',
    '消息服务器接收了消息，但收不到平台的任何应答。',
    '可能是平台未运行，或服务器未投递：请平台运维人员检查接收程序以及本网关读取 down 主题的权限。',
  ),
  'uplink-unacknowledged': entry(
    'peer',
    'Batch {seq} was sent {times} times and taken by the broker, but the platform has not acknowledged it.',
    'Ask the operator of the platform whether its receiver is running; the batch stays here until it is acknowledged.',
    '批次 {seq} 已发送 {times} 次且被服务器接收，但平台未确认。',
    '请询问平台运维人员接收程序是否正常；未确认的批次会一直保留在本机。',
  ),
  'platform-rej-sig': entry(
    'settings',
    'The platform says that the signature of batch {seq} is wrong.',
    'Call the maintainers; sending has stopped, collecting goes on. Never delete the data directory.',
    '平台认为批次 {seq} 的签名不正确。',
    '请联系维护人员；已停止上传，采集继续。切勿删除数据目录。',
  ),
  'platform-rej-key': entry(
    'settings',
    'The platform does not know the signing key of this gateway or has revoked it (batch {seq}).',
    'Enrol the gateway again; sending has stopped, collecting goes on.',
    '平台不认识或已吊销本网关的签名密钥（批次 {seq}）。',
    '请重新登记网关；已停止上传，采集继续。',
  ),
  'platform-rej-epoch': entry(
    'settings',
    'The platform has not accepted this numbering of batches yet (batch {seq}).',
    'Ask the operator of the platform to confirm the new or restored gateway; collecting goes on.',
    '平台尚未接受新的批次编号（批次 {seq}）。',
    '请平台运维人员确认新装或恢复的网关；采集继续。',
  ),
  'platform-fork': entry(
    'settings',
    'Platform and gateway hold different contents for the same number (batch {seq}).',
    'Look for a cloned gateway or a restored disk and call the maintainers; sending has stopped, collecting goes on.',
    '平台与网关在同一编号下内容不同（批次 {seq}）。',
    '请查找被克隆的网关或被恢复的磁盘并联系维护人员；已停止上传，采集继续。',
  ),
  'platform-rej-chain': entry(
    'settings',
    'The platform says that batch {seq} does not follow the one before it.',
    'Call the maintainers; sending has stopped, collecting goes on.',
    '平台认为批次 {seq} 与前一批次不相接。',
    '请联系维护人员；已停止上传，采集继续。',
  ),
  'platform-rej-big': entry(
    'settings',
    'Batch {seq} is too large for the platform.',
    'Ask the operator of the platform to accept batches of 131072 bytes; collecting goes on.',
    '批次 {seq} 超出平台的大小限制。',
    '请平台运维人员允许 131072 字节的批次；采集继续。',
  ),
  'platform-rej-other': entry(
    'settings',
    'The platform refused batch {seq} with code {code}.',
    'Tell the operator of the platform this code; sending has stopped, collecting goes on.',
    '平台拒绝了批次 {seq}，代码 {code}。',
    '请将此代码告知平台运维人员；已停止上传，采集继续。',
  ),
  'platform-keys-bad': entry(
    'settings',
    'The key set of the platform cannot be used: {reason}.',
    'Install the key set that the platform issues (platformKeysFile), and its root key if the set is signed.',
    '平台密钥集无法使用：{reason}。',
    '请安装平台签发的密钥集(platformKeysFile)；若密钥集带签名，还需安装根密钥。',
  ),
  'batch-invalid': entry(
    'bug',
    'A batch cannot be sealed: {reason}.',
    'This is a fault of the program; send the log to the maintainers. Nothing is lost, the records wait in the journal.',
    '无法封装批次：{reason}。',
    '这是程序缺陷，请把日志发给维护人员。记录仍在日志中，没有丢失。',
  ),
  'jws-too-big': entry(
    'peer',
    'A {typ} message has {bytes} bytes; at most {bytesMax} are accepted.',
    'The message was ignored; if it happens again, tell the operator of the platform.',
    '{typ} 报文有 {bytes} 字节，最多接受 {bytesMax} 字节。',
    '该报文已忽略；如反复出现，请联系平台运维人员。',
  ),
  'jws-malformed': entry(
    'peer',
    'A {typ} message is not a signed message: {reason}.',
    'The message was ignored; if it happens again, tell the operator of the platform.',
    '{typ} 报文不是有效的签名报文：{reason}。',
    '该报文已忽略；如反复出现，请联系平台运维人员。',
  ),
  'jws-header': entry(
    'peer',
    'The header of a {typ} message is not allowed: {reason}.',
    'The message was ignored; if it happens again, tell the operator of the platform.',
    '{typ} 报文的头部不被允许：{reason}。',
    '该报文已忽略；如反复出现，请联系平台运维人员。',
  ),
  'jws-key-unknown': entry(
    'peer',
    'A {typ} message was signed by key {kid}, which is not registered for this use.',
    'Install the present key set of the platform (platformKeysFile), or enrol the gateway again.',
    '{typ} 报文由密钥 {kid} 签名，而该密钥未登记用于此用途。',
    '请安装平台当前的密钥集(platformKeysFile)，或重新登记网关。',
  ),
  'jws-signature': entry(
    'peer',
    'The signature of a {typ} message by key {kid} is wrong.',
    'Somebody changed the message on its way; tell the operator of the platform and keep the log.',
    '密钥 {kid} 的 {typ} 报文签名不正确。',
    '报文在途中被改动；请联系平台运维人员并保留日志。',
  ),
  'jws-key-bad': entry(
    'settings',
    'A key cannot be used: {reason}.',
    'Give an Ed25519 key: PKCS#8 PEM for the private key, a JWK for a public one.',
    '密钥无法使用：{reason}。',
    '请提供 Ed25519 密钥：私钥用 PKCS#8 PEM，公钥用 JWK。',
  ),
  'payload-unreadable': entry(
    'peer',
    'The content of {what} cannot be read: {reason}.',
    'The message was ignored; check that gateway and platform speak the same protocol version.',
    '无法读取 {what} 的内容：{reason}。',
    '该报文已忽略；请检查网关与平台的协议版本是否一致。',
  ),
  'payload-too-big': entry(
    'peer',
    'The content of {what} inflates to more than {bytesMax} bytes.',
    'The message was refused unread; somebody may be trying to exhaust memory.',
    '{what} 的内容解压后超过 {bytesMax} 字节。',
    '该报文未经解析即被拒绝；可能有人企图耗尽内存。',
  ),

  // settings and definitions
  'settings-unreadable': entry(
    'settings',
    'File {file} cannot be read: {reason}.',
    'Check the path and that the service user may read it.',
    '无法读取文件 {file}：{reason}。',
    '请检查路径以及服务用户是否有读取权限。',
  ),
  'yaml-syntax': entry(
    'settings',
    'This is not YAML as we read it: {reason}.',
    'Mend the line; indent with spaces and write "key: value".',
    'YAML 格式有误：{reasonZh}。',
    '请修正该行；用空格缩进，按 “键： 值” 书写。',
  ),
  'key-twice': entry(
    'settings',
    'This key stands twice in the same group.',
    'Delete one of the two.',
    '同一组中该键出现了两次。',
    '请删除其中一个。',
  ),
  'key-unknown': entry(
    'settings',
    'Key "{word}" is not known here.',
    '{suggestion}',
    '此处没有名为 “{word}” 的键。',
    '{suggestionZh}',
  ),
  'key-missing': entry(
    'settings',
    'Key "{at}" is missing.',
    'Add it; config/README.md explains every key.',
    '缺少键 “{at}”。',
    '请补上；每个键的说明见 config/README.md。',
  ),
  'wrong-type': entry(
    'settings',
    '"{at}" must be {expected}, and is {found}.',
    'Correct it; numbers that are meant as text need quotes.',
    '“{at}” 应为{expectedZh}，实际为{foundZh}。',
    '请改正；要当作文本的数字需加引号。',
  ),
  'wrong-value': entry(
    'settings',
    '"{at}" is not allowed as written: {reason}.',
    'Correct the value; config/README.md explains every key.',
    '“{at}” 的取值不允许：{reasonZh}。',
    '请改正取值；每个键的说明见 config/README.md。',
  ),
  'not-one-of': entry(
    'settings',
    '"{at}" is "{found}", which is not known.',
    '{suggestion}',
    '“{at}” 的值 “{found}” 无法识别。',
    '{suggestionZh}',
  ),
  'given-twice': entry(
    'settings',
    '"{at}" repeats "{found}", which line {other} already has.',
    'Give each one its own.',
    '“{at}” 与第 {other} 行重复：“{found}”。',
    '请为每一项使用不同的值。',
  ),
  'reach-twice': entry(
    'settings',
    'Terminal "{other}" is already reached at {reach}.',
    'One address is one terminal: correct the address or delete one of the two.',
    '{reach} 已由考勤机 “{other}” 使用。',
    '一个地址对应一台考勤机：请改正地址或删除其中一项。',
  ),
  'reach-unfit': entry(
    'settings',
    'The driver {driver} does not work over {found}.',
    'Use one of {expected}.',
    '驱动 {driver} 不支持 {found}。',
    '可用的连接方式：{expected}。',
  ),
  'serial-needed': entry(
    'settings',
    'A terminal that calls the gateway must be named by its serial number; the key "serial" is missing.',
    'Write the serial number from the plate or the menu in quotes, or adopt the terminal when it has called ("rollcall discover").',
    '由考勤机呼叫网关时必须写明序列号：缺少 “serial”。',
    '请填写铭牌或菜单中的序列号（加引号），或在考勤机呼叫后用 “rollcall discover” 登记。',
  ),
  'serial-twice': entry(
    'settings',
    'The terminal {other} has the same serial number.',
    'Every terminal stands in the settings once; correct one of the numbers.',
    '考勤机 {other} 使用了相同的序列号。',
    '每台考勤机只能登记一次，请更正其中一个序列号。',
  ),
  'line-mismatch': entry(
    'settings',
    'Terminal "{other}" uses the same serial line with other parameters ({reach}).',
    'All terminals on one line need the same baud rate, parity and bits.',
    '考勤机 “{other}” 在同一串口上使用了不同的参数({reach})。',
    '同一串口上的考勤机必须使用相同的波特率、校验位和数据位。',
  ),
  'model-or-driver': entry(
    'settings',
    'Give either "model" or "driver", not {found}.',
    'Name a model from devices/, or a driver when no definition fits.',
    '“model” 与 “driver” 须二选一，现为{foundZh}。',
    '请填写 devices/ 中的型号；没有合适的定义时再填写驱动。',
  ),
  'secret-missing': entry(
    'settings',
    'The file named by "{at}" cannot be read: {reason}.',
    'Create the file with the secret in it, mode 0600, readable by the service user.',
    '“{at}” 指定的文件无法读取：{reason}。',
    '请创建该文件并写入密码，权限 0600，服务用户可读。',
  ),
  'secret-plain': entry(
    'settings',
    '"{at}" would put a secret into the settings.',
    'Write the secret into a file of mode 0600 and name it with "{at}File".',
    '“{at}” 会把密码写进配置文件。',
    '请把密码写入权限为 0600 的文件，并用 “{at}File” 指定。',
  ),
  'secret-open': entry(
    'settings',
    'The file named by "{at}" can be read by every user of this machine.',
    'Run chmod 600 {file}.',
    '“{at}” 指定的文件可被本机所有用户读取。',
    '请执行 chmod 600 {file}。',
  ),
  'plain-mqtt': entry(
    'settings',
    '"{at}" sends records without encryption to another machine.',
    'Use mqtts:// with the certificate of the platform.',
    '“{at}” 会以明文向另一台机器发送记录。',
    '请使用 mqtts:// 和平台提供的证书。',
  ),
  'cameras-later': entry(
    'settings',
    'Cameras are not supported by this version.',
    'Leave "cameras" out or write "cameras: []".',
    '此版本尚不支持摄像机。',
    '请删除 “cameras” 或写成 “cameras: []”。',
  ),
  'definition-twice': entry(
    'settings',
    'Definition "{found}" is already in {other}.',
    'Give each definition its own id.',
    '型号定义 “{found}” 已存在于 {other}。',
    '请为每个定义使用不同的 id。',
  ),
  'definition-disabled': entry(
    'settings',
    'Definition "{found}" has faults of its own and is disabled: {place}: {why}',
    'Mend the definition, then read the settings again (systemctl reload rollcall).',
    '型号定义 “{found}” 自身有误，已停用：{place}：{whyZh}',
    '请修正该定义，再重新读取设置(systemctl reload rollcall)。',
  ),

  // rules
  'bad-policy': entry(
    'settings',
    'Policy {policy} cannot be used, key "{key}": {reason}',
    'Correct the policy file; config/policies/baotou-2023.yaml explains every key.',
    '政策文件 {policy} 不可用，键 “{key}”：{reasonZh}',
    '请改正政策文件；每个键的说明见 config/policies/baotou-2023.yaml。',
  ),
  'unknown-preset': entry(
    'settings',
    'There is no policy named "{name}" in {dir}; known: {known}.',
    'Write one of the known names{nearest}, or put the file into that directory.',
    '{dir} 中没有名为 “{name}” 的政策；已有：{known}。',
    '请填写已有的名称{nearestZh}，或把文件放入该目录。',
  ),
  // policies and their layers
  'policy-not-in-force': entry(
    'settings',
    'Policy {policy} is in force {period}, and the class begins on {date}.',
    'Choose a policy that is in force on the first class day; "rollcall policy show" lists them with their dates.',
    '政策 {policy} 的有效期为{periodZh}，而班级于 {date} 开始。',
    '请选用首个上课日有效的政策；“rollcall policy show” 列出全部政策及其日期。',
  ),
  'policy-unsigned': entry(
    'settings',
    'Policy layer {policy} cannot be used by a class: {reason}.',
    'Have the office that issues it sign it with "rollcall policy sign {policy}.yaml --key KEY.pem", and list its public key in policy.keysFile.',
    '政策层 {policy} 不能用于班级：{reasonZh}。',
    '请由发布单位用 “rollcall policy sign {policy}.yaml --key KEY.pem” 签名，并把其公钥列入 policy.keysFile。',
  ),
  'policy-chain': entry(
    'settings',
    'The layers of policy {policy} cannot be followed: {reason}.',
    'Let each layer extend another one, down to a complete policy, in at most 4 files.',
    '政策 {policy} 的各层无法合成：{reasonZh}。',
    '请使每层扩展另一层，最终到一份完整的政策，总共不超过 4 个文件。',
  ),
  'policy-keys-bad': entry(
    'settings',
    'The keys that may sign policies cannot be read from {file}: {reason}.',
    'Write a JWK set of Ed25519 public keys, {form}; docs/policies.md shows how to make one.',
    '无法从 {file} 读取政策签名公钥：{reasonZh}。',
    '请写入 Ed25519 公钥的 JWK 集 {form}；做法见 docs/policies.md。',
  ),
  'policy-key-bad': entry(
    'settings',
    'The file {file} holds no Ed25519 private key in PEM form.',
    'Make one with: openssl genpkey -algorithm ed25519 -out KEY.pem',
    '文件 {file} 中没有 PEM 形式的 Ed25519 私钥。',
    '可用以下命令生成：openssl genpkey -algorithm ed25519 -out KEY.pem',
  ),
  'policy-unreadable': entry(
    'settings',
    'The policy file cannot be read: {reason}.',
    'Check its name, its permissions, and that it is UTF-8 text.',
    '无法读取政策文件：{reason}。',
    '请检查文件名和权限，并确认是 UTF-8 文本。',
  ),
  'policy-no-class': entry(
    'settings',
    'There is no class {classNo} with a policy of its own; known: {known}.',
    'Write the number of an activated class; a draft takes its policy when it is activated.',
    '没有已启用的班级 {classNo}；已有：{known}。',
    '请填写已启用班级的编号；草稿在启用时才确定政策。',
  ),
  'policy-unknown': entry(
    'settings',
    'There is no policy "{name}"; known: {known}.',
    'Write a known name{nearest}, a file, or the beginning of a SHA-256 that a class uses (with --config).',
    '没有政策 “{name}”；已有：{known}。',
    '请填写已有的名称{nearestZh}、文件名，或班级所用政策 SHA-256 的开头(须带 --config)。',
  ),
  'calendar-bad': entry(
    'settings',
    'The calendar {file} cannot be used: {reason}',
    'Correct the file; config/calendars/2026.yaml shows its form.',
    '日历文件 {file} 不可用：{reasonZh}',
    '请改正该文件；形式见 config/calendars/2026.yaml。',
  ),
  'bad-timetable': entry(
    'settings',
    'The timetable of class {classNo} on {date} is rejected: {reason}.',
    'Correct the session times or the number of lessons, or the lesson length of the policy.',
    '班级 {classNo} {date} 的课程表不可用：{reasonZh}。',
    '请改正上下课时间或课时数，或政策中的每课时长度。',
  ),
  'bad-case': entry(
    'settings',
    'Case {id} in {file}, at "{path}": {reason}',
    'Correct the file; test/golden/README.md explains the format.',
    '文件 {file} 中的算例 {id}，“{path}” 处：{reasonZh}',
    '请改正该文件；格式说明见 test/golden/README.md。',
  ),
  // platform
  'platform-config': entry(
    'settings',
    'Platform settings in {file}: {reason}',
    'Correct the file; the platform starts only with settings that are right.',
    '平台配置 {file} 有误：{reason}',
    '请改正该文件；配置无误后平台才会启动。',
  ),
  'platform-broker': entry(
    'retry',
    'The platform cannot use the broker {url}: {reason}.',
    'Check address, account and access list of the broker; the platform tries again by itself.',
    '平台无法使用消息服务器 {url}：{reason}。',
    '请检查消息服务器的地址、账号和访问规则；平台会自动重试。',
  ),
  'platform-silent': entry(
    'retry',
    'Gateway {gw} did not answer "{method}" within {ms} ms.',
    'Check that the gateway is online; ask again.',
    '网关 {gw} 在 {ms} 毫秒内没有回答 “{method}”。',
    '请确认网关在线后重试。',
  ),

  // classes
  'class-row': entry(
    'settings',
    'Row {row} of {list}, {field}: {reason}.',
    'Correct the row; config/class.example.yaml shows the form.',
    '{list} 第 {row} 行，{field}：{reasonZh}。',
    '请改正该行；格式见 config/class.example.yaml。',
  ),
  'class-value': entry(
    'settings',
    '"{at}": {reason}.',
    'Correct it; config/class.example.yaml shows the form.',
    '“{at}”:{reasonZh}。',
    '请改正；格式见 config/class.example.yaml。',
  ),
  'class-file-invalid': entry(
    'settings',
    'Class file {file} has {faults} faults, the first in line {line} ({path}).',
    'Correct them all; nothing was imported.',
    '班级文件 {file} 有 {faults} 处错误，第一处在第 {line} 行({path})。',
    '请全部改正；未导入任何内容。',
  ),
  'class-file-unreadable': entry(
    'settings',
    'Class file {file} cannot be read: {reason}.',
    'Check the path; the file must be text in UTF-8.',
    '无法读取班级文件 {file}：{reason}。',
    '请检查路径；文件应为 UTF-8 文本。',
  ),
  'class-no-policy': entry(
    'settings',
    'Class {classNo} asks for policy {policy}, which does not exist.',
    'Write the name of a file of config/policies, or leave the key out for the policy of the site.',
    '班级 {classNo} 指定的策略 {policy} 不存在。',
    '请填写 config/policies 中的名称，或省略该键以使用站点策略。',
  ),
  'class-policy-pinned': entry(
    'settings',
    'Class {classNo} was activated with policy {pinned} and cannot change to {asked}.',
    'Leave the key policy out: a class keeps its policy to the end.',
    '班级 {classNo} 启用时的策略为 {pinned}，不能改为 {asked}。',
    '请删除 policy 键：班级自始至终使用同一策略。',
  ),
  'class-identity-locked': entry(
    'settings',
    'The file changes name or document of {count} trainees of class {classNo} ({traineeNo}) without an approved correction.',
    'Add an entry under corrections with reason, requestedBy and another person in approvedBy, or undo the change.',
    '文件更改了班级 {classNo} 中 {count} 名学员的姓名或证件({traineeNo})，但没有经批准的更正。',
    '请在 corrections 下写明原因、申请人和另一名批准人，或撤销更改。',
  ),
  'class-conflict': entry(
    'settings',
    'Class {classNo} and class {other} use device user id {deviceUserId} for different people on terminal {terminal}.',
    'Give one of them another deviceUserId, or end one assignment of the terminal before the other begins.',
    '班级 {classNo} 与班级 {other} 在考勤机 {terminal} 上把机内编号 {deviceUserId} 用于不同的人。',
    '请更换其中一人的机内编号，或让两个班级使用该考勤机的日期错开。',
  ),
  // classes: drafts, changes, sealing
  'class-unknown': entry(
    'settings',
    'There is no class and no draft with the number {classNo}.',
    'Look it up with "rollcall class list".',
    '没有编号为 {classNo} 的班级或草稿。',
    '请用 “rollcall class list” 查看。',
  ),
  'class-already-active': entry(
    'settings',
    'Class {classNo} is active already.',
    'Nothing is to be done; changes are imported with "rollcall import class", "import roster" or "import timetable".',
    '班级 {classNo} 已经启用。',
    '无需再次启用；如需更改，请用 “rollcall import class”、“import roster” 或 “import timetable” 导入。',
  ),
  'class-not-ready': entry(
    'settings',
    'Class {classNo} cannot be activated; missing: {missing}.',
    'Import what is missing, then activate; "rollcall class show {classNo}" explains each item.',
    '班级 {classNo} 尚不能启用，还缺：{missing}。',
    '请补齐后再启用；“rollcall class show {classNo}” 会逐项说明。',
  ),
  'class-change-unexplained': entry(
    'settings',
    'The timetable of class {classNo} is active and would change ({dates}), but nobody gives a reason.',
    'Give the reason and who changes it: --reason and --by, or the key change with reason and by in the class file.',
    '班级 {classNo} 的课程表已启用，将发生更改({dates})，但没有说明原因。',
    '请写明原因和更改人：使用 --reason 和 --by，或在班级文件中填写 change(reason、by)。',
  ),
  'class-past-date': entry(
    'settings',
    'The file changes past dates of class {classNo}: {dates}.',
    'Leave past dates as they are; a remark is added with "rollcall class note".',
    '文件更改了班级 {classNo} 已过去的日期：{dates}。',
    '已过去的日期不能更改；请用 “rollcall class note” 加注说明。',
  ),
  'class-number-locked': entry(
    'settings',
    'The file changes regionalClassNo of class {classNo}, which is filled in already.',
    'Leave the number as it is; a wrong one is corrected with the key change, with reason, by and another person in approvedBy.',
    '文件更改了班级 {classNo} 已填写的 regionalClassNo。',
    '请保持原编号；编号有误时，请在 change 中写明 reason、by 和另一名批准人 approvedBy。',
  ),
  'class-same-person': entry(
    'settings',
    'Who asks and who approves must be two people.',
    'Name another person as the one who approves.',
    '申请人与批准人不能是同一人。',
    '请由另一人批准。',
  ),
  'class-sealed': entry(
    'settings',
    'Class {classNo} is sealed; nothing of it changes any more.',
    'Leave it; what comes later is kept and flagged AFTER_SEAL.',
    '班级 {classNo} 已封存，不再接受任何更改。',
    '无需处理；之后到达的数据会保留并标为 AFTER_SEAL。',
  ),
  'class-not-ended': entry(
    'settings',
    'Class {classNo} cannot be sealed: its state is {state}, and its last day is {to}.',
    'Seal it after its last day.',
    '班级 {classNo} 尚不能封存：当前状态为 {state}，结束日期为 {to}。',
    '请在结束日期之后封存。',
  ),
  'class-not-settled': entry(
    'settings',
    'Class {classNo} cannot be sealed yet: {count} results are not settled ({days}).',
    'Let the gateway run until the days are final, at the latest the evening after; then seal again.',
    '班级 {classNo} 尚不能封存：还有 {count} 个结果未定({days})。',
    '请让网关继续运行，最迟到次日日结时即为最终结果，然后再封存。',
  ),
  'class-requests-open': entry(
    'settings',
    'Class {classNo} cannot be sealed: {count} requests are not decided ({requests}).',
    'Approve, reject or withdraw them, then seal again.',
    '班级 {classNo} 尚不能封存：还有 {count} 个申请未决定({requests})。',
    '请批准、驳回或撤回这些申请后再封存。',
  ),
  // sheets and exports
  'names-sealed': entry(
    'settings',
    'Names of class {classNo} are sealed, and their key is not within reach here.',
    'Run the command as the user of the service, where keys/kek can be read, or with its credential.',
    '班级 {classNo} 的姓名已加密，此处没有密钥。',
    '请以服务用户的身份运行该命令（可读取 keys/kek），或提供其凭据。',
  ),
  'export-no-regional-number': entry(
    'settings',
    'Class {classNo} has no number of the regional system yet.',
    'Leave out --by regional, or import the class again with its regionalClassNo.',
    '班级 {classNo} 尚无自治区系统编号。',
    '请去掉 --by regional，或在班级文件中补填 regionalClassNo 后重新导入。',
  ),
  'export-no-days': entry(
    'settings',
    'Class {classNo} has no class day in that range.',
    'Look at its timetable and give other dates with --from and --to.',
    '班级 {classNo} 在该日期范围内没有上课日。',
    '请核对课程表，并用 --from、--to 给出其他日期。',
  ),
  'export-file-exists': entry(
    'settings',
    'The file {file} is there already.',
    'Give another name with --out, or --force to replace it.',
    '文件 {file} 已存在。',
    '请用 --out 指定其他名称，或加 --force 覆盖。',
  ),
  'export-file-failed': entry(
    'storage',
    'The file {file} cannot be written: {reason}.',
    'Look at the directory, its owner and the free space.',
    '无法写入文件 {file}：{reason}。',
    '请检查目录、权限和剩余空间。',
  ),
  'export-nothing': entry(
    'settings',
    'Nothing was ever stored in {dir}.',
    'Look at dataDir in the settings, and import a class first.',
    '{dir} 中尚无任何数据。',
    '请核对设置中的 dataDir，并先导入班级。',
  ),
  'sheet-refused': entry(
    'bug',
    'A workbook cannot be written: {reason}.',
    'This is a fault of the program; send the log to the maintainers.',
    '无法写出工作簿：{reason}。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),

  // sheets
  'sheet-unreadable': entry(
    'settings',
    'The table file {file} cannot be read: {reason}.',
    'Check the path and that the account may read the file.',
    '无法读取表格文件 {file}：{reasonZh}。',
    '请检查路径以及读取权限。',
  ),
  'sheet-too-big': entry(
    'settings',
    'The file has {bytes} bytes; at most {max} are read.',
    'Copy the table alone into a new workbook and save that.',
    '文件大小为 {bytes} 字节，最多读取 {max} 字节。',
    '请只把该表格复制到新工作簿后另存。',
  ),
  'sheet-empty': entry(
    'settings',
    'The table is empty ({place}).',
    'Save the workbook again with the rows in it, or name the right sheet with --sheet.',
    '表格为空({placeZh})。',
    '请填写后重新保存，或用 --sheet 指定正确的工作表。',
  ),
  'sheet-foreign': entry(
    'settings',
    'This is not a table that can be read: {what}.',
    'Open it in a spreadsheet program and save it as .xlsx or as CSV (UTF-8).',
    '无法作为表格读取：{whatZh}。',
    '请用表格软件打开后另存为 .xlsx 或 CSV(UTF-8)。',
  ),
  'sheet-encrypted': entry(
    'settings',
    'The file is protected with a password ({place}).',
    'Open it with the password, remove the password (File, Info, Protect) and save it as .xlsx.',
    '文件设有打开密码({placeZh})。',
    '请用密码打开，取消密码保护后另存为 .xlsx。',
  ),
  'sheet-broken': entry(
    'settings',
    'The file is damaged ({place}): {reason}.',
    'Get the file again; or open it in a spreadsheet program and save it as .xlsx.',
    '文件已损坏({placeZh})：{reasonZh}。',
    '请重新获取该文件；或用表格软件打开后另存为 .xlsx。',
  ),
  'sheet-bomb': entry(
    'settings',
    'The file unpacks to far more than a table of this kind can hold ({place}): {reason}.',
    'Copy the table alone into a new workbook and save that; do not open a file from an unknown sender.',
    '文件解压后远超正常表格的大小({placeZh})：{reasonZh}。',
    '请只把该表格复制到新工作簿后另存；来源不明的文件请勿打开。',
  ),
  'sheet-heavy': entry(
    'settings',
    'Reading the file needs more {what} than it is given ({limit}).',
    'Copy the table alone into a new workbook and save that.',
    '读取该文件所需的{whatZh}超过限额({limit})。',
    '请只把该表格复制到新工作簿后另存。',
  ),
  'sheet-declarations': entry(
    'settings',
    'The workbook declares document types or entities ({place}), which no spreadsheet program writes.',
    'Open it in a spreadsheet program and save it as .xlsx; do not use a file from an unknown sender.',
    '工作簿中含有文档类型或实体声明({placeZh})，正常表格软件不会写入这些内容。',
    '请用表格软件打开后另存为 .xlsx；来源不明的文件请勿使用。',
  ),
  'sheet-far-cell': entry(
    'settings',
    'Cell {cell} of {sheet} holds something; only rows 1 to {rows} and {columns} columns are read.',
    'Delete what stands there, or copy the table alone into a new workbook.',
    '{sheetZh}的单元格 {cell} 有内容；只读取前 {rows} 行、{columns} 列。',
    '请删除该处内容，或只把该表格复制到新工作簿。',
  ),
  'sheet-long-cell': entry(
    'settings',
    'Cell {cell} of {sheet} holds more than {max} characters.',
    'Shorten the text, or delete the column when it is not needed.',
    '{sheetZh}的单元格 {cell} 超过 {max} 个字符。',
    '请缩短文字；若该列不需要，请删除。',
  ),
  'sheet-hidden': entry(
    'settings',
    '{sheet} has hidden {what}: {which}.',
    'Show them (select all, Unhide; clear the filter), check what they hold, and save again.',
    '{sheetZh}中有隐藏的{whatZh}：{which}。',
    '请取消隐藏(全选后取消隐藏，并清除筛选)，核对内容后重新保存。',
  ),
  'sheet-choice': entry(
    'settings',
    'The workbook has several sheets: {sheets}.',
    'Name the one to read with --sheet NAME, or delete the others.',
    '工作簿中有多个工作表：{sheets}。',
    '请用 --sheet 名称 指定要读取的工作表，或删除其余工作表。',
  ),
  'sheet-unknown': entry(
    'settings',
    'There is no visible sheet named "{sheet}"; visible: {sheets}.',
    'Write the name exactly as on the tab; a hidden sheet must be shown first.',
    '没有名为 “{sheet}” 的可见工作表；现有：{sheets}。',
    '请填写与工作表标签一致的名称；隐藏的工作表须先取消隐藏。',
  ),
  'sheet-characters': entry(
    'settings',
    '{place} holds characters that are no text ({what}).',
    'Delete the cell and enter its text again.',
    '{placeZh} 含有不是文字的字符({whatZh})。',
    '请清空该单元格后重新录入。',
  ),
  'sheet-encoding': entry(
    'settings',
    'The text encoding of the file cannot be told ({place}): {reason}.',
    'Open it in a spreadsheet program, check the names, and save it as .xlsx or as "CSV UTF-8".',
    '无法确定文件的文字编码({placeZh})：{reasonZh}。',
    '请用表格软件打开，核对姓名后另存为 .xlsx 或 “CSV UTF-8”。',
  ),
  'sheet-quotes': entry(
    'settings',
    'The CSV file cannot be cut into cells near line {line}: {reason}.',
    'Check the quotation marks there, or save the table as .xlsx.',
    'CSV 文件在第 {line} 行附近无法分列：{reasonZh}。',
    '请检查该处的引号，或把表格另存为 .xlsx。',
  ),
  'sheet-header-missing': entry(
    'settings',
    'No header row was found in the first {rows} rows; wanted: {wanted}.',
    'Write the names of the columns into one row above the data, one name a cell.',
    '前 {rows} 行中没有找到表头；需要的列：{wantedZh}。',
    '请在数据上方用一行写明各列名称，每个单元格一个名称。',
  ),
  'sheet-column-missing': entry(
    'settings',
    'There is no column for {wanted}; found: {found}.',
    'Add the column, or say which one it is with --map {key}=LETTER or --map {key}=HEADER{nearest}.',
    '缺少 “{wantedZh}” 列；已有：{found}。',
    '请补上该列，或用 --map {key}=列字母 或 --map {key}=列名 指定{nearestZh}。',
  ),
  'sheet-column-twice': entry(
    'settings',
    'Two columns mean {wanted}: {first} and {second}.',
    'Delete one of them, or say which one is meant with --map {key}=LETTER.',
    '有两列都表示 “{wantedZh}”：{first} 列和 {second} 列。',
    '请删除其中一列，或用 --map {key}=列字母 指定。',
  ),
  'sheet-map-unknown': entry(
    'settings',
    '--map {written} cannot be used: {reason}.',
    'Write for example --map name=B or --map name=HEADER; left of "=" stands one of: {known}.',
    '--map {written} 不可用：{reasonZh}。',
    '例如 --map 姓名=B 或 --map 姓名=列名；“=” 左边可用：{known}。',
  ),
  'sheet-column-ignored': entry(
    'settings',
    'Column not used: {why}.',
    'Nothing to do.',
    '该列不使用：{whyZh}。',
    '无需处理。',
  ),
  'sheet-row-skipped': entry(
    'settings',
    'Row skipped: {why}.',
    'Nothing to do, if that is right.',
    '已跳过该行：{whyZh}。',
    '确认无误即可。',
  ),
  'sheet-no-rows': entry(
    'settings',
    'Below the header there are no rows.',
    'Fill in the rows and save again.',
    '表头下面没有数据行。',
    '请填写数据后重新保存。',
  ),
  'sheet-merged': entry(
    'settings',
    'Merged cells {range} in the header or the data.',
    'Select the range, unmerge it, fill each cell, and save again.',
    '表头或数据中有合并单元格 {range}。',
    '请选中该区域，取消合并并逐格填写后重新保存。',
  ),
  'sheet-formula': entry(
    'settings',
    'The cell holds a formula; results of formulas are not trusted.',
    'Copy the column, paste it as values (Paste Special, Values), and save again.',
    '该单元格是公式；不采用公式的计算结果。',
    '请复制该列，选择性粘贴为 “数值” 后重新保存。',
  ),
  'sheet-stored-as-number': entry(
    'settings',
    'The column was stored as a number, so digits may be lost.',
    'Format the column as text and enter the numbers again.',
    '该列曾按数字保存，可能已丢失数位。',
    '请把该列设为文本格式后重新录入。',
  ),
  'sheet-value': entry(
    'settings',
    '{reason}.',
    'Correct the cell and save again.',
    '{reasonZh}。',
    '请改正该单元格后重新保存。',
  ),
  // exports: fonts, paper, codes
  'font-missing': entry(
    'settings',
    'No font with Chinese characters was found on this machine, so nothing can be printed as PDF.',
    'Install one (apt-get install fonts-noto-cjk), or name a font file under exports.fonts in the settings.',
    '本机没有找到中文字体，无法生成 PDF。',
    '请安装字体（apt-get install fonts-noto-cjk），或在设置的 exports.fonts 中填写字体文件。',
  ),
  'font-unreadable': entry(
    'settings',
    'The font {file} cannot be used: {reason}.',
    'Correct exports.fonts in the settings: a TTF, OTF or TTC file; one face of a collection as file#PostScriptName.',
    '字体 {file} 无法使用：{reason}。',
    '请更正设置中的 exports.fonts：TTF、OTF 或 TTC 文件；字体集中的某一款写作 文件#PostScript名。',
  ),
  'export-trainee-unknown': entry(
    'settings',
    'Class {classNo} has no trainee with the number {traineeNo} on its roster.',
    'Write the number as on the roster, or export everybody with --all.',
    '班级 {classNo} 的花名册中没有编号为 {traineeNo} 的学员。',
    '请按花名册填写学员编号，或用 --all 导出全班。',
  ),
  'qr-too-long': entry(
    'bug',
    'A text of {bytes} bytes is too long for a QR code that can be read from paper; {bytesMax} is the limit.',
    'This is a fault of the program; send the log to the maintainers.',
    '{bytes} 字节的内容过长，印成二维码后无法扫描；上限为 {bytesMax} 字节。',
    '这是程序缺陷，请把日志发给维护人员。',
  ),
  // requests and online hours
  'request-class': entry(
    'settings',
    'Class {classNo} is not active here.',
    'Check the number with "rollcall class list"; requests and online hours belong to active classes.',
    '没有已启用的班级 {classNo}。',
    '请用 “rollcall class list” 核对编号；申请和线上课时只能用于已启用的班级。',
  ),
  'request-person': entry(
    'settings',
    'Trainee {traineeNo} is not enrolled in class {classNo} on {date}.',
    'Check the trainee number, the date and the enrolment dates on the roster.',
    '学员 {traineeNo} 在 {date} 不在班级 {classNo} 的在册范围内。',
    '请核对学员编号、日期和花名册中的起止日期。',
  ),
  'request-place': entry(
    'settings',
    'Class {classNo} has no {place} on {date}; there are: {known}.',
    'Check date and place against the timetable; sessions held online have no slots.',
    '班级 {classNo} 在 {date} 没有 {place}；当日有：{known}。',
    '请按课程表核对日期和时段；线上时段没有打卡时点。',
  ),
  'request-repeated': entry(
    'settings',
    'Trainee {traineeNo} has a request for {place} on {date} already: {request} ({state}).',
    'Decide or withdraw that one; only after it was rejected or withdrawn can another be made.',
    '学员 {traineeNo} 在 {date} 的 {place} 已有申请：{request}（{state}）。',
    '请先处理该申请；只有被驳回或撤回后才能重新申请。',
  ),
  'request-late': entry(
    'settings',
    'A make-up for {date} could be requested until {last}.',
    'It cannot be made any more; the days are set by makeup.deadlineDays of the policy of the class.',
    '{date} 的补签最迟应在 {last} 申请。',
    '已过期限，不能再申请；天数由该班级政策的 makeup.deadlineDays 规定。',
  ),
  'request-early': entry(
    'settings',
    'The date {date} is still to come; a make-up is for what has passed.',
    'Check the date and the clock of the gateway.',
    '日期 {date} 尚未到来；补签只针对已经过去的打卡。',
    '请核对日期和网关时钟。',
  ),
  'request-makeup-off': entry(
    'settings',
    'The policy of class {classNo} ({policy}) allows no make-ups.',
    'Nothing can be done here; makeup.allowed of the policy decides.',
    '班级 {classNo} 适用的政策（{policy}）不允许补签。',
    '此处无法处理；由政策的 makeup.allowed 决定。',
  ),
  'request-evidence': entry(
    'settings',
    'The policy of class {classNo} ({policy}) wants evidence for a make-up.',
    'Add --evidence FILE or --frame FILE, and keep the paper or picture itself.',
    '班级 {classNo} 适用的政策（{policy}）要求补签附证据。',
    '请用 --evidence 文件 或 --frame 文件 附上证据，并妥善保存原件。',
  ),
  'request-punch': entry(
    'settings',
    'Punch {n} cannot be reviewed for trainee {traineeNo}: {reason}.',
    'Look the number up in the result of the day, where the punch is listed with CLOCK_UNTRUSTED.',
    '不能为学员 {traineeNo} 复核打卡 {n}：{reasonZh}。',
    '请在当日结果中查看标有 CLOCK_UNTRUSTED 的打卡编号。',
  ),
  'request-unknown': entry(
    'settings',
    'There is no request {request}.',
    'Look it up with "rollcall request list".',
    '没有编号为 {request} 的申请。',
    '请用 “rollcall request list” 查看。',
  ),
  'request-decided': entry(
    'settings',
    'Request {request} is decided already: {state}.',
    'A decision is final; make a new request after a rejection.',
    '申请 {request} 已有结论：{state}。',
    '结论不可更改；被驳回后可重新申请。',
  ),
  'request-second-person': entry(
    'settings',
    'Request {request} was made by the same person who would approve it.',
    'Another person must approve; no policy lifts that.',
    '申请 {request} 的申请人与批准人相同。',
    '必须由另一人批准，任何政策都不能免除。',
  ),
  'request-not-own': entry(
    'settings',
    'Request {request} was made by somebody else, and only who made it can withdraw it.',
    'Reject it instead.',
    '申请 {request} 由他人提出，只有申请人可以撤回。',
    '请改为驳回。',
  ),
  'online-file-faulty': entry(
    'settings',
    'File {file} has {faults} faults, the first in row {row}.',
    'Correct them all; nothing was imported.',
    '文件 {file} 有 {faults} 处错误，第一处在第 {row} 行。',
    '请全部改正；未导入任何内容。',
  ),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>;
export type Language = 'en' | 'zh';

/** A Chinese word that is not given is told as in English: `{reasonZh}` falls back to `reason`. */
const fill = (text: string, context: ErrorContext): string =>
  text.replace(/\{(\w+)\}/g, (whole, key: string) => {
    const value = context[key] ?? context[key.replace(/Zh$/, '')];
    return value === undefined ? whole : String(value);
  });

/** The one error class. `message` is the English sentence with its remedy. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext = {}, cause?: unknown) {
    super(`${fill(ERRORS[code].en, context)} ${fill(ERRORS[code].remedyEn, context)}`, { cause });
    this.code = code;
    this.kind = ERRORS[code].kind;
    this.context = context;
  }

  /** What happened and what to do, in the reader's language. */
  explain(language: Language): { readonly what: string; readonly remedy: string } {
    const text = ERRORS[this.code];
    return language === 'zh'
      ? { what: fill(text.zh, this.context), remedy: fill(text.remedyZh, this.context) }
      : { what: fill(text.en, this.context), remedy: fill(text.remedyEn, this.context) };
  }
}

export function fail(code: ErrorCode, context: ErrorContext = {}, cause?: unknown): GatewayError {
  return new GatewayError(code, context, cause);
}

/** Any thrown value as a GatewayError; what we did not foresee is a bug. */
export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new GatewayError('unexpected', { reason }, error);
}

/** The `code` of a Node system error (`ECONNREFUSED`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
