/**
 * A simulated FC-8x00 terminal that pushes by HTTP: every few seconds a keep-alive, then what its answer asks for, then its
 * records, one request each, until one is not answered with success. Strict: nothing is dropped that was not answered with
 * Success 1, and another answer stops the uploads until the next keep-alive. See README.md for the faults.
 */
import { instant, instantToWall, wallToInstant, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedTerminal, SimulatedUser, SimulatorSetup } from '../driver.js';
import { seededRandom } from '../faults.js';
import { eventOf } from '../fcard-events.js';
import { writeMultipart, type PartToWrite } from '../multipart.js';
import { field, listOf, packed, textOf, type Json, type Route } from './codec.js';
import { fcardHttpSimulatorOptions } from './options.js';
import { createCaller, type Caller } from './simulator-caller.js';

interface Kept {
  readonly told: SimulatedPunch;
  readonly detail: Json;
  uploaded: boolean;
}

export interface FcardHttpTerminal extends SimulatedTerminal {
  /** What it holds of a person beside the name, as it would push it. */
  person(id: string): Json | undefined;
  setPerson(id: string, detail: Json): void;
  /** Records that the server has not yet taken. */
  pending(): number;
  /** A record that is no punch. */
  addEvent(event: number): void;
}

const BOUNDARY = '----FcardFormBoundary7MA4YWxk';
const LIMIT = 20;

