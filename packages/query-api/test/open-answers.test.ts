import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';

const LIMIT = 10;
const DOWNLOAD = { accept: 'application/x-ndjson', 'content-type': 'application/json' };
const PATIENCE = { timeout: 180_000, interval: 20 };

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations(
    { OPERATOR_KEYS: [operatorKey('ada', 'a'), operatorKey('bob', 'b')].join(',') },
    { ingest: false },
  );
  // More than the connection's buffers hold, so that who does not read keeps the answer open.
  await operations.pipeline.database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     SELECT 'default', gen_random_uuid(), 'A', now(), now(), 'governance-tracker',
            jsonb_build_object('big', repeat(md5(n::text), 8000)) FROM generate_series(1, 100) AS n`,
  );
  await operations.seed(1);
});
afterAll(() => operations.stop());

interface Unread {
  readonly status: number;
  close(): void;
}

/** Sends a request and reads nothing but the answer's head. */
function open(method: string, path: string, key: string): Promise<Unread> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${operations.query.url}${path}`, {
      method,
      headers: { ...DOWNLOAD, 'x-api-key': key },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      response.pause().on('error', () => {});
      resolve({ status: response.statusCode!, close: () => void request.destroy() });
    });
    request.end(method === 'POST' ? '{}' : undefined);
  });
}

async function expectLimit(method: string, path: string): Promise<void> {
  const unread: Unread[] = [];
  // One after the other: each takes a connection to Postgres, and ten at once are slow to get on a busy machine.
  while (unread.length < LIMIT) unread.push(await open(method, path, 'a'));
  expect(unread.map(({ status }) => status)).toEqual(unread.map(() => 200));
  expect((await open(method, path, 'a')).status).toBe(429);
  const others = await open(method, path, 'b');
  expect(others.status).toBe(200);
  unread[0]!.close();
  const next = await vi.waitFor(async () => {
    const again = await open(method, path, 'a');
    expect(again.status).toBe(200);
    return again;
  }, PATIENCE);
  for (const each of [...unread, others, next]) each.close();
}

it('a key has a limited number of downloads of events open, and another its own', () =>
  expectLimit('POST', '/api/events/query'));

it('a key follows a limited number of replays', async () => {
  // No worker runs it, so its progress stream stays open.
  const { body } = await operations.ask('POST', '/api/dead-letters/replays', { filter: {} }, 'a');
  await expectLimit('GET', `/api/dead-letters/replays/${body.id}/progress`);
});
