/**
 * The status page: one look at the classroom's gateway, read-only, Chinese first with English beside it. It works without
 * any network access and without inline script, so that the strict content policy holds. The technician's page grows here.
 */

export const PAGE_HTML = `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>考勤网关 Rollcall</title>
<link rel="stylesheet" href="/page.css">
<link rel="icon" href="data:,">
</head>
<body>
<header><h1>考勤网关 <small lang="en">Rollcall</small></h1><p id="site"></p><p id="state" role="status" aria-live="polite"></p></header>
<main>
<section aria-labelledby="h-why" id="why" hidden><h2 id="h-why">需要处理 <small lang="en">Needs attention</small></h2><ul id="reasons"></ul></section>
<section aria-labelledby="h-t"><h2 id="h-t">考勤机 <small lang="en">Terminals</small></h2><table><thead><tr><th>名称<br><small lang="en">Name</small></th><th>状态<br><small lang="en">State</small></th><th>起始时间<br><small lang="en">Since</small></th><th>序列号<br><small lang="en">Serial</small></th><th>时钟偏差(秒)<br><small lang="en">Clock offset (s)</small></th><th>已存打卡<br><small lang="en">Stored</small></th><th>人员：已录/失败/待录<br><small lang="en">People: in/failed/waiting</small></th></tr></thead><tbody id="terminals"></tbody></table></section>
<section aria-labelledby="h-c" id="callers" hidden><h2 id="h-c">未登记的呼叫 <small lang="en">Unclaimed callers</small></h2><p>下列设备呼叫了本网关但未登记，其记录仍保存在设备中。登记命令： <small lang="en">They called and belong to no setting; they keep their records. To adopt one:</small> <code>rollcall discover --config FILE --adopt SERIAL --as NAME</code></p><table><thead><tr><th>协议<br><small lang="en">Protocol</small></th><th>序列号<br><small lang="en">Serial</small></th><th>来自<br><small lang="en">From</small></th><th>端口<br><small lang="en">Port</small></th><th>最近一次<br><small lang="en">Latest</small></th><th>次数<br><small lang="en">Calls</small></th></tr></thead><tbody id="unclaimed"></tbody></table></section>
<section aria-labelledby="h-k" id="teaching" hidden><h2 id="h-k">班级 <small lang="en">Classes</small></h2><table><thead><tr><th>编号<br><small lang="en">Number</small></th><th>状态<br><small lang="en">State</small></th><th>起止日期<br><small lang="en">Period</small></th><th>课时：课程表/规定<br><small lang="en">Hours: timetable/planned</small></th><th>学员<br><small lang="en">Trainees</small></th><th>政策（启用时固定）<br><small lang="en">Policy, fixed at activation</small></th><th>花名册、课程表<br><small lang="en">Roster, timetable</small></th></tr></thead><tbody id="classes"></tbody></table></section>
<section aria-labelledby="h-u"><h2 id="h-u">监管平台 <small lang="en">Platform</small></h2><table><thead><tr><th>名称<br><small lang="en">Name</small></th><th>状态<br><small lang="en">State</small></th><th>起始时间<br><small lang="en">Since</small></th><th>待确认记录<br><small lang="en">Unacknowledged records</small></th><th>待确认批次<br><small lang="en">Unacknowledged batches</small></th></tr></thead><tbody id="upstreams"></tbody></table></section>
<section aria-labelledby="h-m"><h2 id="h-m">本机 <small lang="en">This machine</small></h2><dl id="machine"></dl></section>
</main>
<noscript>本页需要 JavaScript;状态数据见 <a href="/readyz">/readyz</a>。 This page needs JavaScript; see <a href="/readyz">/readyz</a>.</noscript>
<script src="/page.js"></script>
</body>
</html>
`;

export const PAGE_CSS = `:root{color-scheme:light dark;font-family:"Noto Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif;line-height:1.5}
body{margin:0 auto;max-width:60rem;padding:1rem}
h1{margin:0;font-size:1.6rem}h2{font-size:1.15rem;margin:1.5rem 0 .5rem}small{font-weight:400;opacity:.75}
header p{margin:.2rem 0}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
th,td{text-align:left;min-width:4rem;padding:.4rem .6rem;border-bottom:1px solid #8886;vertical-align:top}
td:nth-child(2){min-width:9rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;margin:0}dd{margin:0}
.good::before{content:"● ";color:#16803c}.bad::before{content:"▲ ";color:#b42318}.wait::before{content:"○ ";color:#8a6100}
#state{font-weight:600}
@media (max-width:30rem){dl{grid-template-columns:1fr}dt{font-weight:600}}
`;

