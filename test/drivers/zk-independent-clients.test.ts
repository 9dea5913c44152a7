/**
 * Clients that others wrote for ZKTeco standalone terminals, let loose on our simulator over real sockets: they share no line
 * of code with it, so they are witnesses that its bytes are those of the protocol. They handle one packet per read, hence the
 * paced mode. What they cannot do is left out: ids of more than nine characters on TCP, ids above 65535 on UDP, and
 * zkteco-js on UDP, which throws from a timer of its own.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/core/time.js';
import type { SimulatedTerminal, SimulatedUser } from '../../src/drivers/driver.js';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import { history, keyOf, SITE_ZONE } from './rig.js';

/** What the three packages have in common. */
interface Client {
  createSocket(): Promise<unknown>;
  getUsers(): Promise<{ readonly data: readonly { readonly userId: string | number; readonly name: string }[] }>;
  getAttendances(): Promise<{ readonly data: readonly Readonly<Record<string, unknown>>[] }>;
  getRealTimeLogs(told: (event: Readonly<Record<string, unknown>>) => void): Promise<void>;
  freeData(): Promise<unknown>;
  getInfo(): Promise<{ readonly userCounts: number; readonly logCounts: number }>;
  disconnect(): Promise<unknown>;
}
type NewClient = new (host: string, port: number, timeoutMs: number, ownPort: number) => Client;

const load = (name: string): NewClient | null => {
  try {
    return createRequire(import.meta.url)(name) as NewClient;
  } catch {
    return null;
  }
};
const PACKAGES = ['node-zklib', 'zkteco-js', 'zklib-js'].map((name) => ({ name, Client: load(name) }));
const HOST = '127.0.0.1';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const USERS: readonly SimulatedUser[] = Array.from({ length: 40 }, (_, index) => ({
  id: String(101 + index),
  name: `Trainee ${index}`.slice(0, 8),
}));

/** A client tells a time as a Date or as its text: `Tue Sep 01 2020 08:00:00 GMT...`; both say it in words. */
function wallOf(told: unknown): string {
  const [, month = '', day, year, time] = /^\w{3} (\w{3}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d)/.exec(String(told)) ?? [];
  return `${year}-${String(MONTHS.indexOf(month) + 1).padStart(2, '0')}-${day} ${time}`;
}

function simulate(records: number, options: Readonly<Record<string, unknown>>): SimulatedTerminal {
  const clock = systemClock();
  return zkStandalone.simulate({
    serial: 'TEST0001',
    zone: SITE_ZONE,
    world: clock,
    wire: clock,
    users: USERS,
    records: history(records, USERS),
    faults: new Map(),
    options,
    seed: 1,
  });
}

/** A port and what closes it. */
interface Service extends AsyncDisposable {
  readonly port: number;
}

async function serveTcp(terminal: SimulatedTerminal): Promise<Service> {
  const stop = new AbortController();
  const served: Promise<void>[] = [];
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    served.push(terminal.serve(socket, stop.signal));
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(served);
      server.close();
      await once(server, 'close');
    },
  };
}

/** One link of datagrams for each peer; on TCP nobody listens at this port, so the clients fall back to UDP. */
async function serveUdp(terminal: SimulatedTerminal): Promise<Service> {
  const stop = new AbortController();
  const served: Promise<void>[] = [];
  const peers = new Map<number, Duplex>();
  const socket = createSocket('udp4');
  socket.on('message', (datagram, { port }) => {
    let link = peers.get(port);
    if (!link) {
      link = new Duplex({
        readableObjectMode: true,
        writableObjectMode: true,
        read: () => undefined,
        write: (bytes: Uint8Array, _encoding, done) => socket.send(bytes, port, HOST, () => done()),
      });
      peers.set(port, link);
      served.push(terminal.serve(link, stop.signal));
    }
    link.push(datagram);
  });
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(served);
      socket.close();
      await once(socket, 'close');
    },
  };
}

async function expectSame(Client: NewClient, service: Service, terminal: SimulatedTerminal): Promise<void> {
  const client = new Client(HOST, service.port, 10_000, 0);
  await client.createSocket();
  const info = await client.getInfo();
  expect(info).toMatchObject({ userCounts: USERS.length, logCounts: terminal.records().length });
  const users = await client.getUsers();
  expect(users.data.map((user) => ({ id: String(user.userId), name: user.name }))).toEqual(USERS);
  const { data } = await client.getAttendances();
  const told = data.map((one) => {
    const id = one.deviceUserId ?? one.user_id;
    return `${String(id)} ${wallOf(one.recordTime ?? one.record_time)}`;
  });
  await client.disconnect();
  expect(told).toEqual(terminal.records().map(keyOf));
}

beforeEach(() => {
  // They talk to the console as they go.
  for (const method of ['log', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
});
afterEach(() => vi.restoreAllMocks());

describe.each(PACKAGES)('$name', ({ name, Client }) => {
  const missing = Client ? '' : ` (skipped: ${name} is not installed)`;
  const paced = { packetPauseMs: 6, packetBytes: 4096 };
  const run = (wanted: (Client: NewClient) => Promise<void>) => async (): Promise<void> => {
    if (Client) await wanted(Client);
  };

  test.skipIf(!Client).each([
    { records: 300, options: { ...paced, packetBytes: 1008 } },
    { records: 300, options: { ...paced, dataSession: 'session', sizesBytes: 92 } },
    { records: 5000, options: paced },
  ])(
    `reads the same people and punches on TCP: $records records, $options${missing}`,
    ({ records, options }) =>
      run(async (Client) => {
        const terminal = simulate(records, options);
        await using service = await serveTcp(terminal);
        await expectSame(Client, service, terminal);
      })(),
    30_000,
  );

  test.skipIf(!Client)(
    `is told a punch as it happens${missing}`,
    run(async (Client) => {
      const terminal = simulate(0, { ...paced, eventBytes: 52 });
      await using service = await serveTcp(terminal);
      const client = new Client(HOST, service.port, 10_000, 0);
      await client.createSocket();
      const told = new Promise<Readonly<Record<string, unknown>>>((resolve) => void client.getRealTimeLogs(resolve));
      // It takes the first answer that comes for its own: the one to the registration, after which events are told.
      await client.freeData();
      const made = terminal.punch('107');
      const { userId, attTime } = await told;
      expect(`${String(userId)} ${wallOf(attTime)}`).toBe(keyOf(made));
      await client.disconnect();
    }),
    30_000,
  );

  if (name === 'zkteco-js') return;
  test.skipIf(!Client)(
    `reads the same people and punches on UDP${missing}`,
    run(async (Client) => {
      const terminal = simulate(300, { recordBytes: 16, userBytes: 28, packetPauseMs: 2 });
      await using service = await serveUdp(terminal);
      await expectSame(Client, service, terminal);
    }),
    30_000,
  );
});
