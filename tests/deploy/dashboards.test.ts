import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startOtlpReceiver, type OtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { openDatabase } from '@sluice/store/database';
import { post } from '@sluice/testkit/http';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { rotateHotSegment } from '@sluice/testkit/seal-hot-segment';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { startPrometheus, type TestPrometheus } from '../setup/prometheus.ts';
import { type PanelQuery, panelQueries } from './deploy-files.ts';

/** Queries that get no answer here, and why. */
const NOTHING_EXPECTED: readonly { readonly query: RegExp; readonly because: string }[] = [
  { query: /^max\(sluice_redis_max_memory_bytes\) > 0$/, because: 'this Redis has no limit' },
  { query: /^max by \(exported_job\) \(sluice_job_stale\) == 1$/, because: 'no job is stale' },
];

/** The maintenance worker seals it then. */
async function closeSegment(url: string): Promise<void> {
  const opened = openDatabase({ url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
  await rotateHotSegment(opened);
  await opened.close();
}

describe.skipIf(inject('programs').prometheus === null)('dashboards', needsProgram('prometheus'), () => {
  let receiver: OtlpReceiver;
  let operations: Operations;
  let daemons: Record<string, TestDaemon>;
  let prometheus: TestPrometheus;

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '50' };
    operations = await startOperations(env);
    // One that traces; that of the pipeline does not.
    const ingest = await startTestDaemon('ingest-api', {
      ...env,
      REDIS_URL: inject('redisUrl'),
      SLUICE_NAMESPACE: operations.pipeline.namespace,
    });
    const writer = await operations.pipeline.startWriter('writer-1', env);
    const maintenance = await operations.startMaintenance({ ...env, ENABLE_BACKGROUND_TASKS: 'true' });
    daemons = {
      'ingest-api': ingest,
      'writer-worker': writer,
      'maintenance-worker': maintenance,
      'query-api': operations.query,
    };
    prometheus = await startPrometheus(
      Object.fromEntries(Object.entries(daemons).map(([job, { url }]) => [job, [url]])),
    );
    await prometheus.answered('count(up == 1) == 5');
  });
  afterAll(async () => {
    await prometheus.stop();
    await daemons['ingest-api']!.stop();
    await operations.stop();
    await receiver.stop();
  });

  it('get an answer to each of their queries, once there is traffic', async () => {
    await operations.refusePoison();
    const queries = panelQueries();
    expect(queries.length).toBeGreaterThan(80);
    const expected = queries.filter(({ expression }) => !NOTHING_EXPECTED.some(({ query }) => query.test(expression)));
    await operations.ask('POST', '/export/run');
    await closeSegment(operations.pipeline.database.url);
    await vi.waitFor(
      async () => {
        // Rates need two scrapes, so the traffic continues.
        await makeTraffic(daemons['ingest-api']!, operations);
        const empty: PanelQuery[] = [];
        for (const query of expected) if ((await prometheus.query(inTest(query))).length === 0) empty.push(query);
        expect(empty).toEqual([]);
      },
      { timeout: 180_000, interval: 500 },
    );
  });

  it('show nothing where there is nothing to show', async () => {
    for (const query of panelQueries().filter(({ expression }) =>
      NOTHING_EXPECTED.some((each) => each.query.test(expression)),
    ))
      expect(await prometheus.query(inTest(query)), query.panel).toEqual([]);
  });

  it('link from their histograms to traces that the collector has', async () => {
    for (const query of panelQueries().filter(({ exemplar }) => exemplar)) {
      const traces = await prometheus.exemplars(inTest(query));
      expect(traces.length, query.panel).toBeGreaterThan(0);
      await receiver.until(
        (spans) => spans.some(({ traceId }) => traces.includes(traceId)),
        `a trace of ${query.panel}`,
      );
    }
  });
});

/** Grafana fills the interval in. */
function inTest({ expression }: PanelQuery): string {
  return expression.replaceAll('$__rate_interval', '1m');
}

/** Makes traffic of every kind: batches, a rejected event, a dead one, refused requests, reads. */
async function makeTraffic(ingest: TestDaemon, { ask }: Operations): Promise<void> {
  const url = `${ingest.url}/api/events`;
  await post(url, { events: [...makeEvents(3), { eventType: 'CellChange', timestamp: 'yesterday' }] });
  await post(url, { events: [...makeEvents(3), makeEvent({ eventType: 'Poison' })] });
  await post(url, 'not json');
  await ask('GET', '/api/events/recent');
  await ask('GET', '/api/no-such-thing');
}
