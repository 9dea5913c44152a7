/** `rollcall export trainee`: a record each, beside the daemon, that `rollcall verify` proves without network. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Console } from '../../src/commands/console.js';
import { runExportTrainee, type ExportTraineeArguments } from '../../src/commands/export-trainee.js';
import { runVerify } from '../../src/commands/verify.js';
import { GatewayError } from '../../src/core/errors.js';
import type { TraineeRecord } from '../../src/exports/trainee-record.js';
import { signingKeyOf } from '../../src/gateway.js';
import { by, classText, documentOf, FULL_DAY, nameOf, punch } from '../classes/class-fixture.js';
import { notoNeed } from '../exports/needs-font.js';
import { openClassroom, type Classroom, type Ran } from './classroom.js';

const CLASS = 'BT2026-031';

/** T001 came on the first day and late on the second, T002 and T003 never. */
function taught(): Classroom {
  const room = openClassroom();
  room.open((_store, classes) => classes.importText('c.yaml', classText(), by));
  const [, ...rest] = FULL_DAY;
  room.take(
    ...FULL_DAY.map((time) => punch('2026-09-07', time)),
    ...['09:05', ...rest].map((time) => punch('2026-09-08', time)),
  );
  room.settle('2026-09-13', '08:00');
  return room;
}

async function exported(room: Classroom, over: Partial<ExportTraineeArguments> = {}): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Console = {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    json: true,
    tty: false,
  };
  const args: ExportTraineeArguments = {
    ...{ config: room.config, classNo: CLASS, trainees: ['T001'], all: false, by: 'city', madeBy: '西门教务' },
    ...{ out: join(dirname(room.config), 'out'), force: false, format: 'json', ...over },
  };
  const code = await runExportTrainee(args, room.options, io);
  const rows = out.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, rows, out: out.join('\n'), err: err.join('\n') };
}

const folder = (room: Classroom, name: string): string => {
  const path = join(dirname(room.config), name);
  mkdirSync(path);
  return path;
};

const recordIn = (file: unknown): TraineeRecord => JSON.parse(readFileSync(String(file), 'utf8')) as TraineeRecord;

describe('rollcall export trainee', () => {
  test('everybody gets a file of their own, named by numbers; names are inside only', async () => {
    const room = taught();
    const out = join(dirname(room.config), 'records');
    const ran = await exported(room, { trainees: [], all: true, out });
    expect(ran.code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['T001', 'T002', 'T003'].map((no) => `学员课时凭证_${CLASS}_${no}.json`));
    expect(ran.rows.map((row) => row.traineeNo)).toEqual(['T001', 'T002', 'T003']);
    const record = recordIn(ran.rows[0]?.file);
    expect(record.name).toBe(nameOf(1));
    expect(statSync(String(ran.rows[0]?.file)).mode & 0o077).toBe(0);
    for (const said of [ran.out, ran.err]) {
      expect(said).not.toContain(nameOf(1));
      expect(said).not.toContain(documentOf(1));
    }
    expect(JSON.stringify(record)).not.toContain(documentOf(1));
  });

  test('the record has the hours of the journal and says why a lesson did not count', async () => {
    const room = taught();
    const { rows } = await exported(room, { out: folder(room, 'one') });
    const record = recordIn(rows[0]?.file);
    expect(record.days.map((day) => day.hours)).toEqual([8, 7, 0, 0, 0]);
    expect([record.totalHours, record.requiredHours, record.percent]).toEqual([15, 40, 37.5]);
    expect(record.days[0]?.why).toEqual([]);
    expect(record.days[1]?.why.map(({ zh }) => zh)).toEqual([expect.stringContaining('上午第1节')]);
    expect(record.days[2]?.why[0]?.zh).toMatch(/^上午第1–4节/);
    expect(record.days[2]?.why[0]?.en).toMatch(/^Morning, lessons 1–4/);
  });

  test('without the key it says unsigned and makes none; with it the QR text is verified without network', async () => {
    const room = taught();
    const plain = await exported(room, { out: folder(room, 'plain') });
    expect(plain.rows[0]).toMatchObject({ signed: false });
    expect(plain.err).toContain('未签名');
    expect(readdirSync(join(room.dataDir, 'keys'))).not.toContain('gateway.pem');

    const { publicJwk } = signingKeyOf(room.dataDir);
    const signed = await exported(room, { out: folder(room, 'signed') });
    expect(signed.rows[0]).toMatchObject({ signed: true });
    const record = recordIn(signed.rows[0]?.file);
    const [code, keys] = [join(dirname(room.config), 'code.txt'), join(dirname(room.config), 'keys.json')];
    writeFileSync(keys, JSON.stringify(publicJwk));
    writeFileSync(code, `${record.token}\n`);
    const genuine = room.run((io) => runVerify({ paths: [code], keysFile: keys }, io));
    expect(genuine.code).toBe(0);
    expect(genuine.rows[0]).toMatchObject({
      ok: true,
      kind: 'trainee',
      claims: { trainee: 'T001', digest: record.digest },
    });
    expect(genuine.err).toContain('签名属实');
    // What `rollcall keys --json` prints on a gateway that has no upstream yet.
    writeFileSync(keys, JSON.stringify({ jwk: publicJwk, gateways: [] }));
    expect(room.run((io) => runVerify({ paths: [code], keysFile: keys }, io)).code).toBe(0);

    const [head = '', body = '', tail = ''] = record.token.split('.');
    const more = Buffer.from(body, 'base64url').toString('utf8').replace('"total":15', '"total":39');
    writeFileSync(code, `${head}.${Buffer.from(more).toString('base64url')}.${tail}\n`);
    const changed = room.run((io) => runVerify({ paths: [code], keysFile: keys }, io));
    expect(changed.code).toBe(1);
    expect(changed.err).toContain('被改动');
  });

  test('a number that is not on the roster, a file that is there and a missing choice are refused', async () => {
    const room = taught();
    const out = folder(room, 'out');
    await expect(exported(room, { trainees: ['T009'] })).rejects.toMatchObject({ code: 'export-trainee-unknown' });
    await exported(room, { out });
    await expect(exported(room, { out })).rejects.toBeInstanceOf(GatewayError);
    expect((await exported(room, { out, force: true })).code).toBe(0);
    expect((await exported(room, { trainees: [] })).code).toBe(2);
    expect((await exported(room, { all: true })).code).toBe(2);
  });

  test.skipIf(!notoNeed.available)(`as PDF it is one page ${notoNeed.reason}`, { timeout: 30_000 }, async () => {
    const room = taught();
    const { rows } = await exported(room, { out: folder(room, 'pdf'), format: 'pdf' });
    expect(rows[0]).toMatchObject({ pages: 1, unprintable: [] });
    expect(readFileSync(String(rows[0]?.file)).subarray(0, 5).toString('latin1')).toBe('%PDF-');
  });
});