export function simulateFcardHttp(setup: SimulatorSetup): FcardHttpTerminal {
  const options = fcardHttpSimulatorOptions.parse(setup.options);
  const faults = new Map(setup.faults);
  const random = seededRandom(setup.seed);
  const people = new Map<string, Json>();
  const kept: Kept[] = [];
  let offsetMs = 0;

  const sn = options.blankBeforeSn ? ` ${setup.serial}` : setup.serial;
  const number = (fault: string, otherwise: number): number => {
    const value = Number(faults.get(fault) ?? '');
    return Number.isFinite(value) && value > 0 ? value : otherwise;
  };
  const wallClock = (): WallTime => instantToWall(instant(setup.world.now() + offsetMs), setup.zone);

  const addUser = ({ id, name }: SimulatedUser): void =>
    void people.set(id, { UserID: id, Name: name, CardNum: '0', AccessType: 0, OpenTimes: 65_535, Timegroup: 1 });
  setup.users.forEach(addUser);

  const keep = (told: SimulatedPunch, event = eventOf(told.verify)): Kept => {
    const at = wallToInstant(told.wallTime, setup.zone) ?? 0;
    const detail = {
      RecordID: kept.length + 1,
      RecordType: event,
      RecordDate: Math.floor(at / 1000),
      UserID: told.userId,
      Name: textOf(field(people.get(told.userId) ?? {}, 'Name')),
      IdentityCard: '150203199001010017',
      CardNum: '0',
      QRCode: '',
      IsEntry: told.direction === 'out' ? 0 : 1,
      BodyTemp: 0,
      PhotoLen: options.photoBytes,
    };
    const one = { told, detail, uploaded: kept.length < options.uploaded };
    kept.push(one);
    return one;
  };
  for (const record of setup.records) keep(record);

  const json = (caller: Caller, route: Route, fields: Json = {}): Promise<Json | null> =>
    caller.post(route, 'application/json', Buffer.from(JSON.stringify({ SN: sn, ...fields }), 'utf8'));

  const textPart = (name: string, text: string, gzip = false): PartToWrite => ({
    headers: {
      'Content-Disposition': `form-data; name="${name}"`,
      ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
    },
    body: gzip ? packed(text) : text,
  });
  const form = (caller: Caller, route: Route, parts: readonly PartToWrite[]): Promise<Json | null> =>
    caller.post(
      route,
      `multipart/form-data; boundary=${BOUNDARY}`,
      writeMultipart(BOUNDARY, [textPart('SN', sn), ...parts]),
    );
  const photo = (): readonly PartToWrite[] =>
    options.photoBytes === 0
      ? []
      : [
          {
            headers: {
              'Content-Disposition': 'form-data; name="Photo"; filename="1.jpg"',
              'Content-Type': 'image/jpeg',
            },
            body: new Uint8Array(options.photoBytes).fill(0xff),
          },
        ];

  const isOk = (answer: Json | null): boolean => answer?.Success === 1;

  const push = async (caller: Caller, id: string, type: number): Promise<void> => {
    const detail = people.get(id);
    const told = detail ? [textPart('Detail', JSON.stringify(detail), options.gzip)] : [];
    const parts = [textPart('PushType', String(type)), textPart('UserID', id), ...told, ...photo()];
    await form(caller, '/People/PushPeople', parts);
  };

  const obey = async (caller: Caller): Promise<void> => {
    const told = await json(caller, '/Device/RemoteCommand');
    if (!isOk(told) || told === null) return;
    if (told.RepostRecord === 1) for (const one of kept) one.uploaded = false;
    if (told.PushAllPeople === 1) for (const id of people.keys()) await push(caller, id, 4);
    for (const id of listOf(told.QueryPeople)) await push(caller, textOf(id), 4);
  };

  const fetchPeople = async (caller: Caller): Promise<void> => {
    for (;;) {
      const told = await json(caller, '/People/DownloadPeopleList', { Limit: LIMIT });
      const list = isOk(told) ? listOf(told?.PeopleList) : [];
      if (list.length === 0) return;
      const failures: Json[] = [];
      for (const one of list) {
        const person: Json = typeof one === 'object' && one !== null ? { ...one } : {};
        const id = textOf(person.UserID);
        const isFull = !people.has(id) && (faults.has('memory-full') || people.size >= options.personCapacity);
        if (isFull) failures.push({ UserID: id, ErrorCode: 3, ErrMsg: 'capacity full' });
        else people.set(id, person);
      }
      const result = { SuccessCount: list.length - failures.length, FailCount: failures.length, FailList: failures };
      await json(caller, '/People/DownloadPeopleListResult', result);
    }
  };

  const deletePeople = async (caller: Caller): Promise<void> => {
    for (;;) {
      const told = await json(caller, '/People/DeletePeopleList', { Limit: LIMIT });
      const list = isOk(told) ? listOf(told?.DeleteList).map(textOf) : [];
      if (list.length === 0) return;
      for (const id of list) people.delete(id);
      await json(caller, '/People/DeletePeopleListResult', {
        DeleteCount: list.length,
        DeleteAll: 0,
        DeleteList: list,
      });
    }
  };

  const recordBody = (one: Kept): string => {
    if (!faults.has('impossible-date')) return JSON.stringify(one.detail);
    faults.delete('impossible-date');
    return JSON.stringify({ ...one.detail, RecordDate: 'no date' });
  };

  /** False: the server does not take records now. */
  const upload = async (caller: Caller): Promise<boolean> => {
    const one = kept.find((record) => !record.uploaded);
    if (!one) return false;
    const parts = [textPart(options.detailName, recordBody(one), options.gzip), ...photo()];
    const answer = await form(caller, '/Record/UploadIdentifyRecord', parts);
    if (!isOk(answer)) return false;
    if (faults.has('duplicate-record')) await form(caller, '/Record/UploadIdentifyRecord', parts);
    if (faults.has('interleave-event')) {
      faults.delete('interleave-event');
      await json(caller, '/Record/UploadSystemRecord', { RecordType: 2, Records: [] });
      keep({ userId: [...people.keys()][0] ?? '1', wallTime: wallClock() });
    }
    one.uploaded = true;
    return true;
  };

  const setting = (): Json => ({
    DeviceSN: sn,
    FirmwareVerson: options.firmware,
    TimeZone: 'UTC+8',
    SystemTime: wallClock(),
  });

  const keepAlive = async (caller: Caller): Promise<boolean> => {
    const status = { RelayStatus: 0, KeepOpenStatus: 0, DoorSensorStatus: 0, LockDoorStatus: 0, AlarmStatus: '' };
    const told = await json(caller, '/Device/Keepalive', status);
    if (told === null || !isOk(told)) return false;
    if (told.UploadWorkParameter === 1) await json(caller, '/Device/UploadWorkSetting', setting());
    if (told.DeletePeople === 1) await deletePeople(caller);
    if (told.AddPeople === 1) await fetchPeople(caller);
    if (told.Remote === 1 && !faults.has('no-remote')) await obey(caller);
    return true;
  };

  return {
    // It only calls; a link that is dialled brings nobody.
    serve: (link) => {
      link.destroy();
      return Promise.resolve();
    },
    async call(dial, signal) {
      const { wire: clock } = setup;
      const answerMs = options.answerSeconds * 1000;
      const caller = createCaller({ dial, signal, clock, faults, random, answerMs });
      while (!signal.aborted) {
        try {
          const taken = await keepAlive(caller);
          while (taken && !faults.has('busy-error') && (await upload(caller)));
          const isWaiting = kept.some((one) => !one.uploaded);
          const waitMs = (isWaiting || !taken ? options.againSeconds : options.keepAliveSeconds) * 1000;
          const began = clock.ticks();
          // A punch is uploaded at once.
          while (clock.ticks() - began < waitMs && !(!isWaiting && kept.some((one) => !one.uploaded)))
            await clock.sleep(Math.min(500, waitMs), signal);
        } catch {
          await clock.sleep(options.againSeconds * 1000, signal).catch(() => undefined);
        }
        if (faults.has('clock-jump')) {
          offsetMs += number('clock-jump', 3600) * 1000;
          faults.delete('clock-jump');
        }
      }
      caller.hangUp();
    },
    addUser,
    punch(userId, how = {}) {
      return keep({ userId, wallTime: wallClock(), ...how }).told;
    },
    addRecord: (record) => void keep(record),
    users: () => [...people].map(([id, detail]) => ({ id, name: textOf(detail.Name) })),
    records: () => kept.filter((one) => one.told.userId !== '').map((one) => one.told),
    setClockOffset: (ms) => void (offsetMs = ms),
    wallClock,
    setFault(name, value) {
      if (value === null) faults.delete(name);
      else faults.set(name, value);
    },
    person: (id) => people.get(id),
    setPerson: (id, detail) => void people.set(id, detail),
    pending: () => kept.filter((one) => !one.uploaded).length,
    addEvent: (event) => void keep({ userId: '', wallTime: wallClock() }, event),
  };
}
