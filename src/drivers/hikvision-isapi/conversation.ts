/**
 * One request and its answer, as ISAPI means it: asked again when nothing answers or the terminal is busy, read as XML or JSON
 * whatever the header says, and an error even when the status is 200. Keeps no state but the connection. A refusal carries the
 * terminal's own word for it, so that callers can try the other way; a peer that is a web server of another kind is `wrong-protocol`.
 */
import { hex } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import type { HttpAnswer, HttpClient, HttpStream } from '../http-client.js';
import { readTree, statusOf, type Status } from './codec.js';
import type { HikOptions } from './options.js';
import { writeXml, type Tree } from './xml.js';

export interface HikAnswer {
  readonly tree: Tree;
  /** Null when the answer is data without a status. */
  readonly status: Status | null;
}

export interface HikRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** Sent as JSON. */
  readonly json?: Tree;
  /** Sent as XML: the root element and what is in it. */
  readonly xml?: { readonly root: string; readonly tree: Tree };
  readonly waitingFor: string;
  /** Asked again when nothing answers, unless false. */
  readonly again?: boolean;
}

export interface Conversation {
  /** The answer when it is good; throws `HikRefusal` when the terminal says that it is not. */
  ask(request: HikRequest): Promise<HikAnswer>;
  stream(path: string, waitingFor: string, signal: AbortSignal): Promise<HttpStream>;
}

/** What the terminal said no with. */
export interface HikRefusal {
  readonly httpStatus: number;
  readonly status: Status | null;
}

const refusals = new WeakMap<GatewayError, HikRefusal>();

export const refusalOf = (error: unknown): HikRefusal | null =>
  error instanceof GatewayError ? (refusals.get(error) ?? null) : null;

const BUSY = 2;
const DEVICE_ERROR = 3;
const REBOOT_NEEDED = 7;
const BUSY_TRIES = 4;
const BUSY_PAUSE_MS = 1500;

function refuse(request: HikRequest, httpStatus: number, status: Status | null): GatewayError {
  const reason = status ? `status ${status.code} ${status.sub} ${status.field}`.trim() : `HTTP status ${httpStatus}`;
  const error = fail('bad-reply', { request: request.waitingFor, reason, reasonZh: reason });
  refusals.set(error, { httpStatus, status });
  return error;
}

export function createConversation(
  http: HttpClient,
  options: HikOptions,
  wire: Wire,
  signal: AbortSignal,
): Conversation {
  let known = false;

  const judge = (request: HikRequest, answer: HttpAnswer): HikAnswer => {
    if (answer.status === 401) throw fail('auth-refused');
    const tree = answer.body.length === 0 ? null : readTree(answer.body);
    if (!tree) {
      // Printers and panels answer too. Only who has never spoken ISAPI is a stranger.
      if (!known) throw fail('wrong-protocol', { driver: 'hikvision-isapi', window: hex(strange(answer)) });
      throw refuse(request, answer.status, null);
    }
    known = true;
    const status = statusOf(tree);
    const good = status
      ? status.code === 1 || status.code === 0 || status.code === REBOOT_NEEDED
      : answer.status === 200;
    if (!good) throw refuse(request, answer.status, status);
    return { tree, status };
  };

  return {
    async ask(request) {
      const { json, xml } = request;
      for (let tries = 1; ; tries += 1) {
        const answer = await http.ask({
          method: request.method,
          path: request.path,
          waitingFor: request.waitingFor,
          timeoutMs: options.answerTimeoutMs,
          ...(request.again === false ? { once: true } : { retries: options.retries }),
          ...(json
            ? { body: JSON.stringify(json), headers: { 'Content-Type': 'application/json; charset="UTF-8"' } }
            : xml
              ? { body: writeXml(xml.root, xml.tree), headers: { 'Content-Type': 'application/xml; charset="UTF-8"' } }
              : {}),
        });
        try {
          return judge(request, answer);
        } catch (error) {
          const code = refusalOf(error)?.status?.code;
          const passing = code === BUSY || (code === DEVICE_ERROR && request.again !== false);
          if (!passing || tries >= BUSY_TRIES) throw error;
        }
        await wire.clock.sleep(BUSY_PAUSE_MS, signal);
      }
    },
    async stream(path, waitingFor, until) {
      return http.stream({ method: 'GET', path, waitingFor, timeoutMs: options.answerTimeoutMs, signal: until });
    },
  };
}

/** The first bytes of the answer as they were on the wire, as near as can be told. */
function strange(answer: HttpAnswer): Uint8Array {
  return answer.body.length > 0
    ? answer.body.subarray(0, 16)
    : Buffer.from(`HTTP/1.1 ${answer.status} `, 'latin1').subarray(0, 16);
}
