import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import pg from 'pg';
import { vi } from 'vitest';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { type Answer, get, post } from './http.ts';
import { makeEvent, type WireEvent } from './make-event.ts';
import { operatorKey } from './operations.ts';
import { type OwnServer, ownPostgres, ownRedis } from './own-servers.ts';
import { type S3Server, startS3Server } from './s3-server.ts';
import { type DaemonName, startTestDaemon, type TestDaemon } from './test-daemon.ts';

/** How long a test waits for what must happen: for a machine that hangs, not a slow one. */
export const PATIENCE = { timeout: 180_000, interval: 30 };

const NAMESPACE = 'planted';
/** Key of the only stream. */
export const STREAM = `${NAMESPACE}:{events:0}`;

/** All four daemons on their own servers, with a secret wherever one can be configured. */
export interface PlantedDaemons {
  /** By where they were planted; `plant` adds one. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly plant: (where: string, text?: string) => string;
  readonly apiKey: string;
  /** For the tenant `acme`. */
  readonly tenantKey: string;
  readonly operatorsKey: string;
  readonly databasePassword: string;
  readonly webhookPath: string;
  readonly daemons: ReadonlyMap<DaemonName, TestDaemon>;
  readonly redisServer: OwnServer;
  readonly postgres: OwnServer;
  readonly s3: S3Server;
  readonly receiver: OtlpReceiver;
  /** Connections that the daemons don't share; the daemons are the role `planter`. */
  readonly redis: Redis;
  readonly admin: pg.Pool;
  /** Paths requested from the webhook; it refuses the first notice. */
  readonly hookPaths: ReadonlySet<string>;
  /** The answers of `/metrics` and the health endpoints to each `lookAround`. */
  readonly told: readonly string[];
  readonly lookAround: () => Promise<void>;
  /** Waits until a daemon has written a line with this message. */
  readonly seen: (name: DaemonName, message: string, more?: RegExp) => Promise<void>;
  /** @returns the status of an event sent with this key */
  readonly send: (key: string, event?: WireEvent) => Promise<number>;
  /** Asks the query API with a key of every scope. */
  readonly ask: (method: string, path: string, body?: object) => Promise<Answer>;
  readonly stop: () => Promise<void>;
}

