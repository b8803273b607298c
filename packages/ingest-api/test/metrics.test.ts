import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeKeySet, keySetKey } from '@sluice/access/key-projection';
import { freePort } from '@sluice/local-stack/free-port';
import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { sendRaw } from '@sluice/testkit/raw-http';
import { testKey } from '@sluice/testkit/stored-keys';

const KEY = { 'x-api-key': 'the-key' };
const OPEN_METRICS = { accept: 'application/openmetrics-text; version=1.0.0; charset=utf-8' };

/** All samples of `/metrics` that are not 0 and whose name has this prefix, without exemplars. */
async function samples(ingest: TestIngest, prefix: string, headers: Record<string, string> = {}): Promise<string[]> {
  const { status, body } = await get(`${ingest.url}/metrics`, headers);
  expect(status).toBe(200);
  return (body as string)
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.replace(/ # .*/, ''))
    .filter((line) => !line.endsWith(' 0'))
    .toSorted();
}

function requests(method: string, route: string, status: number, count: number): string {
  return `http_server_request_duration_seconds_count{http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"} ${count}`;
}

describe('after a mix of requests', () => {
  const slow = testKey({ scopes: ['ingest'], eventsPerSecond: 1 });
  let ingest: TestIngest;
  let bytes = 0;

  /** Sends a body and remembers how many bytes were read of it. */
  const send = async (status: number, body: unknown, headers: Record<string, string> = KEY): Promise<void> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    bytes += Buffer.byteLength(text);
    expect((await ingest.send(text, headers)).status).toBe(status);
  };
  /** A request that is refused before or while its body is read. */
  const refuse = async (status: number, body: unknown, headers: Record<string, string> = KEY): Promise<void> => {
    expect((await ingest.send(body, headers)).status).toBe(status);
  };

  beforeAll(async () => {
    ingest = await startIngest({
      API_KEY: 'the-key',
      COLLECT_SITES: 'docs',
      KEY_REFRESH_MS: '50',
      MAX_BATCH_SIZE: '20',
      MAX_BODY_BYTES: '100000',
    });
    await ingest.redis.set(keySetKey(ingest.namespace), encodeKeySet([slow.stored]));
    await vi.waitFor(
      async () => {
        const { body } = await get(`${ingest.url}/health`);
        expect(body.details.authentication.stored_keys_known).toBe(true);
      },
      { timeout: 180_000, interval: 20 },
    );

    await send(202, { events: makeEvents(20) });
    await send(202, { events: makeEvents(3) });
    await send(202, { events: [makeEvent(), makeEvent({ eventType: '' }), {}, makeEvent({ timestamp: 'never' })] });
    await send(422, { events: [makeEvent({ timestamp: 'no' }), 1] });
    await send(400, '{"events":[');
    await send(413, { events: makeEvents(21) });
    await send(202, { events: [makeEvent()] }, { 'x-api-key': slow.key });
    await refuse(429, { events: [makeEvent()] }, { 'x-api-key': slow.key });
    await refuse(401, { events: [makeEvent()] }, {});
    await refuse(401, { events: [makeEvent()] }, { 'x-api-key': 'wrong' });
    await refuse(413, ' '.repeat(100_001));
    await refuse(415, '<events/>', { ...KEY, 'content-type': 'text/xml' });

    const page = { siteId: 'docs' };
    expect((await ingest.collect(page)).status).toBe(202);
    bytes += Buffer.byteLength(JSON.stringify(page));
    expect((await get(`${ingest.url}/collect?siteId=docs`)).status).toBe(202);
    expect((await get(`${ingest.url}/pixel.gif?siteId=docs`)).status).toBe(202);
    expect((await get(`${ingest.url}/pixel.gif?siteId=docs&timestamp=9999-01-01T00:00:00Z`)).status).toBe(422);
    expect((await get(`${ingest.url}/pixel.gif?siteId=other`)).status).toBe(401);
    expect((await get(`${ingest.url}/api/one-of-any-number-of-paths`)).status).toBe(404);
    expect((await get(`${ingest.url}/api/events`)).status).toBe(405);
    expect((await sendRaw(ingest.url, 'PROPFIND /api/any HTTP/1.1\r\nHost: localhost\r\n\r\n')).status).toBe(404);
    expect((await sendRaw(ingest.url, 'GET /%E0%A4%A HTTP/1.1\r\nHost: localhost\r\n\r\n')).status).toBe(400);
    expect((await sendRaw(ingest.url, 'HELLO\r\n\r\n')).status).toBe(400);
    const tooLong = `GET /live HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect((await sendRaw(ingest.url, tooLong)).status).toBe(431);
  });
  afterAll(() => ingest.stop());

  it.each([
    ['in the older text format', {}],
    ['in OpenMetrics', OPEN_METRICS],
  ])('/metrics says exactly what became of them, %s', async (_format, headers) => {
    expect(await samples(ingest, 'sluice_ingest_events_', headers)).toEqual([
      'sluice_ingest_events_accepted_total{source="governance-tracker"} 25',
      'sluice_ingest_events_accepted_total{source="web-collection"} 3',
      'sluice_ingest_events_rejected_total{code="invalid_timestamp"} 2',
      'sluice_ingest_events_rejected_total{code="missing_field"} 2',
      'sluice_ingest_events_rejected_total{code="not_an_object"} 1',
      'sluice_ingest_events_rejected_total{code="timestamp_in_future"} 1',
    ]);
    expect(await samples(ingest, 'sluice_ingest_requests_refused_total', headers)).toEqual([
      'sluice_ingest_requests_refused_total{code="body_too_large"} 1',
      'sluice_ingest_requests_refused_total{code="headers_too_large"} 1',
      'sluice_ingest_requests_refused_total{code="invalid_request"} 2',
      'sluice_ingest_requests_refused_total{code="malformed_json"} 1',
      'sluice_ingest_requests_refused_total{code="method_not_allowed"} 1',
      'sluice_ingest_requests_refused_total{code="no_valid_events"} 2',
      'sluice_ingest_requests_refused_total{code="not_found"} 2',
      'sluice_ingest_requests_refused_total{code="quota_exceeded"} 1',
      'sluice_ingest_requests_refused_total{code="too_many_events"} 1',
      'sluice_ingest_requests_refused_total{code="unauthorized"} 3',
      'sluice_ingest_requests_refused_total{code="unsupported_media_type"} 1',
    ]);
    expect(await samples(ingest, 'sluice_ingest_body_bytes_total', headers)).toEqual([
      `sluice_ingest_body_bytes_total ${bytes}`,
    ]);
    // 20, 3, 4 and 1 events, and three pages.
    expect(await samples(ingest, 'sluice_ingest_batch_events_sum', headers)).toEqual([
      'sluice_ingest_batch_events_sum 31',
    ]);
    expect(await samples(ingest, 'sluice_ingest_batch_events_count', headers)).toEqual([
      'sluice_ingest_batch_events_count 7',
    ]);
    const { body } = await get(`${ingest.url}/health`);
    expect(await samples(ingest, 'sluice_ingest_durability_info', headers)).toEqual([
      `sluice_ingest_durability_info{level="${body.details.durability.reached}"} 1`,
    ]);
  });

  it('/metrics counts requests by method, route and status, whatever paths were tried', async () => {
    // A request is counted once its answer is sent; the client may know earlier.
    await vi.waitFor(
      async () => {
        const counts = await samples(ingest, 'http_server_request_duration_seconds_count');
        const ofEvents = counts.filter((count) => !/http_route="\/(health|metrics)"/.test(count));
        expect(ofEvents).toEqual(
          [
            requests('GET', '(none)', 404, 1),
            requests('GET', '(none)', 405, 1),
            requests('_OTHER', '(none)', 404, 1),
            requests('GET', '/collect', 202, 1),
            requests('GET', '/pixel.gif', 202, 1),
            requests('GET', '/pixel.gif', 401, 1),
            requests('GET', '/pixel.gif', 422, 1),
            requests('POST', '/api/events', 202, 4),
            requests('POST', '/api/events', 400, 1),
            requests('POST', '/api/events', 401, 2),
            requests('POST', '/api/events', 413, 2),
            requests('POST', '/api/events', 415, 1),
            requests('POST', '/api/events', 422, 1),
            requests('POST', '/api/events', 429, 1),
            requests('POST', '/collect', 202, 1),
          ].toSorted(),
        );
        // The request for the metrics.
        expect(await samples(ingest, 'http_server_active_requests')).toEqual(['http_server_active_requests 1']);
      },
      { timeout: 180_000, interval: 20 },
    );
  });

  it('/metrics shows 0 for what has not happened yet', async () => {
    const { body } = await get(`${ingest.url}/metrics`);
    expect(body).toContain('\nsluice_ingest_requests_refused_total{code="queue_full"} 0\n');
    expect(body).toContain('\nsluice_ingest_events_rejected_total{code="event_too_large"} 0\n');
  });

  it('/metrics needs no key and says its format', async () => {
    const older = await get(`${ingest.url}/metrics`);
    expect(older.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(older.body).toContain('# TYPE sluice_ingest_events_accepted_total counter\n');
    const newer = await get(`${ingest.url}/metrics`, OPEN_METRICS);
    expect(newer.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(newer.body).toContain('# TYPE sluice_ingest_events_accepted counter\n');
    expect(newer.body).toMatch(/# EOF\n$/);
  });
});

describe('when Redis cannot be reached', () => {
  let ingest: TestIngest;
  afterEach(() => ingest.stop());

  it('events are not counted, because they are sent again; their requests are', async () => {
    ingest = await startIngest({}, { redisUrl: `redis://127.0.0.1:${await freePort()}` });
    expect((await ingest.send({ events: [makeEvent(), {}] })).status).toBe(503);
    expect(await samples(ingest, 'sluice_ingest_events_')).toEqual([]);
    expect(await samples(ingest, 'sluice_ingest_requests_refused_total')).toEqual([
      'sluice_ingest_requests_refused_total{code="queue_unavailable"} 1',
    ]);
    expect(await samples(ingest, 'sluice_ingest_durability_info')).toEqual([
      'sluice_ingest_durability_info{level="memory"} 1',
    ]);
  });
});

it('a duration has the trace as its exemplar, in the format that allows it', async () => {
  const receiver = await startOtlpReceiver();
  const ingest = await startIngest({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  await ingest.send({ events: [makeEvent()] });
  const exemplar = await vi.waitFor(
    async () => {
      const { body } = await get(`${ingest.url}/metrics`, OPEN_METRICS);
      const found =
        /^http_server_request_duration_seconds_bucket\{.*http_route="\/api\/events".*\} 1 # \{trace_id="(?<traceId>\w+)",span_id="(?<spanId>\w+)"\} [\d.e-]+ [\d.]+$/m.exec(
          body as string,
        );
      expect(found, body as string).not.toBeNull();
      return found!.groups!;
    },
    { timeout: 180_000, interval: 20 },
  );
  const seen = () => receiver.spans.find((span) => span.name === 'POST /api/events');
  await receiver.until(() => seen() !== undefined, 'the trace');
  expect(seen()).toMatchObject(exemplar);
  expect((await get(`${ingest.url}/metrics`)).body).not.toContain('trace_id');
  await ingest.stop();
  await receiver.stop();
});
