import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import { post } from '@sluice/testkit/http';
import { makeEvent, type WireEvent } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { startPrometheus, type TestPrometheus } from '../setup/prometheus.ts';

describe.skipIf(inject('programs').prometheus === null)('alerts of writers', needsProgram('prometheus'), () => {
  let pipeline: Pipeline;
  let postgres: TcpProxy;
  let port: number;
  let prometheus: TestPrometheus;
  let writer: TestDaemon;

  beforeAll(async () => {
    const closed = await freePort();
    pipeline = await startPipeline({
      // No server listens there: every export of spans fails.
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${closed}`, OTEL_BSP_SCHEDULE_DELAY: '50' },
    });
    postgres = await startTcpProxy(Number(new URL(pipeline.database.url).port));
    port = await freePort();
    // A minute is too long for a test, and would prove no more than three seconds.
    const threshold = { from: 'sluice_writer_idle_seconds > 60', to: 'sluice_writer_idle_seconds > 3' };
    prometheus = await startPrometheus({ 'writer-worker': [`http://127.0.0.1:${port}`] }, threshold);
  });
  afterAll(async () => {
    await prometheus.stop();
    await pipeline.stop();
    await postgres.close();
  });

  const startWriter = (name: string, env: Record<string, string>) =>
    pipeline.startWriter(name, {
      WRITER_PORT: String(port),
      DATABASE_URL: postgres.through(pipeline.database.url),
      ...env,
    });
  const send = (properties: WireEvent = {}) =>
    post(`${pipeline.ingest.url}/api/events`, { events: [makeEvent(properties)] });
  const expectSilent = async (name: string): Promise<void> => expect(await prometheus.alerts(name)).toEqual([]);

  it('SluiceEntriesLost: an entry is deleted while a writer has it', async () => {
    const { redis, stream } = pipeline;
    await redis.xgroup('CREATE', stream, WRITERS_GROUP, '0', 'MKSTREAM');
    const id = await redis.xadd(stream, '*', 'v', '1');
    await redis.xreadgroup('GROUP', WRITERS_GROUP, 'gone', 'STREAMS', stream, '>');
    await redis.xdel(stream, id!);
    await expectSilent('SluiceEntriesLost');
    // The writer may report it before the first scrape; then no rate shows it.
    const first = await startWriter('writer-0', { RECLAIM_IDLE_MS: '500' });
    await prometheus.firing('SluiceEntriesLost');
    await first.stop();
    writer = await startWriter('writer-1', { STATEMENT_TIMEOUT_MS: '45000' });
  });

  it('SluiceSpansDropped: the collector is away', async () => {
    await expectSilent('SluiceSpansDropped');
    await prometheus.answered('sluice_spans_dropped_total == 0');
    await send();
    await prometheus.firing('SluiceSpansDropped', { job: 'writer-worker', reason: 'export_failed' });
  });

  it('SluiceDeadLettersRising: the database refuses an event', async () => {
    await expectSilent('SluiceDeadLettersRising');
    await pipeline.database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
        RETURN NEW;
      END $$`);
    await pipeline.database.query(
      'CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()',
    );
    await send({ eventType: 'Poison' });
    const alert = await prometheus.firing('SluiceDeadLettersRising', { reason: 'invalid_value' });
    expect(alert.annotations['summary']).toBe('New dead letters: invalid_value');
  });

  it('SluiceWriterWedged: a transaction does not end', async () => {
    await expectSilent('SluiceWriterWedged');
    const holder = await pipeline.database.connect();
    await holder.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    await send();
    await prometheus.firing('SluiceWriterWedged');
    await holder.query('COMMIT');
    await holder.end();
    await pipeline.drained();
  });

  it('SluiceWriterStalled: a table is missing', async () => {
    await expectSilent('SluiceWriterStalled');
    await pipeline.database.query('ALTER TABLE events RENAME TO elsewhere');
    await send();
    await prometheus.firing('SluiceWriterStalled');
    await pipeline.database.query('ALTER TABLE elsewhere RENAME TO events');
    await pipeline.drained();
  });

  it('SluiceStreamLost: the stream is deleted, with an entry of a writer that died', async () => {
    await expectSilent('SluiceStreamLost');
    const { redis, stream } = pipeline;
    await writer.stop();
    // A stream of which everything was read is no loss.
    await redis.xadd(stream, '*', 'v', '1');
    await redis.xreadgroup('GROUP', WRITERS_GROUP, 'gone', 'STREAMS', stream, '>');
    writer = await startWriter('writer-1', { STATEMENT_TIMEOUT_MS: '45000' });
    await send();
    await expect.poll(() => redis.xlen(stream), { timeout: 180_000 }).toBe(1);
    await redis.del(stream);
    await prometheus.firing('SluiceStreamLost');
  });

  it('SluiceBreakerOpen and SluiceDependencyDown: Postgres is away', async () => {
    await expectSilent('SluiceBreakerOpen');
    await expectSilent('SluiceDependencyDown');
    await postgres.close();
    await send();
    await prometheus.firing('SluiceBreakerOpen');
    await prometheus.firing('SluiceDependencyDown', { job: 'writer-worker', dependency: 'postgres' });
  });
});
