import { randomBytes } from 'node:crypto';
import { inject, afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

let receiver: OtlpReceiver;
let pipeline: Pipeline;
let writer: TestDaemon;
let query: TestDaemon;
let maintenance: TestDaemon;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '50' };
  pipeline = await startPipeline({ env: tracing });
  await pipeline.database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$`);
  await pipeline.database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
  const env = {
    ...tracing,
    REDIS_URL: inject('redisUrl'),
    DATABASE_URL: pipeline.database.url,
    SLUICE_NAMESPACE: pipeline.namespace,
    ENABLE_BACKGROUND_TASKS: 'false',
  };
  [writer, query, maintenance] = await Promise.all([
    pipeline.startWriter('writer-1'),
    startTestDaemon('query-api', env),
    startTestDaemon('maintenance-worker', env),
  ]);
});
afterAll(async () => {
  await Promise.all([query.stop(), maintenance.stop()]);
  const keys = await pipeline.redis.keys(`{${pipeline.namespace}:jobs}*`);
  if (keys.length > 0) await pipeline.redis.del(keys);
  await pipeline.stop();
  await receiver.stop();
});

/** A client that traces. */
function newClient() {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01` } };
}

const inTrace = (traceId: string): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);

const below = (parent: ReceivedSpan): ReceivedSpan[] =>
  receiver.spans.filter((span) => span.traceId === parent.traceId && span.parentSpanId === parent.spanId);

/** Finds the span of this name; fails unless there is exactly one. */
function only(name: string, spans: readonly ReceivedSpan[]): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  expect(found.length, `${name} among ${spans.map((span) => span.name).join(', ')}`).toBe(1);
  return found[0]!;
}

const isLinkedTo =
  (to: ReceivedSpan) =>
  (span: ReceivedSpan): boolean =>
    span.links.some((link) => link.traceId === to.traceId && link.spanId === to.spanId);

/** Waits for the transaction that stored what this span sent. */
async function transactionOf(sent: ReceivedSpan): Promise<ReceivedSpan> {
  const found = () => receiver.spans.filter((span) => span.name === 'process events').find(isLinkedTo(sent));
  await receiver.until(() => found() !== undefined, 'process events');
  return found()!;
}

async function sendSpanOf(traceId: string): Promise<ReceivedSpan> {
  // The request's own span ends last.
  await receiver.until(() => inTrace(traceId).some(({ kind }) => kind === 'server'), 'the request');
  return only('send events', inTrace(traceId));
}

/** The statements below a span, in the order in which they ended. */
const statements = (parent: ReceivedSpan): ReceivedSpan[] =>
  below(parent).filter(({ name }) => name.startsWith('pg.query:'));

/** The statement of the slow way, and of the isolation. */
const insertsEvents = ({ name }: ReceivedSpan): boolean => /^pg\.query:store-events-\d+ /.test(name);

it('the trace of a request leads from its client through the queue to the committed row and its acknowledgement', async () => {
  const client = newClient();
  const events = [makeEvent(), makeEvent()];
  const answer = await post(`${pipeline.ingest.url}/api/events`, { events }, client.headers);
  expect(answer.status).toBe(202);

  const sent = await sendSpanOf(client.traceId);
  const request = only('POST /api/events', inTrace(client.traceId));
  expect(request).toMatchObject({
    service: 'sluice-ingest-api',
    kind: 'server',
    parentSpanId: client.spanId,
    attributes: { 'http.response.status_code': 202, 'http.route': '/api/events' },
  });
  expect(sent).toMatchObject({
    service: 'sluice-ingest-api',
    kind: 'producer',
    parentSpanId: request.spanId,
    attributes: { 'messaging.system': 'redis', 'messaging.destination.name': 'events' },
  });

  const transaction = await transactionOf(sent);
  expect(transaction).toMatchObject({
    service: 'sluice-writer-worker',
    kind: 'consumer',
    parentSpanId: null,
    status: 'unset',
    attributes: { 'messaging.system': 'redis', 'sluice.events': 2 },
  });
  expect(transaction.traceId).not.toBe(client.traceId);
  expect(transaction.links).toHaveLength(1);
  // And back: the client's trace leads to the transaction.
  const stored = only('store events', below(sent));
  expect(stored).toMatchObject({
    service: 'sluice-writer-worker',
    status: 'unset',
    attributes: { 'sluice.entries': 1, 'sluice.events': 2 },
  });
  expect(isLinkedTo(transaction)(stored)).toBe(true);
  expect(only('decode events', below(transaction)).kind).toBe('internal');
  const written = only('write events', below(transaction));
  // A transaction in one round trip.
  const [copy, ...more] = below(written);
  expect(more).toEqual([]);
  expect(copy).toMatchObject({
    name: 'copy events',
    kind: 'client',
    attributes: { 'db.system.name': 'postgresql', 'db.collection.name': 'events_s1', 'db.operation.batch.size': 2 },
  });
  const settled = only('settle events', below(transaction));
  expect(settled.kind).toBe('client');
  const [command, ...others] = below(settled);
  expect(others).toEqual([]);
  expect(command).toMatchObject({ kind: 'client', scope: '@opentelemetry/instrumentation-ioredis' });
  expect(command!.name).toMatch(/^eval(sha)?$/);
  expect(settled.startMs).toBeGreaterThanOrEqual(written.endMs - 1);

  const rows = await pipeline.database.query('SELECT trace_id FROM events WHERE event_id = ANY($1)', [
    events.map((event) => event['eventId']),
  ]);
  expect(rows).toEqual([{ trace_id: client.traceId }, { trace_id: client.traceId }]);
});

