import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { get, post } from '@sluice/testkit/http';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let receiver: OtlpReceiver;
let operations: Operations;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  operations = await startOperations({
    API_KEY: 'the-key',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
});
afterAll(async () => {
  await operations.stop();
  await receiver.stop();
});

let requests = 0;
/** Sends a request, and returns its span and all spans below it once they have arrived. */
async function traced(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; text: string; server: ReceivedSpan; children: ReceivedSpan[] }> {
  const id = `traced-${(requests += 1)}`;
  const response = await fetch(`${operations.query.url}${path}`, {
    method,
    headers: {
      'x-api-key': 'the-key',
      'x-request-id': id,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    body: options.body === undefined ? null : JSON.stringify(options.body),
  });
  const text = await response.text();
  return { status: response.status, text, ...(await traceOf(id)) };
}

async function traceOf(id: string): Promise<{ server: ReceivedSpan; children: ReceivedSpan[] }> {
  const serving = (): ReceivedSpan | undefined =>
    receiver.spans.find(({ attributes }) => attributes['sluice.request.id'] === id);
  // What is below it has ended before it, and is sent in order.
  await receiver.until(() => serving() !== undefined, `the span of request ${id}`);
  const server = serving()!;
  return {
    server,
    children: receiver.spans.filter(({ traceId, spanId }) => traceId === server.traceId && spanId !== server.spanId),
  };
}

it('a request is a span named by its route, with its statements below it', async () => {
  const { server, children } = await traced('GET', `/api/events/${randomUUID()}`);
  expect(server).toMatchObject({
    service: 'sluice-query-api',
    kind: 'server',
    name: 'GET /api/events/:event_id',
    parentSpanId: null,
    status: 'unset',
  });
  expect(server.attributes).toMatchObject({ 'http.route': '/api/events/:event_id', 'http.response.status_code': 404 });
  expect(children.length).toBeGreaterThan(0);
  for (const child of children) {
    expect(child).toMatchObject({ kind: 'client', parentSpanId: server.spanId });
    expect(child.name).toMatch(/^pg\.query:SELECT \w+$/);
  }
});

it('the first statement of a new connection is in nobody’s trace', async () => {
  const { database } = operations.pipeline;
  const path = `/api/events/${randomUUID()}`;
  const usual = (await traced('GET', path)).children.length;
  const [{ ended } = {}] = await database.query(
    `SELECT count(pg_terminate_backend(pid, 60000))::int AS ended FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'sluice-query%'`,
  );
  expect(ended).toBeGreaterThan(0);
  // A connection that the API has not yet seen end fails its request.
  const found = await vi.waitFor(
    async () => {
      const answer = await traced('GET', path);
      expect(answer.status).toBe(404);
      return answer;
    },
    { timeout: 180_000, interval: 20 },
  );
  expect(found.children).toHaveLength(usual);
});

it('shows that the queue is read from Redis', async () => {
  const { server, children } = await traced('GET', '/api/queue');
  expect(server.name).toBe('GET /api/queue');
  expect(new Set(children.map(({ name }) => name))).toEqual(
    new Set(['scan', 'time', 'xinfo', 'memory', 'eval', 'zrange', 'mget']),
  );
});

it('a path that is no route gives no name, and what is asked all the time no span', async () => {
  const { server } = await traced('GET', '/api/nothing/4711');
  expect(server.name).toBe('GET');
  for (const path of ['/health', '/ready', '/live', '/metrics', '/docs', '/docs/json', '/docs/static/index.html']) {
    await get(`${operations.query.url}${path}`);
  }
  await traced('GET', '/api/audit-log');
  expect(receiver.spans.map(({ attributes }) => attributes['url.path']).join()).not.toMatch(
    /health|ready|live|metrics|docs/,
  );
});

it('values of the query string are not kept', async () => {
  const { server, status } = await traced('GET', '/api/dead-letters?text=Zo%C3%AB.Personal&limit=7');
  expect(status).toBe(200);
  expect(server.attributes['url.query']).toBe('text&limit');
  expect(JSON.stringify(receiver.spans)).not.toContain('Personal');
});

it('an answer of 5xx is an error, and one of 4xx is not', async () => {
  const { database } = operations.pipeline;
  await database.query('ALTER TABLE audit_log RENAME TO audit_log_away');
  const failed = await traced('GET', '/api/audit-log');
  await database.query('ALTER TABLE audit_log_away RENAME TO audit_log');
  expect(failed.status).toBe(503);
  expect(failed.server.status).toBe('error');
  expect(failed.children.map(({ status }) => status)).toContain('error');
  expect((await traced('GET', '/api/dead-letters?limit=0')).server.status).toBe('unset');
});

it('a request continues the trace of its client', async () => {
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const { server } = await traced('GET', '/api/jobs', { headers: { traceparent: `00-${traceId}-${spanId}-01` } });
  expect(server).toMatchObject({ traceId, parentSpanId: spanId, name: 'GET /api/jobs' });
});

it('a live tail is one span, however long it is open and whatever it reads meanwhile', async () => {
  const { pipeline, query } = operations;
  await pipeline.startWriter('writer-1');
  const hangUp = new AbortController();
  const response = await fetch(`${query.url}/api/events/stream`, {
    headers: { 'x-api-key': 'the-key', 'x-request-id': 'the-tail' },
    signal: hangUp.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  })();
  await vi.waitFor(
    async () => {
      await post(`${pipeline.ingest.url}/api/events`, { events: [makeEvent()] });
      // Several polls of Postgres have found something.
      expect(text.split('\nid: ').length).toBeGreaterThan(3);
    },
    { timeout: 180_000, interval: 100 },
  );
  hangUp.abort();
  await reading.catch(() => {});
  const { server, children } = await traceOf('the-tail');
  expect(server.name).toBe('GET /api/events/stream');
  expect(children).toEqual([]);
});

it('a download has its first statement in its trace and not the hundreds after it', async () => {
  await operations.seed(250);
  const accept = { accept: 'application/x-ndjson' };
  const letters = await traced('GET', '/api/dead-letters', { headers: accept });
  expect(letters.text.trimEnd().split('\n')).toHaveLength(250);
  expect(letters.children).toHaveLength(1);

  const events = makeEvents(600);
  for (const at of [0, 300]) {
    await post(`${operations.pipeline.ingest.url}/api/events`, { events: events.slice(at, at + 300) });
  }
  await operations.pipeline.stored(600);
  const download = await traced('POST', '/api/events/query', { body: {}, headers: accept });
  expect(download.text.trimEnd().split('\n').length).toBeGreaterThanOrEqual(600);
  // Which segments there are, and then one transaction for the first rows.
  expect(download.children.map(({ name }) => name.replace(/ \w+$/, ''))).toEqual([
    'pg.query:SELECT',
    'pg.query:BEGIN',
    'pg.query:SELECT',
    'pg.query:SELECT',
    'pg.query:COMMIT',
  ]);
});

it('following a replay has its first read in its trace and not the later ones', async () => {
  const { body } = await operations.ask('POST', '/api/dead-letters/replays', { filter: {} }, 'the-key');
  const id = 'following';
  const hangUp = new AbortController();
  const response = await fetch(`${operations.query.url}/api/dead-letters/replays/${body.id}/progress`, {
    headers: { 'x-api-key': 'the-key', 'x-request-id': id },
    signal: hangUp.signal,
  });
  const reader = response.body!.getReader();
  await reader.read();
  for (let looks = 0; looks < 2; looks += 1) {
    await operations.pipeline.database.query('UPDATE replays SET matched = matched + 1 WHERE id = $1', [body.id]);
    await reader.read();
  }
  hangUp.abort();
  const { server, children } = await traceOf(id);
  expect(server.name).toBe('GET /api/dead-letters/replays/:id/progress');
  expect(children).toHaveLength(1);
});
