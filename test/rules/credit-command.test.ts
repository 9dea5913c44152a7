/** `rollcall credit`: exit codes, JSON lines, differences, and clear words for bad input. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compare, runCredit, type CaseOutcome } from '../../src/commands/credit.js';
import { POLICY_DIR } from '../../src/policies.js';

const dir = mkdtempSync(join(tmpdir(), 'credit-'));
const punches = [{ deviceTime: '2023-03-06T08:21:10+08:00', terminal: 'T1' }];
const day = (more: object): object => ({ id: 'X1', kind: 'day', date: '2023-03-06', punches, ...more });

async function run(value: unknown, policy?: string): Promise<{ code: number; lines: CaseOutcome[]; words: string }> {
  const file = join(dir, 'cases.json');
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCredit(file, {
    json: true,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    ...(policy === undefined ? {} : { policy }),
  });
  return { code, lines: out.map((line) => JSON.parse(line) as CaseOutcome), words: err.join('\n') };
}

test('the worked cases agree and end 0, in words too', async () => {
  const words: string[] = [];
  const file = fileURLToPath(new URL('../golden/worked-days.json', import.meta.url));
  expect(await runCredit(file, { json: false, out: () => undefined, err: (line) => words.push(line) })).toBe(0);
  expect(words.join('\n')).toContain('15 cases: 15 agree, 0 differ');
  expect(words.join('\n')).toMatch(/上午第1节 08:30–09:15 不计.*Morning, lesson 1, 08:30–09:15 does not count/);
});

test('a single object is read; without an expectation it ends 0', async () => {
  const { code, lines } = await run(day({}));
  expect(code).toBe(0);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    id: 'X1',
    agrees: null,
    result: { slots: { AM_IN: '08:21' }, version: 1, status: 'final' },
  });
});

test('a difference ends 1 and is listed; keys that are not named are not compared', async () => {
  const { code, lines } = await run([day({ expect: { totalHours: 8, slots: { AM_IN: '08:21', AM_OUT: '12:00' } } })]);
  expect(code).toBe(1);
  expect(lines[0]?.differences).toEqual([
    { path: 'totalHours', expected: 8, actual: 0 },
    { path: 'slots.AM_OUT', expected: '12:00', actual: null },
  ]);
});

test.each([
  ['not JSON', '[1,', /cases\.json/],
  ['unknown key', [day({ punchs: [] })], /punchs.*"punches"/s],
  ['bad time', [day({ punches: [{ deviceTime: '2023-03-06 08:21' }] })], /X1.*punches\.0\.deviceTime/s],
  ['bad date', [day({ date: '2023-02-30' })], /X1.*date/s],
  ['unknown preset', [day({ preset: 'baotou-2032' })], /baotou-2023/],
  ['bad override', [day({ policy: { 'grace.late': 3 } })], /grace\.late/],
  [
    'timetable that does not fit',
    [day({ sessions: [{ id: 'AM', start: '08:30', end: '12:30', lessons: 4 }] })],
    /sessions\.0\.lessons/,
  ],
  ['make-up of no session', [day({ sessions: [], makeups: ['AM_IN'] })], /makeups\.0/],
  ['impossible time without receipt', [day({ punches: [{ deviceTime: '2023-02-30T08:21:00+08:00' }] })], /receivedAt/],
  ['kind', [{ id: 'X2', kind: 'week' }], /X2/],
])('%s ends 2 with clear words', async (_, value, words) => {
  const result = await run(value);
  expect(result.code).toBe(2);
  expect(result.words).toMatch(words);
  expect(result.words).toMatch(/[\u4e00-\u9fff]/);
  expect(result.words).not.toMatch(/\{\w+\}/);
});

test('one bad case does not stop the others', async () => {
  const { code, lines } = await run([day({ id: 'A', kind: 'nothing' }), day({ id: 'B' })]);
  expect(code).toBe(2);
  expect(lines.map(({ id, error }) => [id, error === null])).toEqual([
    ['A', false],
    ['B', true],
  ]);
});

test('a course whose parts a case does not tell apart is judged as a whole; one without practice misses none', async () => {
  const people = [
    { trainee: 'S1', hoursByPunch: 60 },
    { trainee: 'S2', hoursByPunch: 59 },
    { trainee: 'S3', hoursByPunch: 60, theory: { hours: 60, required: 60 }, practice: { hours: 0, required: 0 } },
    { trainee: 'S4', hoursByPunch: 60, theory: { hours: 31, required: 30 }, practice: { hours: 29, required: 30 } },
  ];
  const { code, lines } = await run([{ id: 'K', preset: 'liaoning-2022-practical', requiredHours: 60, people }]);
  expect(code).toBe(0);
  expect(lines[0]?.result?.people).toMatchObject([
    { attendanceQualified: true, examEligible: null },
    { attendanceQualified: false },
    { attendanceQualified: true },
    { attendanceQualified: false },
  ]);
});

test('a byte order mark does no harm, and a case that does not say its kind is a day', async () => {
  const { code, lines } = await run(`\uFEFF${JSON.stringify(day({ kind: undefined }))}`);
  expect(code).toBe(0);
  expect(lines[0]).toMatchObject({ kind: 'day', result: { slots: { AM_IN: '08:21' } } });
});

test('what a case itself overrides wrongly is named as a fault of the case, with its place in it', async () => {
  const sessions = [{ id: 'AM', start: '08:30', end: '12:05', lessons: 4 }];
  const { code, lines } = await run([day({ policy: { 'grace.lateMinute': 1 } }), day({ sessions })]);
  expect(code).toBe(2);
  expect(lines.map(({ error }) => error?.code)).toEqual(['bad-case', 'bad-case']);
  expect(lines[0]?.error?.en).toMatch(/cases\.json, at "policy\.grace\.lateMinute".*"lateMinutes"/);
  expect(lines[1]?.error?.en).toMatch(/cases\.json, at "sessions\.0\.lessons".*12:00, not at 12:05/);
});

test('a file that is not there is told as such', async () => {
  const words: string[] = [];
  const io = { json: false, out: () => undefined, err: (line: string) => words.push(line) };
  expect(await runCredit(join(dir, 'nowhere.json'), io)).toBe(2);
  expect(words.join()).toMatch(/nowhere\.json cannot be read: ENOENT/);
});

test('--policy takes the place of the preset', async () => {
  const text = readFileSync(join(POLICY_DIR, 'baotou-2023.yaml'), 'utf8')
    .replace('mode: lessons', 'mode: slot')
    .replace('id: baotou-2023', 'id: county');
  const file = join(dir, 'county.yaml');
  writeFileSync(file, text);
  const { code, lines } = await run([day({ expect: { totalHours: 2 } })], file);
  expect(code).toBe(0);
  expect(lines[0]?.result).toMatchObject({ policy: { id: 'county' } });
  expect((await run([day({})], join(dir, 'missing.yaml'))).code).toBe(2);
});

test("--policy takes a county's layer over a preset", async () => {
  const file = join(dir, 'county-layer.yaml');
  const layer = ['id: county-strict', 'version: 1', 'extends: baotou-2023', 'basis: ["旗县办法 2024"]'];
  writeFileSync(file, [...layer, 'effectiveFrom: 2024-01-01', 'grace: { lateMinutes: 5 }', ''].join('\n'));
  const punches = [{ deviceTime: '2023-03-06T08:38:00+08:00' }, { deviceTime: '2023-03-06T12:01:00+08:00' }];
  const ask = async (policy?: string): Promise<unknown> =>
    (await run([day({ punches })], policy)).lines.map(({ result }) => [result?.totalHours, result?.flags])[0];
  expect(await ask()).toEqual([4, ['PM:ABSENT']]);
  expect(await ask(file)).toEqual([3, ['AM:LATE', 'PM:ABSENT']]);
});

test('comparison: empty objects and lists are exact, people are found by name', () => {
  expect(compare({ slots: {} }, { slots: { AM_IN: null } }, '')).toHaveLength(1);
  expect(compare({ flags: [] }, { flags: ['DAY_CAP'] }, '')).toHaveLength(1);
  expect(compare({ flags: ['DAY_CAP'] }, {}, '')).toHaveLength(1);
  expect(compare({ dayResult: null }, { totalHours: 0 }, '')).toHaveLength(1);
  expect(
    compare(
      { people: [{ trainee: 'B', totalHours: 1 }] },
      { people: [{ trainee: 'A' }, { trainee: 'B', totalHours: 1 }] },
      '',
    ),
  ).toEqual([]);
  expect(compare({ people: [{ trainee: 'C' }] }, { people: [{ trainee: 'A' }] }, '')).toHaveLength(1);
});