export async function startPlantedDaemons(): Promise<PlantedDaemons> {
  const secrets = new Map<string, string>();
  const plant = (where: string, text = `planted${randomBytes(9).toString('hex')}`): string => {
    secrets.set(where, text);
    return text;
  };
  const apiKey = plant('API_KEY');
  const tenantKey = plant('a key of API_KEYS');
  const operatorsKey = plant('a key of OPERATOR_KEYS');
  const databasePassword = plant('the password of Postgres');
  const redisPassword = plant('the password of Redis');
  const webhookPath = plant('the path of the webhook');
  const operator = operatorKey('ada', operatorsKey);
  plant('OPERATOR_KEYS', operator.split(':')[1]);

  const [redisServer, postgres, s3, receiver] = await Promise.all([
    ownRedis({ requirepass: redisPassword }),
    ownPostgres(),
    startS3Server(),
    startOtlpReceiver(),
  ]);
  const redis = new Redis(redisServer.url, { replyMapping: 'legacy', retryStrategy: () => 50 });
  redis.on('error', () => {});
  const admin = new pg.Pool({ connectionString: postgres.url, max: 2 });
  admin.on('error', () => {});
  await admin.query(`CREATE ROLE planter SUPERUSER LOGIN PASSWORD '${databasePassword}'`);
  const hookPaths = new Set<string>();
  let notices = 0;
  const hook = createServer((request, response) => {
    hookPaths.add(request.url ?? '');
    notices += 1;
    response.writeHead(notices === 1 ? 500 : 204).end();
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;

  const env = {
    LOG_LEVEL: 'trace',
    REDIS_URL: redisServer.url,
    DATABASE_URL: withLogin(postgres.url, 'planter', databasePassword),
    SLUICE_NAMESPACE: NAMESPACE,
    KEY_REFRESH_MS: '100',
    OTEL_EXPORTER_OTLP_ENDPOINT: withLogin(receiver.endpoint, 'collector', plant('the login of the collector')),
    OTEL_EXPORTER_OTLP_HEADERS: `x-key=${plant('OTEL_EXPORTER_OTLP_HEADERS')}`,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  };
  const exports = {
    EXPORT_SCHEDULE: 'manual',
    EXPORT_ALLOW_PRIVATE: 'true',
    EXPORT_ENCRYPTION_KEYS: `k1:${plant('EXPORT_ENCRYPTION_KEYS', randomBytes(32).toString('base64'))}`,
    CLIENT_S3_BUCKET: 'client',
    CLIENT_S3_ENDPOINT: s3.endpoint,
    CLIENT_S3_PATH_STYLE: 'true',
    CLIENT_S3_ACCESS_KEY: plant('CLIENT_S3_ACCESS_KEY'),
    CLIENT_S3_SECRET_KEY: plant('CLIENT_S3_SECRET_KEY'),
  };
  const daemons = new Map<DaemonName, TestDaemon>();
  const start = async (name: DaemonName, more: Record<string, string>): Promise<void> => {
    daemons.set(name, await startTestDaemon(name, { ...env, ...more }));
  };
  const seen = (name: DaemonName, message: string, more = /./): Promise<void> =>
    vi.waitFor(() => {
      const daemon = daemons.get(name)!;
      if (!daemon.log().some((line) => line['msg'] === message && more.test(JSON.stringify(line))))
        throw new Error(`${name} has not said "${message}" (${more}):\n${daemon.output().slice(-3_000)}`);
    }, PATIENCE);
  // The writer makes the schema.
  await start('writer-worker', { WRITER_NAME: 'writer' });
  await seen('writer-worker', 'database is ready');
  const hash = createHash('sha256').update(tenantKey).digest('hex');
  await Promise.all([
    start('ingest-api', { API_KEY: apiKey, API_KEYS: `acme:${plant('API_KEYS', hash)}` }),
    start('query-api', { ...exports, API_KEY: apiKey, OPERATOR_KEYS: operator }),
    start('maintenance-worker', {
      ...exports,
      EXPORT_WEBHOOK_URL: `${withLogin(hookUrl, 'hook', plant('the login of the webhook'))}/${webhookPath}`,
      EXPORT_WEBHOOK_SECRET: plant('EXPORT_WEBHOOK_SECRET'),
    }),
  ]);

  const told: string[] = [];
  return {
    secrets,
    plant,
    apiKey,
    tenantKey,
    operatorsKey,
    databasePassword,
    webhookPath,
    daemons,
    redisServer,
    postgres,
    s3,
    receiver,
    redis,
    admin,
    hookPaths,
    told,
    seen,
    async lookAround() {
      for (const { url } of daemons.values()) {
        for (const path of ['/metrics', '/health', '/ready', '/live']) {
          told.push(JSON.stringify((await get(`${url}${path}`)).body));
        }
      }
    },
    async send(key, event = {}) {
      const url = `${daemons.get('ingest-api')!.url}/api/events`;
      return (await post(url, { events: [makeEvent(event)] }, { 'x-api-key': key })).status;
    },
    async ask(method, path, body) {
      const response = await fetch(`${daemons.get('query-api')!.url}${path}`, {
        method,
        headers: { 'x-api-key': apiKey, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : text;
      return { status: response.status, headers: response.headers, body: parsed };
    },
    async stop() {
      redis.disconnect();
      await Promise.all([...daemons.values()].map((daemon) => daemon.stop()));
      await admin.end();
      hook.close();
      await Promise.all([redisServer.remove(), postgres.remove(), s3.close(), receiver.stop()]);
    },
  };
}

function withLogin(url: string, user: string, password: string): string {
  const parsed = new URL(url);
  parsed.username = user;
  parsed.password = password;
  return parsed.href.replace(/\/$/, '');
}
