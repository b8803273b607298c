import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { openConnection, sendRaw } from '@sluice/testkit/raw-http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { startNginx, type TestNginx } from './start-nginx.ts';

const MAX_BODY_BYTES = 64 * 1024;
const program = inject('programs').nginx;

describe.skipIf(program === null)('the nginx in front', needsProgram('nginx'), () => {
  let pipeline: Pipeline;
  let query: TestDaemon;
  let nginx: TestNginx;

  beforeAll(async () => {
    const shared = { API_KEY: 'the-key', TRUST_PROXY: 'loopback', MAX_BODY_BYTES: String(MAX_BODY_BYTES) };
    pipeline = await startPipeline({ env: shared });
    await pipeline.startWriter('writer-1');
    query = await startTestDaemon('query-api', {
      ...shared,
      REDIS_URL: inject('redisUrl'),
      SLUICE_NAMESPACE: pipeline.namespace,
      DATABASE_URL: pipeline.database.url,
    });
    nginx = await startNginx(program!, {
      ingest: pipeline.ingest.url,
      query: query.url,
      maxBodyBytes: MAX_BODY_BYTES,
    });
  });
  afterAll(async () => {
    await nginx.stop();
    await query.stop();
    await pipeline.stop();
  });

  const key = { 'x-api-key': 'the-key' };
  const send = (body: unknown, headers: Record<string, string> = {}) =>
    post(`${nginx.url}/api/events`, body, { ...key, ...headers });

  it('passes events to ingest and queries to the query API, at one address', async () => {
    const eventId = randomUUID();
    const event = makeEvent({ eventId });
    expect(await send({ events: [event] })).toMatchObject({ status: 202, body: { accepted: 1 } });
    expect(await post(`${nginx.url}/collect`, { siteId: 'docs', visitorId: 'v-1', path: '/' }, key)).toMatchObject({
      status: 202,
    });
    expect(
      (await get(`${nginx.url}/pixel.gif?siteId=docs&visitorId=v-1&url=https://docs.example.com/`, key)).status,
    ).toBe(202);
    await pipeline.stored(3);
    expect(await get(`${nginx.url}/api/events/${eventId}`, key)).toMatchObject({ status: 200, body: event });
    expect((await get(`${nginx.url}/events/recent?limit=1`, key)).status).toBe(200);
    expect((await get(`${nginx.url}/export/status`, key)).status).toBe(200);
    expect((await get(`${nginx.url}/docs/json`)).body.info.title).toBe('Sluice query API');
  });

  it('passes server-sent events on as they happen', async () => {
    const hangUp = new AbortController();
    const stream = await fetch(`${nginx.url}/api/events/stream`, { headers: key, signal: hangUp.signal });
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    // Nothing else has happened yet: a proxy that buffers answers would have nothing to pass on.
    expect((await reader.read()).value).toContain(': connected');
    const event = makeEvent();
    await send({ events: [event] });
    let seen = '';
    while (!seen.includes(String(event['eventId']))) seen += (await reader.read()).value;
    hangUp.abort();
  });

  it('hides metrics, health checks and other internal paths', async () => {
    for (const daemon of [pipeline.ingest, query]) expect((await get(`${daemon.url}/metrics`)).status).toBe(200);
    const paths = [
      '/metrics',
      '/health',
      '/ready',
      '//metrics',
      '/api/../metrics',
      '/api/%2e%2e/metrics',
      '/docs/../metrics',
    ];
    for (const path of paths) {
      const answer = await sendRaw(nginx.url, `GET ${path} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n`);
      expect(answer.status, path).toBe(404);
      expect(JSON.parse(answer.body), path).toMatchObject({ error: { code: 'not_found' } });
    }
  });

  it('passes on the client’s address, whatever the client claims', async () => {
    const event = makeEvent();
    const { status } = await sendFrom(
      '127.0.0.5',
      nginx.port,
      { events: [event] },
      { 'x-forwarded-for': '203.0.113.9' },
    );
    expect(status).toBe(202);
    const address = await vi.waitFor(
      async () => {
        const [row] = await pipeline.database.query<{ client_ip: string }>(
          'SELECT host(client_ip) AS client_ip FROM events WHERE event_id = $1',
          [event['eventId']],
        );
        if (row === undefined) throw new Error('it is not stored yet');
        return row.client_ip;
      },
      { timeout: 180_000, interval: 20 },
    );
    expect(address).toBe('127.0.0.5');
  });

  it('accepts bodies as large as ingest does, and refuses larger ones with the same answer', async () => {
    expect(await send(withBytes(MAX_BODY_BYTES))).toMatchObject({ status: 202 });
    const refused = await send(withBytes(MAX_BODY_BYTES + 1));
    const direct = await post(`${pipeline.ingest.url}/api/events`, withBytes(MAX_BODY_BYTES + 1), key);
    expect(refused).toMatchObject({ status: 413, body: { error: { code: 'body_too_large' } } });
    expect(Object.keys(refused.body.error)).toEqual(Object.keys(direct.body.error));
  });

  it('gives each request an id, the client’s own if it is valid, and logs it without the query string', async () => {
    const own = await get(`${nginx.url}/api/events/recent?limit=1`, { ...key, 'x-request-id': 'mine-4711' });
    expect(own.headers.get('x-request-id')).toBe('mine-4711');
    const bad = await get(`${nginx.url}/api/events/recent`, { ...key, 'x-request-id': 'a b"c' });
    expect(bad.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    const line = await vi.waitFor(
      async () => {
        const found = (await nginx.log()).find((each) => each['request_id'] === 'mine-4711');
        if (found === undefined) throw new Error('it is not in the log yet');
        return found;
      },
      { timeout: 180_000, interval: 20 },
    );
    expect(line).toMatchObject({ method: 'GET', path: '/api/events/recent', status: 200 });
  });

  it('refuses the hundred-and-first request that one client has in flight to the query API, and none to ingest', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => openConnection(nginx.url)));
    // nginx waits for their bodies.
    for (const client of clients)
      client.write('POST /api/events/query HTTP/1.1\r\nHost: sluice\r\nContent-Length: 2\r\n\r\n');
    const refused = await vi.waitFor(
      async () => {
        const answer = await get(`${nginx.url}/api/events/recent?limit=1`, key);
        expect(answer.status).toBe(429);
        return answer;
      },
      { timeout: 180_000, interval: 20 },
    );
    expect(refused.body).toMatchObject({ error: { code: 'rate_limited' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await send({ events: [makeEvent()] })).status).toBe(202);
    for (const client of clients) client.destroy();
    await vi.waitFor(async () => expect((await get(`${nginx.url}/api/events/recent?limit=1`, key)).status).toBe(200), {
      timeout: 180_000,
      interval: 20,
    });
  });

  it('sends each protective header once, its own answers included, and HSTS by itself over TLS only', async () => {
    for (const path of ['/api/events/recent?limit=1', '/pixel.gif', '/nothing', '/live']) {
      const { headers } = await fetch(`${nginx.url}${path}`, { headers: key });
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    }
    expect((await fetch(`${nginx.url}/nothing`)).headers.get('strict-transport-security')).toBeNull();
    expect((await fetch(`${nginx.url}/pixel.gif`)).headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  it('answers for a daemon that is away so that clients retry', async () => {
    await pipeline.ingest.stop();
    const answer = await send({ events: [makeEvent()] });
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'shutting_down' } } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect((await get(`${nginx.url}/api/events/recent`, key)).status).toBe(200);
  });
});

/** A batch of one event, of a given length. */
function withBytes(bytes: number): string {
  const batch = { events: [makeEvent()], padding: '' };
  return JSON.stringify({ ...batch, padding: 'x'.repeat(bytes - JSON.stringify(batch).length) });
}

/** Sends a batch from another address of this machine. */
async function sendFrom(
  localAddress: string,
  port: number,
  body: unknown,
  headers: Record<string, string>,
): Promise<{ status: number | undefined; body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: unknown }>();
  const sending = request(
    {
      host: '127.0.0.1',
      port,
      localAddress,
      path: '/api/events',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'the-key', ...headers },
    },
    (answer) => void json(answer).then((found) => resolve({ status: answer.statusCode, body: found }), reject),
  );
  sending.on('error', reject);
  sending.end(JSON.stringify(body));
  return promise;
}
