import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CODES_OF, type QueryErrorCode } from '@sluice/errors/api-errors';
import { freePort } from '@sluice/local-stack/free-port';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get, post } from '@sluice/testkit/http';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { exchange, openConnection, type RawAnswer, sendRaw } from '@sluice/testkit/raw-http';
import { testKey } from '@sluice/testkit/stored-keys';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

const KEY = { 'x-api-key': 'the-key' };

let operations: Operations;
let alone: TestDaemon;
let open: TestDaemon;
let id: string;
beforeAll(async () => {
  const nobody = await freePort();
  [operations, alone, open] = await Promise.all([
    startOperations(
      {
        API_KEY: 'the-key',
        OPERATOR_KEYS: operatorKey('ada@acme', 'a'),
        REQUEST_TIMEOUT_MS: '500',
        STATEMENT_TIMEOUT_MS: '300',
        TAIL_STREAMS_PER_KEY: '0',
      },
      { ingest: false },
    ),
    startTestDaemon('query-api', {
      API_KEY: 'the-key',
      DATABASE_URL: `postgres://127.0.0.1:${nobody}/nothing`,
      REDIS_URL: `redis://127.0.0.1:${nobody}`,
    }),
    startTestDaemon('query-api', { DATABASE_URL: `postgres://127.0.0.1:${nobody}/nothing` }),
  ]);
  [id] = (await operations.seed(1)) as [string];
});
afterAll(() => Promise.all([operations.stop(), alone.stop(), open.stop()]));

const ask = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, 'the-key');
const patch = (body: unknown) => ask('PATCH', `/api/dead-letters/${id}`, body);
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

/** How to cause each error, and what its message names. */
const ERRORS: Record<QueryErrorCode, { by: () => Promise<Answer | RawAnswer>; message: RegExp }> = {
  malformed_json: { by: () => patch('{"payload":'), message: /not JSON/ },
  invalid_encoding: { by: badEncoding, message: /UTF-8/ },
  nesting_too_deep: { by: () => patch({ payload: { deep: nested(32) } }), message: /nested 32 deep/ },
  forbidden_property: { by: () => patch('{"payload":{"__proto__":1}}'), message: /__proto__/ },
  invalid_body: { by: () => patch({ payload: {}, colour: 'red' }), message: /colour/ },
  invalid_request: { by: () => ask('GET', '/api/dead-letters?limit=0'), message: /limit/ },
  unauthorized: { by: () => operations.ask('GET', '/api/dead-letters'), message: /X-API-Key/ },
  tenant_mismatch: { by: () => operations.ask('GET', '/api/dead-letters?tenant=x', undefined, 'a'), message: /acme/ },
  not_found: { by: () => ask('GET', '/api/dead-letters/999'), message: /999/ },
  method_not_allowed: { by: () => ask('PUT', '/api/dead-letters', {}), message: /GET, not PUT/ },
  request_timeout: {
    by: () =>
      sendRaw(operations.query.url, 'POST /api/dead-letters/discards HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n'),
    message: /too long/,
  },
  body_too_large: { by: () => patch(' '.repeat(2 * 1024 * 1024 + 1)), message: /2097152 bytes/ },
  too_many_values: {
    by: () => patch(`{"payload":[${'0,'.repeat(25_000)}0]}`),
    message: /more than 25000 values/,
  },
  unsupported_media_type: { by: notJson, message: /application\/json; it is text\/xml/ },
  headers_too_large: {
    by: () => sendRaw(operations.query.url, `GET /live HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`),
    message: /headers/,
  },
  conflict: { by: () => patch({ payload: {}, version: '1' }), message: /version 1/ },
  event_rejected: { by: () => patch({ payload: {} }), message: /eventType/ },
  event_id_changed: {
    by: () => patch({ payload: { eventType: 'x', timestamp: '2026-01-31T09:30:00Z' } }),
    message: /must stay/,
  },
  no_encryption_key: {
    by: () =>
      ask('PUT', '/export/config', {
        destination: { kind: 's3', bucket: 'events', credentials: { access_key_id: 'x', secret_access_key: 'y' } },
      }),
    message: /EXPORT_ENCRYPTION_KEYS/,
  },
  internal_error: { by: missingColumn, message: /log has the details/ },
  schema_missing: { by: missingTable, message: /audit_log.*\/health/ },
  privilege_missing: { by: missingPrivilege, message: /permission denied for table audit_log/ },
  too_many_streams: {
    by: () => ask('GET', '/api/events/stream'),
    message: /0 answers of this kind open; the limit is 0/,
  },
  database_unavailable: { by: () => get(`${alone.url}/api/dead-letters`, KEY), message: /PostgreSQL/ },
  redis_unavailable: { by: () => get(`${alone.url}/api/queue`, KEY), message: /Redis/ },
  query_timeout: { by: whileLocked, message: /in time/ },
  forbidden: { by: () => operations.ask('GET', '/api/keys', undefined, 'a'), message: /scope "admin"/ },
  keys_unavailable: {
    by: () => get(`${alone.url}/api/queue`, { 'x-api-key': testKey().key }),
    message: /not known .* yet/,
  },
  rate_limited: { by: askTwice, message: /More than 1 requests in a minute/ },
  shutting_down: { by: requestDuringStop, message: /stopping/ },
  misdirected_request: {
    by: () => sendRaw(open.url, 'GET /api/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n'),
    message: /"evil\.example"\. Add the name to ALLOWED_HOSTS/,
  },
  cross_site_request: {
    by: () => post(`${open.url}/export/run`, {}, { origin: 'https://evil.example' }),
    message: /pages of other sites\. Add their origin to CORS_ORIGINS/,
  },
  unread_answers: {
    by: () => whileUnread(['default', 'default', 'default']),
    message: /to this tenant that are not read yet/,
  },
  overloaded: { by: () => whileUnread(['acme', 'globex', 'default']), message: /fill the memory/ },
};

