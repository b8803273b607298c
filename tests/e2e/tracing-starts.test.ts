import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { runCommand } from '@sluice/testkit/run-command';
import { scrape } from '@sluice/testkit/scrape';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { testNamespace } from '@sluice/testkit/test-namespace';

const SOURCES = resolve(import.meta.dirname, '../../packages/ingest-api/src');
const TRACING = resolve(import.meta.dirname, '../../packages/daemon/src/tracing.ts');
const PATIENCE = { timeout: 180_000, interval: 20 };

/** An ingest API that traces to this collector; stopped with the test. */
async function startTraced(endpoint: string, env: Record<string, string> = {}): Promise<TestDaemon> {
  const daemon = await startTestDaemon('ingest-api', {
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: testNamespace(),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '20',
    ...env,
  });
  onTestFinished(() => daemon.stop());
  return daemon;
}

const send = async ({ url }: TestDaemon, headers = {}): Promise<void> => {
  expect((await post(`${url}/api/events`, { events: makeEvents(1) }, headers)).status).toBe(202);
};

/** A collector whose answers the test sets; undefined for no answer at all. */
async function startCollector(answer: () => number | undefined): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const status = answer();
      if (status !== undefined) response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

it('the daemon reports mistakes in variables of tracing together with all others', async () => {
  const { code, stdout, stderr } = await runCommand('--import', [TRACING, join(SOURCES, 'main.ts')], {
    cwd: inject('runFolder'),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector:4317',
      OTEL_EXPORTER_OTLP_HEADERS: 'the-secret-key',
      OTEL_TRACES_SAMPLER_ARG: '5',
      INGEST_PORT: 'none',
    },
  });
  expect(code).toBe(78);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^ingest-api: The configuration has 4 mistakes:\n( {2}- .*\n){4}$/);
  for (const name of [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_HEADERS',
    'OTEL_TRACES_SAMPLER_ARG',
    'INGEST_PORT',
  ])
    expect(stderr).toContain(`- ${name} must be`);
  expect(stderr).not.toContain('the-secret-key');
});

it('spans carry the resource of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES', async () => {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.stop());
  const plain = await startTraced(receiver.endpoint);
  const named = await startTraced(receiver.endpoint, {
    OTEL_SERVICE_NAME: 'intake',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=a%20test,service.namespace=pipes',
  });
  await Promise.all([send(plain), send(named)]);
  const from = (service: string) => receiver.spans.find((span) => span.service === service);
  await receiver.until(() => from('sluice-ingest-api') !== undefined && from('intake') !== undefined, 'both');
  expect(Object.keys(from('sluice-ingest-api')!.resource).toSorted()).toEqual([
    'service.instance.id',
    'service.name',
    'service.namespace',
    'service.version',
  ]);
  expect(from('intake')!.resource).toMatchObject({
    'deployment.environment.name': 'a test',
    'service.namespace': 'pipes',
    'service.version': from('sluice-ingest-api')!.resource['service.version'],
  });
});

it('OTEL_SDK_DISABLED switches tracing off', async () => {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.stop());
  const daemon = await startTraced(receiver.endpoint, { OTEL_SDK_DISABLED: 'true' });
  await send(daemon);
  await daemon.stop();
  expect(receiver.spans).toEqual([]);
  expect(daemon.output()).not.toContain('not loaded');
  expect(daemon.log().find(({ msg }) => msg === 'starting')).toMatchObject({ tracing: { state: 'off' } });
});

it('an outage of the collector is logged once when it begins and once when it ends, spans are counted, and no 202 is missing', async () => {
  let status = 400;
  const collector = await startCollector(() => status);
  const daemon = await startTraced(collector.endpoint, { OTEL_LOG_LEVEL: 'info' });
  const said = (message: string) => daemon.log().filter(({ msg }) => msg === message);
  const dropped = async () =>
    (await scrape(daemon.url)).value('sluice_spans_dropped_total', { reason: 'export_failed' }) ?? 0;
  for (let round = 1; round <= 3; round += 1) {
    await send(daemon);
    // The request and its `send events`.
    await vi.waitFor(async () => expect(await dropped()).toBe(2 * round), PATIENCE);
  }
  status = 200;
  await send(daemon);
  await vi.waitFor(() => expect(said('spans reach the collector again')).toHaveLength(1), PATIENCE);
  expect((await scrape(daemon.url)).value('sluice_spans_exported_total')).toBe(2);
  const outage = said('spans do not reach the collector; they are dropped and counted');
  expect(outage).toMatchObject([{ level: 40 }]);
  // The line belongs to no request, even if one request's spans were the first to fail.
  for (const line of [...outage, ...said('spans reach the collector again')])
    expect(line).not.toHaveProperty('trace_id');
  expect(said('OpenTelemetry has a problem')).toEqual([]);
  await daemon.stop();
  // OpenTelemetry prints nothing outside of the log.
  for (const line of daemon.output().trimEnd().split('\n')) expect(line).toMatch(/^\{.*\}$/);
});

it('a collector that hangs delays nothing, not even the stop, and the queue of spans stays bounded', async () => {
  const collector = await startCollector(() => undefined);
  const daemon = await startTraced(collector.endpoint, { OTEL_BSP_MAX_QUEUE_SIZE: '16', SHUTDOWN_TIMEOUT_MS: '30000' });
  await Promise.all(Array.from({ length: 60 }, () => send(daemon)));
  await vi.waitFor(async () => {
    const metrics = await scrape(daemon.url);
    expect(metrics.value('sluice_spans_dropped_total', { reason: 'queue_full' })).toBeGreaterThan(0);
  }, PATIENCE);
  await daemon.stop();
  expect(await daemon.exited).toMatchObject({ code: 0 });
  expect(daemon.log().at(-1)).toMatchObject({ msg: 'stopped' });
});

it('spans that still wait at the stop are sent before the process ends', async () => {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.stop());
  const daemon = await startTraced(receiver.endpoint, { OTEL_BSP_SCHEDULE_DELAY: '60000' });
  const traceId = randomBytes(16).toString('hex');
  await send(daemon, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  await daemon.stop();
  expect(receiver.spans.filter((span) => span.traceId === traceId).map(({ name }) => name)).toEqual([
    'send events',
    'POST /api/events',
  ]);
});
