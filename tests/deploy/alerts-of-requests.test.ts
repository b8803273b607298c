import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { startPrometheus, type TestPrometheus } from '../setup/prometheus.ts';

describe.skipIf(inject('programs').prometheus === null)(
  'alerts of requests and daemons',
  needsProgram('prometheus'),
  () => {
    let operations: Operations;
    let ingest: TestDaemon;
    let prometheus: TestPrometheus;

    beforeAll(async () => {
      operations = await startOperations({ STATEMENT_TIMEOUT_MS: '200' });
      const { namespace } = operations.pipeline;
      // The queue is full as soon as an entry has waited for a second. It has a key, as the others should have.
      ingest = await startTestDaemon('ingest-api', {
        REDIS_URL: inject('redisUrl'),
        SLUICE_NAMESPACE: namespace,
        QUEUE_MAX_AGE_SECONDS: '1',
        API_KEY: 'the-key',
      });
      prometheus = await startPrometheus({
        'ingest-api': [ingest.url],
        'query-api': [operations.query.url],
        'writer-worker': [(await operations.pipeline.startWriter('writer-1')).url],
        'maintenance-worker': [(await operations.startMaintenance()).url],
      });
      await prometheus.answered('count(up == 1) == 5');
    });
    afterAll(async () => {
      await prometheus.stop();
      await ingest.stop();
      await operations.stop();
    });

    const send = async (): Promise<number> =>
      (await post(`${ingest.url}/api/events`, { events: makeEvents(1) }, { 'x-api-key': 'the-key' })).status;
    const expectSilent = async (name: string): Promise<void> => expect(await prometheus.alerts(name)).toEqual([]);

    it('SluiceCheckFailing: the query API runs open, ingest does not', async () => {
      await prometheus.firing('SluiceCheckFailing', { job: 'query-api', dependency: 'authentication' });
      const others = (await prometheus.alerts('SluiceCheckFailing')).filter(
        ({ labels }) => labels['job'] !== 'query-api',
      );
      expect(others).toEqual([]);
    });

    it('SluiceServerErrors: statements wait too long for a lock', async () => {
      await expectSilent('SluiceServerErrors');
      const holder = await operations.pipeline.database.connect();
      await holder.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
      // An increase needs two scrapes, so requests continue until the alert fires.
      const asking = keepOn(async () => {
        const { status } = await get(`${operations.query.url}/api/events/recent`);
        expect(status).toBe(504);
      });
      await prometheus.firing('SluiceServerErrors', { job: 'query-api' });
      await asking.stop();
      await holder.query('COMMIT');
      await holder.end();
    });

    it('SluiceRefusing: the queue is full', async () => {
      await expectSilent('SluiceRefusing');
      const holder = await operations.pipeline.database.connect();
      await holder.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
      expect(await send()).toBe(202);
      await vi.waitFor(async () => expect(await send()).toBe(429), { timeout: 180_000, interval: 50 });
      const sending = keepOn(async () => void (await send()));
      await prometheus.firing('SluiceRefusing', { http_response_status_code: '429' });
      await sending.stop();
      await holder.query('COMMIT');
      await holder.end();
    });

    it('SluiceDaemonDown: a daemon is stopped', async () => {
      // Metrics that waited for the lock may have missed a scrape.
      await vi.waitFor(() => expectSilent('SluiceDaemonDown'), { timeout: 180_000, interval: 100 });
      await ingest.stop();
      const alert = await prometheus.firing('SluiceDaemonDown', { job: 'ingest-api' });
      expect(alert.annotations['summary']).toBe('ingest-api does not answer');
      expect(await prometheus.alerts('SluiceDaemonDown')).toHaveLength(1);
    });
  },
);

/** Repeats something, one after the other. */
function keepOn(work: () => Promise<void>): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const done = (async () => {
    while (!stopped.signal.aborted) await work();
  })();
  return {
    async stop() {
      stopped.abort();
      await done;
    },
  };
}
