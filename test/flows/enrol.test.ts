/** People to terminals and out of them again (R32): nobody is overwritten or removed whom the gateway did not put there. */
import { describe, expect, test } from 'vitest';
import { terminalUsers } from '../../src/classes/enrolment.js';
import { fail } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import type { TerminalSession, TerminalUser, TerminalUsers } from '../../src/drivers/driver.js';
import { createEnrolment } from '../../src/flows/enrol.js';
import { by, classText, nameOf, openBench, person, ZONE, type Bench } from '../classes/class-fixture.js';

const DAY_MS = 86_400_000;
const never = new AbortController().signal;

function bench() {
  const rig: Bench = openBench();
  const people = new Map<string, string>();
  const calls: string[] = [];
  /** What the next calls of a kind throw. */
  const troubles = new Map<string, string>();
  const trouble = (word: string): void => {
    calls.push(word);
    const code = troubles.get(word);
    if (code !== undefined) throw fail(code as 'bad-reply', { request: 'users', reason: 'x' });
  };
  const users: TerminalUsers = {
    list: async () => {
      trouble('list');
      return [...people].map(([id, name]): TerminalUser => ({ id, name }));
    },
    put: async ({ id, name }) => {
      trouble(`put ${id}`);
      people.set(id, name);
    },
    remove: async (id) => {
      trouble(`remove ${id}`);
      people.delete(id);
    },
  };
  const session = { users } as unknown as TerminalSession;
  const enrolment = createEnrolment({
    ...{ terminalId: 'gate', capabilities: new Set(['users.read', 'users.write']), zone: ZONE, log: silentLog() },
    ...{ store: rig.store, classes: rig.classes, clock: rig.clock },
  });
  return {
    ...rig,
    ...{ people, calls, troubles },
    step: () => enrolment.step(session, 'SN-1', never),
    rows: () => terminalUsers(rig.store, 'gate').map((row) => [row.deviceUserId, row.state, row.reason, row.putByUs]),
    /** Everybody leaves: the class is over. */
    end: () => rig.clock.advance(30 * DAY_MS),
  };
}

const importOf = (rig: Bench, text: string) => rig.classes.importText('class.yaml', text, by);

describe('people of a class', () => {
  test('are put there, and go when it ends', async () => {
    const rig = bench();
    importOf(rig, classText());
    await rig.step();
    expect([...rig.people]).toEqual([1, 2, 3].map((index) => [`T00${index}`, nameOf(index)]));
    await rig.end();
    await rig.step();
    expect([...rig.people]).toEqual([]);
  });

  test('whom the gateway was writing when it died is known as written by it', async () => {
    const rig = bench();
    importOf(rig, classText());
    // Written, and the answer never came.
    rig.troubles.set('put T001', 'link-closed');
    await expect(rig.step()).rejects.toMatchObject({ code: 'link-closed' });
    expect(rig.rows()).toEqual([['T001', 'failed', 'interrupted', true]]);
    rig.people.set('T001', nameOf(1));
    rig.troubles.clear();
    await rig.step();
    expect(rig.rows().map((row) => row.slice(1))).toEqual([1, 2, 3].map(() => ['enrolled', null, true]));
    await rig.end();
    await rig.step();
    expect([...rig.people]).toEqual([]);
  });

  test('a terminal that does not show who is in it is asked again after an hour, and disturbs nobody meanwhile', async () => {
    const rig = bench();
    importOf(rig, classText());
    rig.troubles.set('list', 'user-refused');
    await rig.step();
    await rig.step();
    expect(rig.calls).toEqual(['list']);
    expect(rig.rows()).toEqual([]);
    rig.troubles.clear();
    await rig.clock.advance(3_600_000);
    await rig.step();
    expect(rig.rows().map((row) => row[1])).toEqual(['enrolled', 'enrolled', 'enrolled']);
  });

  test('who could not be renamed is still taken out when the class ends', async () => {
    const rig = bench();
    importOf(rig, classText());
    await rig.step();
    const people = [person(1).replace(nameOf(1), '司马青木'), person(2), person(3)];
    const extra = 'corrections: [{ traineeNo: T001, reason: 姓名笔误, requestedBy: A1, approvedBy: S1 }]';
    importOf(rig, classText({ people, extra }));
    rig.troubles.set('put T001', 'user-refused');
    await rig.step();
    expect(rig.rows()[0]).toEqual(['T001', 'failed', 'user-refused', true]);
    await rig.end();
    await rig.step();
    expect([...rig.people]).toEqual([]);
  });

  test('somebody whom a person enrolled under our id since is neither renamed nor removed', async () => {
    const rig = bench();
    importOf(rig, classText());
    await rig.step();
    rig.people.set('T001', '东方不败');
    await rig.clock.advance(DAY_MS);
    await rig.step();
    expect(rig.people.get('T001')).toBe('东方不败');
    expect(rig.rows()[0]).toEqual(['T001', 'failed', 'other-name', false]);
    rig.people.set('T002', '西门吹雪');
    await rig.end();
    await rig.step();
    expect([...rig.people]).toEqual([
      ['T001', '东方不败'],
      ['T002', '西门吹雪'],
    ]);
  });

  test('a name whose rare character the terminal shows as ? is the same name', async () => {
    const rig = bench();
    importOf(rig, classText());
    await rig.step();
    rig.people.set('T001', nameOf(1).replace('青', '?'));
    await rig.clock.advance(DAY_MS);
    await rig.step();
    expect(rig.rows()[0]).toEqual(['T001', 'enrolled', null, true]);
    expect(rig.calls.filter((call) => call === 'put T001')).toHaveLength(1);
  });
});

describe('a terminal that answers nonsense', () => {
  test('to one person does not end the session, and the others are put there', async () => {
    const rig = bench();
    importOf(rig, classText());
    rig.troubles.set('put T001', 'bad-reply');
    await rig.step();
    expect([...rig.people.keys()]).toEqual(['T002', 'T003']);
    expect(rig.rows()[0]).toEqual(['T001', 'failed', 'bad-reply', false]);
  });

  test('to the list is asked again in an hour', async () => {
    const rig = bench();
    importOf(rig, classText());
    rig.troubles.set('list', 'bad-reply');
    await rig.step();
    await rig.step();
    expect(rig.calls).toEqual(['list']);
    rig.troubles.clear();
    await rig.clock.advance(3_600_000);
    await rig.step();
    expect(rig.people.size).toBe(3);
  });

  test('with silence ends the session', async () => {
    const rig = bench();
    importOf(rig, classText());
    rig.troubles.set('put T001', 'link-silent');
    await expect(rig.step()).rejects.toMatchObject({ code: 'link-silent' });
  });
});

test('a roster is decrypted once for a step', async () => {
  const rig = bench();
  importOf(rig, classText());
  let opened = 0;
  const { vault } = rig.store;
  const open = vault.open.bind(vault);
  Object.defineProperty(vault, 'open', {
    value: (...args: Parameters<typeof open>) => {
      opened += 1;
      return open(...args);
    },
  });
  await rig.step();
  // Name and document of three people.
  expect(opened).toBeLessThanOrEqual(6);
});
