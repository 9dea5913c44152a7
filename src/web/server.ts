/**
 * The HTTP side: `/healthz` (200 or 503, no content), `/readyz` (JSON), `/metrics` (Prometheus) and the status page.
 * Everything here is read-only and shows no persons. Limits are those of security S13 and S16; a request whose Host is
 * not one of ours is refused, so that a foreign web page cannot read this one (S10).
 */
import { isIP } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { fail, systemCode } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { Unit } from '../core/unit.js';
import { createMetrics } from './metrics.js';
import { PAGE_CSS, PAGE_HTML, PAGE_JS } from './page.js';
import type { GatewayStatus } from './status.js';

export interface WebOptions {
  readonly host: string;
  readonly port: number;
  readonly status: () => GatewayStatus;
  /** False while the process cannot do its work at all. */
  readonly healthy: () => boolean;
  readonly log: Log;
}

export interface Web {
  /** Opens the port; throws `port-in-use` or `port-refused`. */
  listen(): Promise<void>;
  /** The address it listens on, once it does. */
  url(): string;
  readonly unit: Unit;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** `localhost`, addresses and the machine's own name are ours; a DNS name that someone else made point here is not. */
function hostIsOurs(hostname: string, own: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === own || isIP(bare) !== 0;
}

function createApp(options: WebOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: 65_536,
    requestTimeout: 15_000,
    connectionTimeout: 30_000,
    keepAliveTimeout: 15_000,
    http: { maxHeaderSize: 16_384, headersTimeout: 5000 },
    logger: false,
  });
  app.server.maxConnections = 256;
  const metrics = createMetrics();

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (!hostIsOurs(request.hostname, options.host)) await reply.code(421).send();
  });
  app.setErrorHandler(async (error, request, reply) => {
    options.log.error(
      { request: request.id, url: request.routeOptions.url },
      error instanceof Error ? error.message : 'request failed',
    );
    const given = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    return reply.code(given >= 400 && given < 600 ? given : 500).send({ error: request.id });
  });

  app.get('/healthz', async (_request, reply) => reply.code(options.healthy() ? 200 : 503).send());
  app.get('/readyz', async (_request, reply) => {
    const status = options.status();
    return reply.code(status.ready ? 200 : 503).send(status);
  });
  app.get('/metrics', async (_request, reply) => {
    const { type, body } = await metrics(options.status());
    return reply.type(type).send(body);
  });
  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE_HTML));
  app.get('/page.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(PAGE_CSS));
  app.get('/page.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(PAGE_JS));
  return app;
}

export function createWeb(options: WebOptions): Web {
  const app = createApp(options);
  let address = '';
  return {
    async listen() {
      try {
        address = await app.listen({ host: options.host, port: options.port });
      } catch (error) {
        const reason = systemCode(error) ?? 'unknown';
        await app.close();
        throw fail(
          reason === 'EADDRINUSE' ? 'port-in-use' : 'port-refused',
          { host: options.host, port: options.port, reason },
          error,
        );
      }
    },
    url: () => address,
    unit: {
      name: 'web',
      async run(signal) {
        try {
          await new Promise<void>((resolve) => {
            if (signal.aborted) resolve();
            else signal.addEventListener('abort', () => resolve(), { once: true });
          });
        } finally {
          app.server.closeAllConnections();
          await app.close();
        }
      },
    },
  };
}
