import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, inject, it, vi } from 'vitest';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { openConnection } from '@sluice/testkit/raw-http';
import { scrape } from '@sluice/testkit/scrape';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

const MIB = 1024 * 1024;
const PATIENCE = { timeout: 180_000, interval: 50 };
const LAST_ID = '1.' + String(Date.now()) + '.00000000-0000-0000-0000-000000000000';

/** With little heap, so that what it holds shows in its resident memory, and not what was not collected yet. */
const LITTLE_HEAP = { NODE_OPTIONS: '--max-old-space-size=128 --max-semi-space-size=4' };

let operations: Operations;
/** A query API that cuts silent clients soon. The other one does not while this file runs: what it held is counted. */
let impatient: TestDaemon;
let atStart = 0;
const sockets: Socket[] = [];
beforeAll(async () => {
  const keys = {
    OPERATOR_KEYS: [operatorKey('ada@acme', 'a'), operatorKey('eve@acme', 'e'), operatorKey('bob@globex', 'b')].join(
      ',',
    ),
  };
  operations = await startOperations({ ...keys, ...LITTLE_HEAP, WRITE_TIMEOUT_MS: '600000' }, { ingest: false });
  const { database, namespace } = operations.pipeline;
  impatient = await startTestDaemon('query-api', {
    ...keys,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: namespace,
    DATABASE_URL: database.url,
    WRITE_TIMEOUT_MS: '5000',
    // Two pages, and not three.
    UNREAD_BYTES_PER_TENANT: String(24 * MIB),
  });
  // 500 events of 250 KB: 120 MB, of which nothing may stay in the memory of the query API.
  await database.query(`
    WITH text AS MATERIALIZED (SELECT string_agg(md5(i::text), '') AS long FROM generate_series(1, 7800) AS i)
    INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
    SELECT tenant, gen_random_uuid(), 'Big', now(), now(), 'governance-tracker', jsonb_build_object('n', n, 'text', long)
    FROM text, generate_series(1, 250) AS n, unnest(ARRAY['acme', 'globex']) AS tenant`);
  atStart = memory();
});
afterAll(async () => {
  await impatient.stop();
  await operations.stop();
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** More than a page holds: 8 MB. */
const PAGE = '{"event_types":["Big"],"limit":40}';
const head = (method: string, path: string, key: string, headers: string[] = [], body = '') =>
  [
    `${method} ${path} HTTP/1.1`,
    'Host: x',
    `X-API-Key: ${key}`,
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
    ...headers,
    '',
    body,
  ].join('\r\n');

/** An answer of which nothing but its first bytes is read. */
interface Unread {
  readonly socket: Socket;
  /** 0 until it has come. */
  status: number;
  closed: boolean;
}

/** Sends a request and stops reading at the first bytes of its answer. */
async function unread(request: string, url = operations.query.url): Promise<Unread> {
  const socket = await openConnection(url);
  sockets.push(socket);
  const answer: Unread = { socket, status: 0, closed: false };
  socket.once('data', (bytes: Buffer) => {
    answer.status = Number(bytes.toString('latin1').split(' ')[1]);
    socket.pause();
  });
  socket.once('close', () => {
    answer.closed = true;
  });
  socket.write(request);
  return answer;
}

const unreadPage = (): Promise<Unread> => unread(head('POST', '/api/events/query', 'a', [], PAGE), impatient.url);

/** Resident memory of the query API, in bytes. */
function memory(): number {
  const status = readFileSync(`/proc/${operations.query.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

it('pages that nobody reads hold no more than the tenant may', async () => {
  const answers: Unread[] = [];
  for (let at = 0; at < 48; at += 1) {
    const answer = await unread(head('POST', '/api/events/query', 'a', [], PAGE));
    answers.push(answer);
    await vi.waitFor(() => expect(answer.status).not.toBe(0), PATIENCE);
  }
  const statuses = answers.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(memory() - atStart).toBeLessThan(250 * MIB);
  const metrics = await scrape(operations.query.url);
  const held = metrics.value('sluice_held_bytes')!;
  expect(held).toBeGreaterThan(MIB);
  expect(held).toBeLessThanOrEqual(metrics.value('sluice_held_max_bytes')!);
  // Another tenant is served meanwhile, and so are small answers of this one.
  expect((await operations.ask('POST', '/api/events/query', { limit: 10 }, 'b')).status).toBe(200);
  expect((await operations.ask('GET', '/api/dead-letters', undefined, 'a')).status).toBe(200);
});

it('pages that nobody reads are cut, and then there is room again', async () => {
  await vi.waitFor(async () => {
    const pages = await Promise.all(Array.from({ length: 4 }, unreadPage));
    await vi.waitFor(() => expect(pages.map(({ status }) => status)).not.toContain(0), PATIENCE);
    expect(pages.map(({ status }) => status)).toContain(429);
  }, PATIENCE);
  await vi.waitFor(async () => {
    const answer = await unreadPage();
    await vi.waitFor(() => expect(answer.status).not.toBe(0), PATIENCE);
    expect(answer.status).toBe(200);
  }, PATIENCE);
});

it('a connection whose client takes nothing is cut, and one that reads slowly is not', async () => {
  const silent = await unread(head('POST', '/api/events/query', 'b', [], PAGE), impatient.url);
  await vi.waitFor(() => expect(silent.status).toBe(200), PATIENCE);
  const slow = await unread(head('POST', '/api/events/query', 'b', [], PAGE), impatient.url);
  await vi.waitFor(() => expect(slow.status).toBe(200), PATIENCE);
  let taken = 0;
  slow.socket.on('data', (bytes: Buffer) => {
    taken += bytes.length;
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 20).unref();
  });
  slow.socket.resume();
  await vi.waitFor(() => {
    // A paused socket does not see its end; writing to it does.
    silent.socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(silent.closed).toBe(true);
  }, PATIENCE);
  expect(slow.closed).toBe(false);
  await vi.waitFor(() => expect(taken).toBeGreaterThan(8 * MIB), PATIENCE);
});

it('downloads that nobody reads hold a few megabytes each', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () =>
      unread(head('POST', '/api/events/query', 'a', ['Accept: application/x-ndjson'], '{"event_types":["Big"]}')),
    ),
  );
  await vi.waitFor(() => expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200)), PATIENCE);
  expect(memory() - atStart).toBeLessThan(200 * MIB);
});

it('live tails that are resumed and never read hold a few megabytes each', async () => {
  const { rows } = {
    rows: await operations.pipeline.database.query<{ tx: string }>('SELECT min(tx)::text AS tx FROM events'),
  };
  const id = LAST_ID.replace(/^1/, String(BigInt(rows[0]!.tx)));
  const answers = await Promise.all(
    ['a', 'e'].flatMap((key) =>
      Array.from({ length: 5 }, () => unread(head('GET', '/api/events/stream', key, [`Last-Event-ID: ${id}`]))),
    ),
  );
  await vi.waitFor(() => expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200)), PATIENCE);
  // A client that reads gets all of them.
  let text = '';
  const reader = await openConnection(operations.query.url);
  sockets.push(reader);
  reader.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1').replaceAll(/[0-9a-f]{64,}/g, '');
  });
  reader.write(head('GET', '/api/events/stream', 'b', [`Last-Event-ID: ${id}`]));
  await vi.waitFor(() => expect(text.match(/"eventType":"Big"/g)).toHaveLength(250), PATIENCE);
  expect(memory() - atStart).toBeLessThan(250 * MIB);
});
