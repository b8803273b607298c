import { createHash, randomUUID } from 'node:crypto';
import { inject, vi } from 'vitest';
import { type Answer, get } from './http.ts';
import { makeEvent, type WireEvent } from './make-event.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { startTestDaemon, type TestDaemon } from './test-daemon.ts';

/** The part of the answer of `GET /api/dead-letters/replays/{id}` that tests read. */
export interface Replay {
  id: string;
  state: string;
  matched: number;
  replayed: number;
  stored: number;
  duplicates: number;
  failed: number;
  skipped: number;
  pending: number;
  error: string | null;
}

/** A pipeline with a query API, and maintenance workers on request. */
export interface Operations {
  readonly pipeline: Pipeline;
  readonly query: TestDaemon;
  /** Asks the query API; `key` is sent as X-API-Key. */
  readonly ask: (method: string, path: string, body?: unknown, key?: string) => Promise<Answer>;
  /** Starts a maintenance worker; it is stopped with everything else. */
  readonly startMaintenance: (env?: Record<string, string>) => Promise<TestDaemon>;
  /**
   * Writes dead letters as a writer would have: events of the type `Poison`, which `refusePoison` makes the
   * database refuse.
   *
   * @returns their ids
   */
  readonly seed: (count: number, properties?: SeedProperties) => Promise<string[]>;
  /** Makes the database refuse events of the type `Poison`. */
  readonly refusePoison: () => Promise<void>;
  /** Waits until a replay is in one of these states. */
  readonly replayIn: (id: string, ...states: string[]) => Promise<Replay>;
  stop(): Promise<void>;
}

/** How seeded dead letters differ from the usual ones. */
export interface SeedProperties {
  readonly tenant?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly firstFailedAt?: string;
  readonly traceparent?: string;
  readonly event?: WireEvent;
}

/** How long a test waits for what must happen: for a machine that hangs, not a slow one. */
const PATIENCE = { timeout: 180_000, interval: 20 };

/** A key in the form of OPERATOR_KEYS. */
export function operatorKey(who: string, key: string): string {
  return `${who}:${createHash('sha256').update(key).digest('hex')}`;
}

/**
 * Starts a pipeline without a writer, and a query API.
 *
 * @param env of the query API
 * @param options.ingest false for tests that send no events: a start takes a second of processor time
 */
export async function startOperations(
  env: Record<string, string> = {},
  options: { ingest?: boolean } = {},
): Promise<Operations> {
  const pipeline = await startPipeline(options);
  const { database, namespace } = pipeline;
  const shared = { REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: namespace, DATABASE_URL: database.url };
  const query = await startTestDaemon('query-api', { ...shared, ...env });
  const workers: TestDaemon[] = [];
  const ask = (method: string, path: string, body?: unknown, key?: string): Promise<Answer> =>
    request(`${query.url}${path}`, method, body, key);
  return {
    pipeline,
    query,
    ask,
    async startMaintenance(more = {}) {
      const worker = await startTestDaemon('maintenance-worker', {
        ...shared,
        ENABLE_BACKGROUND_TASKS: 'false',
        ...more,
      });
      workers.push(worker);
      return worker;
    },
    async seed(count, properties = {}) {
      const { tenant = 'default', reason = 'invalid_value', message = 'poisoned', traceparent = null } = properties;
      const events = Array.from({ length: count }, () => makeEvent({ eventType: 'Poison', ...properties.event }));
      const origins = events.map((_, index) => ({
        batch_id: randomUUID(),
        index,
        received_at: '2026-01-31T09:30:00.000Z',
        client_ip: '192.0.2.7',
        traceparent,
      }));
      const entry = randomUUID();
      const rows = await database.query<{ id: string }>(
        `INSERT INTO dead_letters (tenant, event_id, event_type, source, reason, sqlstate, message, payload, origin, stream,
                                   entry_id, entry_index, trace_id, first_failed_at, last_failed_at)
         SELECT $1, (payload->>'eventId')::uuid, payload->>'eventType', 'governance-tracker', $2, '22023', $3, payload, origin,
                'seed', $4, at, $5, coalesce($6::timestamptz, now()), coalesce($6::timestamptz, now())
         FROM unnest($7::jsonb[], $8::jsonb[]) WITH ORDINALITY AS i (payload, origin, at) ORDER BY at RETURNING id`,
        [
          tenant,
          reason,
          message,
          entry,
          traceparent?.split('-')[1] ?? null,
          properties.firstFailedAt ?? null,
          events.map((event) => JSON.stringify(event)),
          origins.map((origin) => JSON.stringify(origin)),
        ],
      );
      return rows.map((row) => row.id);
    },
    async refusePoison() {
      await database.query(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
          RETURN NEW;
        END $$`);
      await database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
    },
    replayIn: (id, ...states) =>
      vi.waitFor(async () => {
        const { body } = await ask('GET', `/api/dead-letters/replays/${id}`, undefined, 'the-key');
        if (!states.includes(body.state)) throw new Error(`replay ${id} is ${JSON.stringify(body)}`);
        return body as Replay;
      }, PATIENCE),
    async stop() {
      await Promise.all([query, ...workers].map((daemon) => daemon.stop()));
      const keys = await pipeline.redis.keys(`{${namespace}:jobs}*`);
      if (keys.length > 0) await pipeline.redis.del(keys);
      await pipeline.stop();
    },
  };
}

async function request(url: string, method: string, body: unknown, key: string | undefined): Promise<Answer> {
  if (method === 'GET') return get(url, key === undefined ? {} : { 'x-api-key': key });
  const response = await fetch(url, {
    method,
    headers: {
      ...(key === undefined ? {} : { 'x-api-key': key }),
      // An API that runs open takes no other POST, also without a body.
      ...(body === undefined && method !== 'POST' ? {} : { 'content-type': 'application/json' }),
    },
    body: typeof body === 'string' ? body : body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: json ? (JSON.parse(text) as unknown) : text };
}
