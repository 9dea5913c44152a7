/**
 * The terminals of the classroom: every driver's simulator on the transport that it has in the field. Four of those that
 * call share one port of the gateway, so that the first bytes decide. The faults of each are those that a terminal gets
 * over by itself once they end, as its README tells; faults that lie for ever (a cleared log, another date) are left out.
 */

/** A fault and the values that it is given; `''` where it takes none. */
export interface FaultPlan {
  readonly name: string;
  readonly values: readonly string[];
}

/** Where the parts meet: free ports of loopback, and both ends of each serial cable. */
export interface Places {
  /** The port that terminals call. */
  readonly shared: number;
  /** The port that the anonymous caller's wire is listened to on. */
  readonly relay: number;
  readonly port: (id: string) => number;
  readonly cable: (id: string) => { readonly gateway: string; readonly terminal: string };
}

export interface Seat {
  readonly id: string;
  readonly driver: string;
  readonly serial: string;
  /** How the gateway names it. */
  readonly reach: (places: Places) => string;
  /** The other end of a cable, or a relay; else as the gateway names it. */
  readonly terminalReach?: (places: Places) => string;
  /** Options of the simulator, `key=value`. */
  readonly simulator: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** Options that are secrets: the settings name the files they are written to. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly faults: readonly FaultPlan[];
  readonly serialLine: boolean;
}

const fault = (name: string, ...values: readonly string[]): FaultPlan => ({
  name,
  values: values.length === 0 ? [''] : values,
});

const ANY_WIRE = [
  fault('fragment', '1', '3', '7', '40'),
  fault('coalesce'),
  fault('delay', '20', '100', '400'),
  fault('drop-after-n-bytes', '40', '300', '2000'),
  fault('no-answer', '1', '2', '3'),
];
const DATAGRAMS = [
  fault('delay', '20', '100', '400'),
  fault('no-answer', '1', '2', '3'),
  fault('lose', '0.05', '9'),
  fault('repeat', '0.1', '4'),
  fault('reorder', '0.1', '5'),
];
const CHECKED = fault('corrupt-checksum', '3', '7');
const LINE = [fault('line-noise', '2', '6', '20'), fault('echo')];

const dialled = (scheme: string, id: string) => (places: Places) => `${scheme}://127.0.0.1:${places.port(id)}`;
const calling = (scheme: string) => (places: Places) => `${scheme}-listen://127.0.0.1:${places.shared}`;
const cabled = (id: string, baud: number) => ({
  reach: (places: Places) => `serial://${places.cable(id).gateway}?baud=${baud}`,
  terminalReach: (places: Places) => `serial://${places.cable(id).terminal}?baud=${baud}`,
});

const plain = { simulator: [], options: {}, secrets: {}, faults: [], serialLine: false };

const ZK_FAULTS = [
  CHECKED,
  fault('busy-error', '1', '2'),
  fault('interleave-event', '1', '3'),
  fault('duplicate-record'),
  fault('refuse-data', '1'),
  fault('chunk-error', '1'),
  fault('reboot-mid-transfer', '1'),
  fault('session-stolen', '1'),
  fault('second-session-refused', '1'),
  fault('repeat-events'),
];
const ANVIZ_FAULTS = [
  CHECKED,
  fault('busy-error', '1', '2'),
  fault('interleave-event', '1', '3'),
  fault('heartbeat'),
  fault('duplicate-record'),
  fault('reboot-mid-transfer', '1'),
];

