/** How requests are told to people: kinds, reasons and states in Chinese and English, and one line for each request. */
import type { RequestKind, RequestRow, RequestState } from '../classes/evidence.js';
import { isoUtc } from '../core/time.js';

interface Words {
  readonly zh: string;
  readonly en: string;
}

const KINDS: Readonly<Record<RequestKind, Words>> = {
  leave: { zh: '请假', en: 'leave' },
  makeup: { zh: '补签', en: 'make-up' },
  review: { zh: '复核', en: 'review' },
};

const STATES: Readonly<Record<RequestState, Words>> = {
  open: { zh: '待处理', en: 'open' },
  approved: { zh: '已批准', en: 'approved' },
  rejected: { zh: '已驳回', en: 'rejected' },
  withdrawn: { zh: '已撤回', en: 'withdrawn' },
};

const REASON_WORDS: Readonly<Record<string, Words>> = {
  deviceFault: { zh: '考勤机故障', en: 'the terminal failed' },
  powerOutage: { zh: '停电', en: 'power outage' },
  networkOutage: { zh: '网络中断', en: 'network outage' },
  forgot: { zh: '忘记打卡', en: 'forgot' },
  faceFailed: { zh: '人脸识别失败', en: 'the face was not recognised' },
  sick: { zh: '病假', en: 'sick' },
  personal: { zh: '事假', en: 'personal' },
  official: { zh: '公假', en: 'official' },
  clockWrong: { zh: '考勤机时钟有误', en: 'the clock of the terminal was wrong' },
  clockUnknown: { zh: '考勤机时钟误差不明', en: 'the error of the clock is unknown' },
  other: { zh: '其他', en: 'other' },
};

/** `code 中文 English` of a list of reasons, for help. */
export const reasonHelp = (reasons: readonly string[]): string =>
  reasons.map((code) => `${code} ${REASON_WORDS[code]?.zh ?? ''}`).join(', ');

export function reasonText({ reason }: RequestRow): { readonly reasonZh: string; readonly reasonEn: string } {
  const words = REASON_WORDS[reason];
  return { reasonZh: words?.zh ?? reason, reasonEn: words?.en ?? reason };
}

const pair = ({ zh, en }: Words): string => `${zh} ${en}`;

export function requestLine(row: RequestRow): string {
  const { reasonZh, reasonEn } = reasonText(row);
  const place = row.effective === null ? row.place : `#${row.place} -> ${isoUtc(row.effective)}`;
  const evidence = row.evidence.length === 0 ? '' : `证据 evidence ${row.evidence.length}`;
  const decided = row.decidedBy === null ? '' : `${row.decidedBy} ${isoUtc(row.decidedAt ?? row.requestedAt)}`;
  return [
    ...[row.id, pair(STATES[row.state]), pair(KINDS[row.kind]), row.classNo, row.traineeNo, row.date, place],
    ...[`${reasonZh} ${reasonEn}`, evidence, `申请人 by ${row.requestedBy}`, decided],
  ]
    .filter((word) => word !== '')
    .join('  ');
}
