/**
 * The event stream of the simulated terminal: heartbeats without a space after the colon, JSON over several lines, extra
 * blank lines, and the firmware that tells only of doors and faces. A stream lasts until its connection ends.
 */
import { linkedController } from '../../core/time.js';
import { fieldsJson } from './simulator-json.js';
import { plainSeconds, recordFields, type LogRecord, type State } from './simulator-state.js';

const BOUNDARY = 'myboundary';
export const STREAM_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

function part(state: State, body: string): Buffer {
  const bytes = Buffer.from(body, 'utf8');
  // Some firmware counts characters where bytes are wanted.
  const length = state.faults.has('wrong-length') ? Math.max(1, body.length - 3) : bytes.length;
  return Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\nContent-Type: text/plain\r\nContent-Length:${length}\r\n\r\n`),
    bytes,
    Buffer.from('\r\n\r\n'),
  ]);
}

const pulse = (code: string, action: string, data: unknown): string =>
  `Code=${code};action=${action};index=0;data=${JSON.stringify(data, null, 3)}\n`;

function accessData(state: State, record: LogRecord): Readonly<Record<string, unknown>> {
  const { CreateTime, CreateTimeRealUTC, RecNo, URL: snapUrl, ...rest } = fieldsJson(recordFields(state, record));
  const seconds = plainSeconds(state, record.wall);
  return {
    ...rest,
    ...(state.options.createTime === 'text' ? { CreateTime } : { UTC: seconds }),
    ...(CreateTimeRealUTC === undefined ? {} : { RealUTC: CreateTimeRealUTC }),
    ...(state.options.eventRecNo ? { RecNo } : {}),
    SnapURL: snapUrl,
  };
}

function eventsOf(state: State, codes: readonly string[], record: LogRecord): Buffer[] {
  const { events, eventStyle } = state.options;
  const wanted = (code: string): boolean => codes.includes(code) || codes.includes('All');
  const out: Buffer[] = [];
  if (events === 'access' && wanted('AccessControl') && !state.faults.has('no-events')) {
    const data = accessData(state, record);
    const flat = Object.entries(data).map(([key, value]) => `Events[0].${key}=${String(value)}`);
    const body =
      eventStyle === 'pulse'
        ? pulse('AccessControl', 'Pulse', data)
        : ['Events[0].EventBaseInfo.Code=AccessControl', 'Events[0].EventBaseInfo.Action=Pulse', ...flat, ''].join(
            '\r\n',
          );
    out.push(part(state, body));
  }
  if (events === 'door' && wanted('_DoorFace_'))
    out.push(
      part(state, pulse('_DoorFace_', 'Pulse', { Similarity: 98, UserID: record.userId, Note: 'a } in "text" {' })),
    );
  if (events !== 'none' && record.error === 0 && wanted('DoorStatus'))
    out.push(part(state, pulse('DoorStatus', 'Pulse', { Relation: [0], Status: 'Open' })));
  return out;
}

/** Pieces of the stream until the signal aborts. */
export async function* eventPieces(
  state: State,
  query: URLSearchParams,
  gone: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const codes = (query.get('codes') ?? '[All]').replace(/[[\]]/g, '').split(',');
  const heartbeatMs = Number(query.get('heartbeat') ?? '0') * 1000;
  const waiting: Buffer[] = [];
  let wake: () => void = () => undefined;
  const hear = (record: LogRecord): void => {
    waiting.push(...eventsOf(state, codes, record));
    wake();
  };
  state.ears.add(hear);
  const aborted = new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }));
  let beatAt = state.setup.wire.ticks() + heartbeatMs;
  try {
    while (!gone.aborted) {
      const next = waiting.shift();
      if (next) {
        yield next;
        continue;
      }
      const left = heartbeatMs > 0 ? beatAt - state.setup.wire.ticks() : Infinity;
      if (left <= 0) {
        beatAt += heartbeatMs;
        if (!state.faults.has('heartbeat-lost')) yield part(state, 'Heartbeat');
        continue;
      }
      const rung = new Promise<void>((resolve) => (wake = resolve));
      const timer = linkedController(gone);
      const slept = Number.isFinite(left) ? state.setup.wire.sleep(left, timer.signal).catch(() => undefined) : aborted;
      await Promise.race([rung, slept, aborted]);
      timer.end();
    }
  } finally {
    state.ears.delete(hear);
  }
}