export const FLEET: readonly Seat[] = [
  {
    ...plain,
    ...{ id: 'zk-tcp', driver: 'zk-standalone', serial: 'ZKTCP00001', reach: dialled('tcp', 'zk-tcp') },
    simulator: ['commKey=4711'],
    options: { recountMinutes: 1, keepAliveSeconds: 5 },
    secrets: { commKey: '4711' },
    faults: [...ANY_WIRE, ...ZK_FAULTS],
  },
  {
    ...plain,
    ...{ id: 'zk-udp', driver: 'zk-standalone', serial: 'ZKUDP00002', reach: dialled('udp', 'zk-udp') },
    options: { recountMinutes: 1, keepAliveSeconds: 5 },
    faults: [...DATAGRAMS, ...ZK_FAULTS],
  },
  {
    ...plain,
    ...{ id: 'anviz-line', driver: 'anviz-tcb', serial: 'ANVIZLINE3', ...cabled('anviz-line', 9600) },
    options: { realTime: true, pollSeconds: 5 },
    faults: [...ANY_WIRE, ...ANVIZ_FAULTS, ...LINE],
    serialLine: true,
  },
  {
    ...plain,
    ...{ id: 'anviz-calls', driver: 'anviz-tcb', serial: 'ANVIZCALL4', reach: calling('tcp') },
    simulator: ['redialSeconds=2', 'heartbeatSeconds=10', 'authPassword=55778'],
    options: { realTime: true, pollSeconds: 5 },
    secrets: { authPassword: '55778' },
    faults: [...ANY_WIRE, ...ANVIZ_FAULTS, fault('half-open')],
  },
  {
    ...plain,
    ...{ id: 'zk-push', driver: 'zk-push', serial: 'ZKPUSH0005', reach: calling('http') },
    simulator: ['backlog=all', 'threads=2'],
    options: { delaySeconds: 2, errorDelaySeconds: 30, quietSeconds: 3 },
    faults: [
      ...ANY_WIRE,
      fault('interleave-event'),
      fault('no-result'),
      fault('result-first'),
      fault('query-dropped', '1'),
      fault('duplicate-body', '1', '3'),
      fault('duplicate-record'),
      fault('nul-bytes'),
      fault('busy-error', '1', '2'),
      fault('reboot-mid-transfer', '1'),
      fault('close-mid-body', '1', '2'),
      fault('photo', 'before', 'after'),
      fault('unasked-tables'),
    ],
  },
  {
    ...plain,
    ...{ id: 'aiface', driver: 'aiface-ws', serial: 'AIFACE0006', reach: calling('ws') },
    simulator: ['reconnectSeconds=1', 'heartbeatSeconds=10', 'pushBacklog=true'],
    options: { keepAliveSeconds: 10 },
    faults: [
      ...ANY_WIRE,
      fault('busy-error', '1', '2'),
      fault('interleave-event'),
      fault('duplicate-record'),
      fault('lost-page', '1'),
      fault('late-answer'),
      fault('reboot-mid-transfer'),
      fault('image', '40'),
      fault('enrol-push'),
      fault('door-event'),
      fault('stranger'),
      fault('gbk-name'),
      fault('trailing-comma'),
      fault('nul-end'),
    ],
  },
  {
    ...plain,
    ...{ id: 'hikvision', driver: 'hikvision-isapi', serial: 'DSHIK00007', reach: dialled('http', 'hikvision') },
    simulator: ['authPassword=Hik-7007', 'heartbeatSeconds=2', 'doorEvents=true'],
    options: { pollSeconds: 10 },
    secrets: { authPassword: 'Hik-7007' },
    faults: [
      ...ANY_WIRE,
      fault('busy-error', '1', '2'),
      fault('error-inside-ok', '1'),
      fault('xml-in-json'),
      fault('duplicate-record', '1', '3'),
      fault('interleave-event'),
      fault('reboot-mid-transfer'),
      fault('lost-event', '1', '3'),
      fault('stream-drop', '1', '4'),
      fault('stream-refused'),
      fault('no-heartbeat'),
    ],
  },
  {
    ...plain,
    ...{ id: 'fcard-line', driver: 'fcard', serial: 'FC-8200H00000008', ...cabled('fcard-line', 19_200) },
    simulator: ['commPassword=1234ABCD'],
    options: { pollSeconds: 5 },
    secrets: { commPassword: '1234ABCD' },
    faults: [
      ...ANY_WIRE,
      ...LINE,
      CHECKED,
      fault('busy-error', '1', '2'),
      fault('interleave-event', '1', '3'),
      fault('duplicate-record'),
      fault('lost-packet', '3'),
      fault('read-index-moves'),
      fault('connection-test'),
      fault('reboot-mid-transfer', '1'),
    ],
    serialLine: true,
  },
  {
    ...plain,
    ...{ id: 'fcard-http', driver: 'fcard-http', serial: 'FC-8300H00000009', reach: calling('http') },
    simulator: ['keepAliveSeconds=2', 'answerSeconds=5', 'againSeconds=2', 'photoBytes=3000'],
    options: { quietSeconds: 3, silenceSeconds: 60 },
    faults: [
      ...ANY_WIRE,
      fault('busy-error'),
      fault('interleave-event'),
      fault('duplicate-record'),
      fault('no-remote'),
    ],
  },
  {
    ...plain,
    ...{ id: 'hanvon', driver: 'hanvon-faceid', serial: 'HANVON0010', reach: dialled('tcp', 'hanvon') },
    simulator: ['commKey=20501', 'photoBytes=300'],
    secrets: { commKey: '20501' },
    faults: [
      ...ANY_WIRE,
      CHECKED,
      fault('busy-error', '1', '2'),
      fault('wait', '1', '2'),
      fault('close-without-return'),
      fault('two-returns'),
      fault('duplicate-record'),
      fault('reboot-mid-transfer', '1', '10'),
      fault('second-session-refused'),
    ],
  },
  {
    ...plain,
    ...{ id: 'dahua', driver: 'dahua-asi', serial: 'DHASI00011', reach: dialled('http', 'dahua') },
    simulator: ['authPassword=Dahua-1100'],
    options: { heartbeatSeconds: 2, countMinutes: 1, keepAliveSeconds: 10 },
    secrets: { authPassword: 'Dahua-1100' },
    faults: [
      ...ANY_WIRE,
      fault('busy-error', '1', '2'),
      fault('duplicate-record'),
      fault('gbk-name'),
      fault('heartbeat-lost'),
      fault('interleave-event', '1', '2'),
      fault('no-events'),
      fault('wrong-length'),
    ],
  },
];

/** Calls the shared port under a serial number that nobody has adopted, and brings records that nobody fetched. */
export const STRANGER: Seat = {
  ...plain,
  ...{ id: 'stranger', driver: 'aiface-ws', serial: 'STRANGER99', reach: calling('ws') },
  terminalReach: (places) => `ws-listen://127.0.0.1:${places.relay}`,
  simulator: ['reconnectSeconds=2', 'heartbeatSeconds=5', 'pushBacklog=true'],
};