describe.each(CODES_OF.query)('%s', (code) => {
  it('is answered with its status, in the one shape of all errors, naming what is wrong', async () => {
    const answer = await ERRORS[code].by();
    if (code === 'event_rejected') {
      const { errors, ...body } = answer.body as Record<string, unknown>;
      expect(errors).toEqual([{ code: 'missing_field', field: 'eventType', message: expect.any(String) as string }]);
      return expectError({ ...answer, body }, code, ERRORS[code].message);
    }
    expectError(answer, code, ERRORS[code].message);
    const comesBack = [
      'rate_limited',
      'keys_unavailable',
      'database_unavailable',
      'redis_unavailable',
      'shutting_down',
      'too_many_streams',
      'unread_answers',
      'overloaded',
    ].includes(code);
    expect(answer.headers.get('retry-after')).toEqual(comesBack ? expect.stringMatching(/^[1-9]\d*$/) : null);
  });
});

/**
 * Asks for pages of 8 MiB, each for a tenant, and reads none of them but the last one.
 *
 * @param tenants the last one gets the error
 */
async function whileUnread(tenants: readonly string[]): Promise<Answer> {
  await operations.pipeline.database.query(
    `
    INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
    SELECT tenant, gen_random_uuid(), 'Big', now(), now(), 'governance-tracker',
           jsonb_build_object('text', (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 7800) AS i))
    FROM generate_series(1, 40) AS n, unnest($1::text[]) AS tenant`,
    [[...new Set(tenants)]],
  );
  const narrow = await startTestDaemon('query-api', {
    DATABASE_URL: operations.pipeline.database.url,
    OPERATOR_KEYS: ['default', 'acme', 'globex'].map((tenant) => operatorKey(`ada@${tenant}`, tenant)).join(','),
    UNREAD_BYTES_PER_TENANT: String(20 * 1024 * 1024),
    UNREAD_BYTES: String(22 * 1024 * 1024),
  });
  const sockets: Socket[] = [];
  try {
    for (const tenant of tenants.slice(0, -1)) {
      const socket = await openConnection(narrow.url);
      sockets.push(socket);
      const answered = once(socket, 'data');
      socket.write(`GET /events/recent?by=occurred&limit=1000 HTTP/1.1\r\nHost: x\r\nX-API-Key: ${tenant}\r\n\r\n`);
      expect(String(await answered)).toMatch(/^HTTP\/1\.1 200/);
      socket.pause();
    }
    return await get(`${narrow.url}/events/recent?by=occurred&limit=1000`, { 'x-api-key': tenants.at(-1)! });
  } finally {
    for (const socket of sockets) socket.destroy();
    await narrow.stop();
  }
}

