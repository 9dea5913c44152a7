/**
 * The script of the demonstrated class day: 24 trainees with habits, two terminals, one network cut, one terminal that
 * starts anew and sends its whole log again. Pure: the same seed gives the same day. Times are minutes of the day at
 * the site; who does what and why is in `habit`, so that the table can tell the story.
 */
import { seededRandom } from '../drivers/faults.js';
import { documentNumber, personName, userId } from './people.js';

export type Habit =
  'punctual' | 'early' | 'late' | 'very-late' | 'twice' | 'forgets-out' | 'leaves-early' | 'absent-afternoon';
export type TerminalName = 'theory' | 'workshop';

export interface DemoTrainee {
  readonly traineeNo: string;
  readonly deviceUserId: string;
  readonly name: string;
  readonly documentNumber: string;
  readonly habit: Habit;
}

export type Happening =
  | { readonly second: number; readonly do: 'punch'; readonly terminal: TerminalName; readonly userId: string }
  | { readonly second: number; readonly do: 'network'; readonly up: boolean }
  | { readonly second: number; readonly do: 'terminal-restart'; readonly terminal: TerminalName };

const HABITS: readonly Habit[] = [
  'punctual',
  'early',
  'punctual',
  'late',
  'punctual',
  'twice',
  'punctual',
  'forgets-out',
  'punctual',
  'very-late',
  'early',
  'leaves-early',
  'punctual',
  'punctual',
  'absent-afternoon',
  'twice',
];

export const TRAINEES = 24;
/** An id that no roster knows: the face is recognised by the terminal, the person belongs to no class. */
export const STRANGER_ID = '77770001';
/** The workshop terminal's clock is this much fast; the gateway measures it and corrects. */
export const WORKSHOP_CLOCK_MS = 300_000;
export const NETWORK_CUT = { from: at('11:55'), to: at('12:55') };
export const TERMINAL_RESTART = at('13:15');
export const DAY_BEGINS = at('07:40');
export const LESSONS_END = at('18:10');
export const DAY_CLOSED = at('23:31');

function at(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return (hour * 60 + minute) * 60;
}

export function demoTrainees(): readonly DemoTrainee[] {
  return Array.from({ length: TRAINEES }, (_, index) => ({
    traineeNo: `T${String(index + 1).padStart(4, '0')}`,
    deviceUserId: userId(index),
    name: personName(index),
    documentNumber: documentNumber(index),
    habit: HABITS[index % HABITS.length] ?? 'punctual',
  }));
}

function punchSeconds(habit: Habit, random: () => number): readonly number[] {
  const around = (time: string, spreadMinutes: number): number => at(time) + Math.floor(random() * spreadMinutes * 60);
  const normal = [around('08:12', 16), around('12:01', 8), around('13:42', 15), around('17:31', 9)] as const;
  switch (habit) {
    case 'punctual':
      return normal;
    case 'early':
      return [around('08:01', 5), normal[1], around('13:31', 5), normal[3]];
    case 'late':
      return [around('08:36', 8), normal[1], normal[2], normal[3]];
    case 'very-late':
      return [around('08:50', 10), normal[1], normal[2], normal[3]];
    case 'twice':
      return [normal[0], normal[0] + 21, normal[1], normal[2], normal[3], normal[3] + 95];
    case 'forgets-out':
      return [normal[0], normal[2], normal[3]];
    case 'leaves-early':
      return [normal[0], normal[1], normal[2], around('16:40', 10)];
    case 'absent-afternoon':
      return [normal[0], normal[1]];
  }
}

/** Every happening of the day in order of time; no person punches twice within one second. */
export function demoDay(seed: number): readonly Happening[] {
  const random = seededRandom(seed);
  const happenings: Happening[] = [
    { second: NETWORK_CUT.from, do: 'network', up: false },
    { second: NETWORK_CUT.to, do: 'network', up: true },
    { second: TERMINAL_RESTART, do: 'terminal-restart', terminal: 'theory' },
    { second: at('08:25') + 7, do: 'punch', terminal: 'theory', userId: STRANGER_ID },
  ];
  demoTrainees().forEach((trainee, index) => {
    const home: TerminalName = index % 3 === 2 ? 'workshop' : 'theory';
    for (const second of punchSeconds(trainee.habit, random)) {
      // In the afternoon everybody works in the workshop; they leave through the theory room.
      const terminal: TerminalName = second > at('13:00') && second < at('16:00') ? 'workshop' : home;
      happenings.push({ second, do: 'punch', terminal, userId: trainee.deviceUserId });
    }
  });
  return happenings.sort((a, b) => a.second - b.second);
}