it("a poisoned event's dead letter is in its client's trace, and its replay leads back to it", async () => {
  const client = newClient();
  const poisoned = makeEvent({ eventType: 'Poison' });
  await post(`${pipeline.ingest.url}/api/events`, { events: [makeEvent(), poisoned] }, client.headers);
  const sent = await sendSpanOf(client.traceId);
  const transaction = await transactionOf(sent);
  await receiver.until(
    () => inTrace(client.traceId).some(({ name }) => name === 'dead-letter event'),
    'the dead letter',
  );

  const letter = only('dead-letter event', inTrace(client.traceId));
  expect(letter).toMatchObject({
    service: 'sluice-writer-worker',
    parentSpanId: sent.spanId,
    status: 'error',
    statusMessage: 'poisoned',
    attributes: { 'sluice.dead_letter.reason': 'invalid_value' },
  });
  expect(letter.links.map(({ spanId }) => spanId)).toEqual([transaction.spanId]);
  expect(only('write events', below(transaction))).toMatchObject({ status: 'error' });
  const isolation = only('isolate events', below(transaction));
  const search = only('isolate rows', below(isolation));
  expect(statements(search)).toHaveLength(1);
  expect(statements(isolation)[0]!.name).toContain('BEGIN');
  expect(statements(isolation).at(-1)!.name).toContain('COMMIT');
  // The writer's log lines about it carry the transaction's trace.
  await vi.waitFor(
    () =>
      expect(writer.log()).toContainEqual(
        expect.objectContaining({ msg: 'events became dead letters', trace_id: transaction.traceId }),
      ),
    { timeout: 180_000, interval: 20 },
  );

  const [row] = await pipeline.database.query<{ id: string; trace_id: string }>(
    'SELECT id, trace_id FROM dead_letters WHERE event_id = $1',
    [poisoned['eventId']],
  );
  expect(row!.trace_id).toBe(client.traceId);
  expect(String(letter.attributes['sluice.dead_letter.id'])).toBe(row!.id);
  const operator = newClient();
  const fixed = await fetch(`${query.url}/api/dead-letters/${row!.id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload: { ...poisoned, eventType: 'Fixed' }, reason: 'was poisoned' }),
  });
  expect(fixed.status).toBe(200);
  const asked = await post(
    `${query.url}/api/dead-letters/replays`,
    { ids: [row!.id], reason: 'fixed' },
    operator.headers,
  );
  expect(asked.status).toBe(202);
  const isReplay = ({ name, links }: ReceivedSpan): boolean =>
    name === 'replay dead letters' && links[0]?.traceId === operator.traceId;
  await receiver.until(
    (spans) => spans.some(isReplay) && inTrace(operator.traceId).some(({ kind }) => kind === 'server'),
    'the replay and the request for it',
  );

  const asking = only('POST /api/dead-letters/replays', inTrace(operator.traceId));
  expect(asking).toMatchObject({ service: 'sluice-query-api', kind: 'server', parentSpanId: operator.spanId });
  const replay = only('replay dead letters', receiver.spans.filter(isLinkedTo(asking)));
  expect(replay).toMatchObject({ service: 'sluice-maintenance-worker', parentSpanId: null, status: 'unset' });
  const again = only('send events', inTrace(replay.traceId));
  expect(again).toMatchObject({ service: 'sluice-maintenance-worker', kind: 'producer' });
  expect(again.links.map(({ traceId }) => traceId)).toEqual([client.traceId]);
  const second = await transactionOf(again);
  expect(second.traceId).not.toBe(transaction.traceId);
  expect(second.attributes['sluice.events']).toBe(1);
  // One transaction stores the event and updates its dead letter.
  const together = statements(only('write events', below(second)));
  expect(together[0]!.name).toContain('BEGIN');
  expect(together.filter(insertsEvents)).toHaveLength(1);
  expect(together.at(-1)!.name).toContain('COMMIT');
  const [stored] = await pipeline.database.query('SELECT trace_id FROM events WHERE event_id = $1', [
    poisoned['eventId'],
  ]);
  expect(stored).toEqual({ trace_id: client.traceId });
});
