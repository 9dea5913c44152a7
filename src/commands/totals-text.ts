/** The sums of people and classes in words, Chinese first and English beside: numerator, denominator, ratio, line, reached or not. */
import type { ClassState } from '../classes/lifecycle.js';
import type { FlagCounts, Reached } from '../rules/class-totals.js';
import { flagWords } from '../rules/flags.js';
import type { Policy } from '../rules/policy.js';
import type { ClassFigures, PersonFigures, Threshold } from './totals.js';

const STATES: Readonly<Record<ClassState, string>> = {
  draft: '草稿 draft',
  ready: '待启用 ready',
  active: '进行中 active',
  ended: '已结束 ended',
  sealed: '已封存 sealed',
};

const RESULTS = {
  provisional: '临时 provisional',
  final: '已定 final',
  sealed: '封存 sealed',
} as const;

const percentText = (percent: number): string => percent.toFixed(1);

/** `出勤 96/120 = 80.0 % (线 80 %: 达到 reached)`. */
function thresholdText(what: string, { hours, required, percent, line, reached }: Threshold): string {
  const word = reached ? '达到 reached' : '未达到 not reached';
  return `${what} ${hours}/${required} = ${percentText(percent)} % (线 ${line} %: ${word})`;
}

export function personLine(person: PersonFigures, policy: Policy): string {
  const { attendance, exam, theory, practice } = person.thresholds;
  const ratio = `${person.totalHours}/${person.requiredHours} = ${percentText(person.percent)} %`;
  const words = [
    person.traineeNo,
    person.name ?? '',
    attendance === null ? `出勤 attendance ${ratio}` : thresholdText('出勤 attendance', attendance),
    exam === null ? '' : thresholdText('考前 before the examination', exam),
    theory === null ? '' : thresholdText('理论 theory', theory),
    practice === null ? '' : thresholdText('实操 practice', practice),
    `打卡 punches ${person.hoursByPunch}`,
    `补签 make-up ${person.makeupCounted}/${person.makeupRaw}`,
    `线上 online ${person.onlineCounted}/${person.onlineRaw}`,
    ...person.flags.map((flag) => flagText(flag)),
  ];
  const isLine = Object.values(policy.thresholds).some((line) => line !== null);
  return [...words, isLine ? '' : '政策未设线 no threshold is set'].filter((word) => word !== '').join('  ');
}

export function classLines(one: ClassFigures): readonly string[] {
  const due = one.inspectionsDue;
  const state = one.state === null ? '' : ` (${STATES[one.state]})`;
  const rate = one.averageRate === null ? '—' : `${one.present}/${one.expected} = ${percentText(one.averageRate)} %`;
  return [
    `${one.classNo}${one.regionalClassNo === null ? '' : ` / ${one.regionalClassNo}`} ${one.name}${state}`,
    `  政策 policy ${one.policy.id} v${one.policy.ver} ${one.policy.sha256.slice(0, 16)} · 结果 results ${one.results === null ? '—' : RESULTS[one.results]}${one.pending === 0 ? '' : ` · 待计算 waiting to be computed ${one.pending}`}`,
    `  人数 people: 批准 approved ${one.approvedHeadcount ?? '—'} · 在册 enrolled ${one.enrolled} · 名册 on the roster ${one.trainees}`,
    `  课时 hours: 计划 planned ${one.plannedHours} · 课程表 timetable ${one.timetableHours} · 到课 attended ${one.attendedHours} · 授课 delivered ${one.deliveredHours ?? '— （尚无现场图片 no frames yet）'}`,
    `  时段 sessions: 已上 held ${one.sessionsHeld}/${one.sessionsPlanned} · 平均到课率 average rate ${rate}`,
    `  检查 inspections: 市 city 应 due ${due.city} · 县 county 应 due ${due.county} · 已 done — （尚未记录 not kept yet）${one.feedbackDue === null ? '' : ` · 反馈截止 feedback due ${one.feedbackDue}`}`,
    `  达到人数 people who reach: 出勤 attendance ${reachedText(one.attendanceQualified)} · 考前 before the examination ${reachedText(one.examEligible)}`,
    ...flagLines(one),
  ];
}

const reachedText = (reached: Reached | null): string => (reached === null ? '—' : `${reached.people}/${reached.of}`);

const flagText = (code: string): string => {
  const { zh, en } = flagWords(code);
  return `${code} ${zh} ${en}`;
};

function flagLines({ flags, teachers, patterns }: ClassFigures): readonly string[] {
  const counts: readonly (readonly [string, FlagCounts])[] = [
    ['日 day', flags.day],
    ['时段 session', flags.session],
    ['学员 person', flags.person],
    ['班级 class', flags.class],
    ['规律 pattern', flags.pattern],
  ];
  const lines = counts.flatMap(([kind, table]) => {
    const found = Object.entries(table).map(([code, count]) => `${code} ×${count}`);
    return found.length === 0 ? [] : [`  标记 flags, ${kind}: ${found.join(' · ')}`];
  });
  const teaching = teachers.map(({ code, date, session, planned, present }) => {
    const instead = present.length === 0 ? '' : ` -> ${present.join(', ')}`;
    return `  ${date} ${session} ${flagText(code)} (${planned}${instead})`;
  });
  const found = patterns.map(
    ({ code, date, traineeNo, count }) => `  ${date} ${traineeNo ?? ''} ${flagText(code)} ×${count}`,
  );
  return [...lines, ...teaching, ...found];
}
