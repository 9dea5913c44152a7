/**
 * `rollcall class list` and `rollcall class show NO`: where classes stand, and everything about one of them. Both read beside a running
 * daemon and change nothing. Reasons and remarks are shown only where the key is within reach; no person is named.
 */
import { viewClass, type ClassView, type VersionRow } from '../classes/class-view.js';
import { allStates } from '../classes/lifecycle.js';
import { fail } from '../core/errors.js';
import { isoUtc, type Instant } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import { openDesk, withReader, type ClassDesk, type ClassOptions } from './class-desk.js';
import { missingLines, STATES } from './class-words.js';
import { EXIT, type Console } from './console.js';

export async function runClassList(config: string, options: ClassOptions, io: Console): Promise<number> {
  const desk = openDesk(config, options, io);
  if (desk === null) return EXIT.usage;
  const views = withReader(desk, (reader) => {
    if (reader === null) return [];
    return allStates(reader, desk.today).flatMap(({ classNo }) => viewClass(reader, classNo, desk.today) ?? []);
  });
  for (const view of views) io.out(io.json ? JSON.stringify(listed(view)) : listLine(view));
  if (views.length === 0) io.err('还没有班级，也没有草稿。 No class and no draft yet.');
  return EXIT.good;
}

export async function runClassShow(
  classNo: string,
  config: string,
  options: ClassOptions,
  io: Console,
): Promise<number> {
  const desk = openDesk(config, options, io);
  if (desk === null) return EXIT.usage;
  const view = viewOf(desk, classNo, io);
  if (view === null) throw fail('class-unknown', { classNo });
  if (io.json) io.out(JSON.stringify(view, (key, value: unknown) => readable(key, value)));
  else for (const line of showLines(view)) io.out(line);
  return EXIT.good;
}

const viewOf = (desk: ClassDesk, classNo: string, io: Console): ClassView | null =>
  withReader(desk, (reader) => {
    if (reader === null) return null;
    if (reader.vault === null)
      io.err('原因与备注已加密，此处没有密钥，不显示。 Reasons and remarks are sealed and the key is not here.');
    return viewClass(reader, classNo, desk.today);
  });

/** Instants as people and scripts read them. */
const readable = (key: string, value: unknown): unknown =>
  typeof value === 'number' && /^(?:at|.*At)$/.test(key) ? isoUtc(value as Instant) : value;

function listed({ classNo, state, head, missing, heads, counts, seal }: ClassView): Readonly<Record<string, unknown>> {
  return {
    ...{ classNo, state, name: head?.name ?? null, from: head?.from ?? null, to: head?.to ?? null },
    ...{ plannedHours: head?.plannedHours ?? null, missing: missing.map((item) => item.key), heads, counts },
    sealedAt: seal === null ? null : isoUtc(seal.sealedAt),
  };
}

function listLine({ classNo, state, head, missing, heads }: ClassView): string {
  const period = head === null ? '' : `${word(head.from)} … ${word(head.to)}`;
  const people = heads === null ? '' : `在册 enrolled ${heads.enrolled} · 今日到 present ${heads.present}`;
  const lacks = missing.length === 0 ? '' : `缺 missing: ${missing.map((item) => item.key).join(', ')}`;
  return [classNo, STATES[state], word(head?.name), period, people, lacks].filter((part) => part !== '').join('  ');
}

const word = (value: JsonValue | undefined): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const HEAD_WORDS: Readonly<Record<string, string>> = {
  name: '名称 name',
  regionalClassNo: '自治区编号 regional number',
  institution: '机构 institution',
  from: '开始 from',
  to: '结束 to',
  plannedHours: '规定课时 planned hours',
  approvedHeadcount: '核定人数 approved head count',
  approval: '审批文号 approval',
  room: '教室 room',
};

function showLines(view: ClassView): readonly string[] {
  const { classNo, state, head, policy, heads, counts, flags, seal } = view;
  const headLines = Object.entries(HEAD_WORDS).flatMap(([key, words]) => {
    const value = word(head?.[key]);
    return value === '' ? [] : [`  ${words}: ${value}`];
  });
  return [
    `${classNo}  ${STATES[state]}`,
    ...headLines,
    ...openLines(view),
    ...missingLines(view.missing.map((item) => item.key)),
    ...(policy === null ? [] : [`  策略 policy: ${policy.id} v${policy.ver} ${policy.sha256}`]),
    ...versionLines('草稿 draft', view.drafts),
    ...versionLines('花名册 roster', view.rosters),
    ...versionLines('课程表 timetable', view.timetables),
    ...view.changes.map(
      (one) =>
        `  调整 change v${one.timetableVersion} ${isoUtc(one.at)} ${people(one.by, one.approvedBy)}: ${one.reason ?? '…'}`,
    ),
    ...view.notes.map(
      (one) => `  备注 note #${one.no} ${one.date ?? '*'} ${isoUtc(one.at)} ${one.by}: ${one.text ?? '…'}`,
    ),
    ...(heads === null
      ? []
      : [
          `  人数 head counts ${heads.date}: 核定 approved ${heads.approved ?? '-'} · 在册 enrolled ${heads.enrolled} · 实到 present ${heads.present}`,
        ]),
    ...(counts === null
      ? []
      : [
          `  ${Object.entries(counts)
            .map(([key, count]) => `${key} ${count}`)
            .join(' · ')}`,
        ]),
    ...flags.map((flag) => `  标志 flag ${flag.code} ${flag.traineeNo} (${flag.otherClassNo})`),
    ...(seal === null ? [] : [`  封存 sealed ${isoUtc(seal.sealedAt)} ${seal.sealedBy} ${seal.days} ${seal.digest}`]),
  ];
}

/** What stands out about how and where the class is held. */
function openLines({ head }: ClassView): readonly string[] {
  const [by, place] = [part(head?.unapproved, 'by'), part(head?.temporaryVenue, 'place')];
  return [
    ...(by === '' ? [] : [`  标志 flag UNAPPROVED_CLASS: 由 ${by} 启用 activated by ${by}`]),
    ...(place === '' ? [] : [`  标志 flag TEMPORARY_VENUE: ${place} ${part(head?.temporaryVenue, 'approval')}`]),
  ];
}

const part = (value: JsonValue | undefined, key: string): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? word((value as Readonly<Record<string, JsonValue>>)[key])
    : '';

const people = (by: string, approvedBy: string | null): string =>
  approvedBy === null ? by : `${by} / 批准 approved ${approvedBy}`;

const versionLines = (what: string, versions: readonly VersionRow[]): readonly string[] =>
  versions.map(
    (one) =>
      `  ${what} v${one.version} ${one.hash.slice(0, 16)} ${isoUtc(one.importedAt)} ${one.importedBy ?? '-'} ${one.source ?? '-'}`,
  );