export const PAGE_JS = `'use strict';
const words = {
  'awaiting-call': '等待考勤机呼叫 waiting for its call',
  connecting: '正在连接 connecting', reading: '正在读取 reading', live: '在线 live', waiting: '正常，等待下次读取 idle', unreachable: '连接不上 unreachable',
  parked: '已停用，需处理 parked', connected: '已连接 connected', stopped: '已停止 stopped', ok: '正常 ok', low: '空间不足 low', critical: '空间告急 critical',
  unknown: '未知 unknown', untrusted: '未同步 not synchronised', offline: '离线 offline', greeting: '已连接，等待平台应答 waiting for the platform',
};
const classWords = { draft: '草稿，资料未齐 draft', ready: '待启用 ready', active: '进行中 active', ended: '已结束，待封存 ended', sealed: '已封存 sealed' };
const hash = (text) => { const e = el('small'); e.append(el('code', text.slice(0, 12) + '…')); e.title = text; return e; };
const classCells = (c) => {
  const state = el('td'); state.append(el('span', classWords[c.state], c.state === 'draft' || c.state === 'ready' ? 'wait' : 'good'));
  const a = c.active;
  if (!a) return [el('td', c.classNo), state, el('td', '—'), el('td', '—'), el('td', '—'), el('td', '—'), el('td', '—')];
  const name = el('td', c.classNo); name.append(el('br'), el('small', a.name));
  const policy = el('td', a.policy.id + ' v' + a.policy.ver); policy.append(el('br'), hash(a.policy.sha256));
  const versions = el('td'); versions.append('v' + a.roster.version + ' ', hash(a.roster.hash), el('br'), 'v' + a.timetable.version + ' ', hash(a.timetable.hash));
  return [name, state, el('td', a.from + ' – ' + a.to), el('td', a.timetableHours + '/' + a.plannedHours), el('td', String(a.trainees)), policy, versions];
};
const found = {
  noise: '线路噪声 noise on the line', checksum: '校验错误 bad checksums', 'count-mismatch': '条数不符 fewer records than announced', 'epoch-changed': '记录曾被清除或覆盖 log cleared or overwritten',
  'impossible-date': '不存在的日期 impossible dates', 'unknown-layout': '无法识别的记录 unreadable records', 'memory-low': '考勤机存储将满 its memory is almost full', 'resent-page': '重发 pages sent again',
  gap: '曾有缺口，已补读 gaps, read again', 'clock-odd': '时钟或时区异常 clock or zone is odd', odd: '其他异常 other oddities',
};
const findings = (part) => Object.entries(part.details).filter(([key]) => key.startsWith('found:')).map(([key, count]) => (found[key.slice(6)] || key.slice(6)) + ' ×' + count);
const good = new Set(['live', 'waiting', 'reading', 'connected', 'ok']);
const wait = new Set(['connecting', 'awaiting-call', 'greeting', 'unknown']);
const el = (name, text, cls) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
let timeZone;
const when = (ms) => (ms ? new Date(ms).toLocaleString('zh-CN', { hour12: false, timeZone }) : '—');
const stateCell = (part) => { const td = el('td'); td.append(el('span', words[part.state] || part.state, good.has(part.state) ? 'good' : wait.has(part.state) ? 'wait' : 'bad')); for (const text of findings(part)) td.append(el('br'), el('small', text)); return td; };
const rows = (id, parts, cells) => {
  const body = document.getElementById(id);
  body.replaceChildren(...parts.map((part) => { const tr = el('tr'); tr.append(...cells(part)); return tr; }));
  if (parts.length === 0) { const tr = el('tr'); const td = el('td', '尚未配置，请在设置文件中添加。 None configured yet; add one in the settings file.'); td.colSpan = 7; tr.append(td); body.append(tr); }
};
async function refresh() {
  const state = document.getElementById('state');
  try {
    const answer = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    const s = await answer.json();
    timeZone = s.timeZone;
    document.getElementById('site').textContent = s.site + ' · ' + s.version;
    state.textContent = s.ready ? '运行正常 Working' : '需要处理 Needs attention';
    state.className = s.ready ? 'good' : 'bad';
    document.getElementById('why').hidden = s.reasons.length === 0;
    document.getElementById('reasons').replaceChildren(...s.reasons.map((r) => { const li = el('li'); li.append(el('div', r.zh + ' ' + r.remedyZh), el('small', r.en + ' ' + r.remedyEn)); return li; }));
    rows('terminals', s.terminals, (t) => [el('td', t.id), stateCell(t), el('td', when(t.since)), el('td', t.details.serial || '—'), el('td', t.details.offsetMs === null || t.details.offsetMs === undefined ? '—' : (t.details.offsetMs / 1000).toFixed(0)), el('td', String(t.details.stored ?? 0)), el('td', t.details.enrolled === undefined ? '—' : [t.details.enrolled, t.details.enrolFailed, t.details.enrolWaiting].join(' / '))]);
    document.getElementById('callers').hidden = s.unclaimed.length === 0;
    rows('unclaimed', s.unclaimed, (c) => [el('td', c.driver || '未知协议 unknown: ' + c.window), el('td', c.serial || '—'), el('td', c.peer), el('td', c.port), el('td', when(c.lastAt)), el('td', String(c.calls))]);
    document.getElementById('teaching').hidden = s.classes.length === 0;
    rows('classes', s.classes, classCells);
    rows('upstreams', s.upstreams, (u) => [el('td', u.id), stateCell(u), el('td', when(u.since)), el('td', String(u.details.pendingRecords ?? 0)), el('td', String(u.details.pendingBatches ?? 0))]);
    const facts = [['打卡总数 Punches', s.punches], ['日志记录 Journal records', s.journal.n], ['最近一次平台确认 Last acknowledgement', when(s.lastAckAt)], ['磁盘剩余 Disk free', (s.disk.details.freeMb ?? '—') + ' MB'], ['系统时钟 System clock', words[s.clock.state] || s.clock.state], ['密钥 Keys', s.keysSealed ? '已由硬件或系统凭据保护 sealed' : '未封存，仅由文件权限保护 keys are not sealed']];
    document.getElementById('machine').replaceChildren(...facts.flatMap(([k, v]) => [el('dt', k), el('dd', String(v))]));
  } catch {
    state.textContent = '网关没有应答，正在重试…… The gateway does not answer, trying again…';
    state.className = 'bad';
  }
  setTimeout(refresh, 2000);
}
refresh();
`;
