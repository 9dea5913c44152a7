/**
 * Every make of terminal that a classroom may have, one entry for each driver and way of being reached, ready to stand in a
 * simulated site. Scenarios that concern all of them run over this list, so that a new driver is tested by adding a line.
 */
import type { TerminalPlan } from './station.js';

export type Make = Omit<TerminalPlan, 'id'> & { readonly name: string };

const PUSH_WORD = 'hik-push-word-0001';

export const MAKES: readonly Make[] = [
  { name: 'zk-standalone', driver: 'zk-standalone' },
  { name: 'zk-standalone on UDP', driver: 'zk-standalone', reach: 'udp' },
  { name: 'anviz-tcb', driver: 'anviz-tcb', options: { pollSeconds: 20 } },
  { name: 'anviz-tcb that calls', driver: 'anviz-tcb', reach: 'tcp-listen', options: { pollSeconds: 20 } },
  { name: 'zk-push', driver: 'zk-push' },
  { name: 'aiface-ws', driver: 'aiface-ws' },
  { name: 'hikvision-isapi', driver: 'hikvision-isapi', options: { authPassword: 'Class-1234' } },
  {
    name: 'hikvision-isapi that pushes too',
    driver: 'hikvision-isapi',
    calls: true,
    options: { authPassword: 'Class-1234', pushKey: PUSH_WORD },
    simulatorOptions: { pushKey: PUSH_WORD },
  },
  { name: 'fcard', driver: 'fcard' },
  { name: 'fcard on UDP', driver: 'fcard', reach: 'udp' },
  { name: 'fcard that calls', driver: 'fcard', reach: 'tcp-listen' },
  { name: 'fcard-http', driver: 'fcard-http' },
  { name: 'hanvon-faceid', driver: 'hanvon-faceid' },
  { name: 'dahua-asi', driver: 'dahua-asi' },
];

export const makeOf = (name: string): Make => {
  const found = MAKES.find((one) => one.name === name);
  if (!found) throw new Error(`no make ${name}`);
  return found;
};