async function askTwice(): Promise<Answer> {
  const { key } = (await ask('POST', '/api/keys', { name: 'slow', scopes: ['read'], requests_per_minute: 1 })).body;
  expect((await operations.ask('GET', '/api/queue', undefined, key)).status).toBe(200);
  return operations.ask('GET', '/api/queue', undefined, key);
}

async function badEncoding(): Promise<RawAnswer> {
  const body = Buffer.from('{"payload":"\xff"}', 'latin1');
  const head = `PATCH /api/dead-letters/${id} HTTP/1.1\r\nHost: x\r\nX-API-Key: the-key\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return sendRaw(operations.query.url, Buffer.concat([Buffer.from(head), body]));
}

async function notJson(): Promise<RawAnswer> {
  return sendRaw(
    operations.query.url,
    'POST /api/dead-letters/discards HTTP/1.1\r\nHost: x\r\nX-API-Key: the-key\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n\r\n<>',
  );
}

async function missingTable(): Promise<Answer> {
  const { database } = operations.pipeline;
  await database.query('ALTER TABLE audit_log RENAME TO audit_log_away');
  try {
    return await ask('GET', '/api/audit-log');
  } finally {
    await database.query('ALTER TABLE audit_log_away RENAME TO audit_log');
  }
}

async function missingColumn(): Promise<Answer> {
  const { database } = operations.pipeline;
  await database.query('ALTER TABLE audit_log RENAME COLUMN reason TO reason_away');
  try {
    return await ask('GET', '/api/audit-log');
  } finally {
    await database.query('ALTER TABLE audit_log RENAME COLUMN reason_away TO reason');
  }
}

/** The tests' role may do everything, so a view answers as Postgres does to a role that may not. */
async function missingPrivilege(): Promise<Answer> {
  const { database } = operations.pipeline;
  await database.query(`
    ALTER TABLE audit_log RENAME TO audit_log_away;
    CREATE FUNCTION deny() RETURNS boolean STABLE LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'permission denied for table audit_log' USING ERRCODE = '42501'; END $$;
    CREATE VIEW audit_log AS SELECT * FROM audit_log_away WHERE deny()`);
  try {
    return await ask('GET', '/api/audit-log');
  } finally {
    await database.query('DROP VIEW audit_log; DROP FUNCTION deny(); ALTER TABLE audit_log_away RENAME TO audit_log');
  }
}

async function whileLocked(): Promise<Answer> {
  const blocker = await operations.pipeline.database.connect();
  await blocker.query('BEGIN; LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE');
  try {
    return await ask('GET', '/api/dead-letters?text=x');
  } finally {
    await blocker.query('ROLLBACK');
    await blocker.end();
  }
}

/** Sends the end of a request's headers after the ordered stop has begun. */
async function requestDuringStop(): Promise<RawAnswer> {
  const stopping = await startTestDaemon('query-api', { DATABASE_URL: operations.pipeline.database.url });
  const socket = await openConnection(stopping.url);
  // Begun before the stop, or the connection would be idle and closed.
  socket.write('POST /api/dead-letters/discards HTTP/1.1\r\nHost: localhost\r\n');
  await vi.waitFor(async () => expect((await get(`${stopping.url}/live`)).status).toBe(200), {
    timeout: 180_000,
    interval: 20,
  });
  const stopped = stopping.stop();
  await vi.waitFor(() => expect(stopping.log().some((line) => line['msg'] === 'stopping')).toBe(true), {
    interval: 10,
    timeout: 180_000,
  });
  const answer = await exchange(socket, 'Content-Type: application/json\r\nContent-Length: 0\r\n\r\n');
  socket.destroy();
  await stopped;
  return answer;
}
