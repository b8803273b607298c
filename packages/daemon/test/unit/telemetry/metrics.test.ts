import { AsyncLocalStorage } from 'node:async_hooks';
import { context, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import Fastify from 'fastify';
import { Counter, Gauge, Histogram } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '@sluice/errors/version';
import { addMetricsRoute, createMetrics, exemplar, setTo, toPrometheusText } from '../../../src/telemetry/metrics.ts';
import { spanCounts } from '../../../src/telemetry/span-counts.ts';

describe('createMetrics', () => {
  it('has the metrics of the process at every scrape', async () => {
    const [first, second] = [createMetrics('ingest-api'), createMetrics('query-api')];
    new Counter({ name: 'sluice_only_here_total', help: 'Of the first.', registers: [first] }).inc();
    const text = await second.metrics();
    expect(text).toContain(`sluice_build_info{daemon="query-api",version="${VERSION}"} 1`);
    expect(text).not.toContain('sluice_only_here');
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds', 'process_cpu_seconds'])
      expect(text).toContain(name);
    expect(await first.metrics()).toContain('sluice_only_here_total 1');
  });

  it('counts spans as the process does, also after they grew', async () => {
    const metrics = createMetrics('ingest-api');
    const before = { ...spanCounts };
    Object.assign(spanCounts, { exported: 5, droppedQueueFull: 2, droppedExportFailed: 1 });
    try {
      expect(await metrics.metrics()).toContain('sluice_spans_exported_total 5');
      spanCounts.exported = 9;
      const text = await metrics.metrics();
      expect(text).toContain('sluice_spans_exported_total 9');
      expect(text).toContain('sluice_spans_dropped_total{reason="queue_full"} 2');
      expect(text).toContain('sluice_spans_dropped_total{reason="export_failed"} 1');
    } finally {
      Object.assign(spanCounts, before);
    }
  });
});

it('setTo sets a counter to a total, for each set of labels on its own', async () => {
  const counter = new Counter({ name: 'a_total', help: 'a', labelNames: ['shard'], registers: [] });
  setTo(counter, { shard: '0' }, 3);
  setTo(counter, { shard: '1' }, 4);
  setTo(counter, { shard: '0' }, 7);
  expect((await counter.get()).values.map(({ labels, value }) => [labels, value])).toEqual(
    expect.arrayContaining([
      [{ shard: '0' }, 7],
      [{ shard: '1' }, 4],
    ]),
  );
});

describe('toPrometheusText', () => {
  const metrics = createMetrics('ingest-api');
  const registers = [metrics];
  new Counter({ name: 'things_total', help: 'Things.', labelNames: ['kind'], registers }).inc({ kind: 'a # b' }, 2);
  new Gauge({ name: 'things', help: 'Things now.', registers: [] });
  const seconds = new Histogram({
    name: 'took_seconds',
    help: 'Took.',
    buckets: [1],
    enableExemplars: true,
    registers,
  });
  seconds.observe({ value: 0.5, exemplarLabels: { trace_id: 'abc', span_id: 'def' } });

  it('names counters with their suffix, and has no exemplars and no end', async () => {
    const open = await metrics.metrics();
    expect(open).toMatch(/took_seconds_bucket\{le="1"\} 1 # \{trace_id="abc",span_id="def"\} 0\.5 [\d.]+\n/);
    expect(open).toContain('# TYPE things counter');
    const text = toPrometheusText(open);
    expect(text).toContain('# HELP things_total Things.\n# TYPE things_total counter\n');
    expect(text).toContain('things_total{kind="a # b"} 2\n');
    expect(text).toContain('took_seconds_bucket{le="1"} 1\n');
    expect(text).toContain('# TYPE took_seconds histogram\n');
    expect(text).not.toMatch(/trace_id|# EOF/);
  });

  it('is the answer, unless the client accepts OpenMetrics', async () => {
    const server = Fastify();
    addMetricsRoute(server, metrics);
    const plain = await server.inject({ url: '/metrics' });
    expect(plain.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(plain.body).toContain('# TYPE things_total counter');
    const open = await server.inject({ url: '/metrics', headers: { accept: 'application/openmetrics-text;q=0.9' } });
    expect(open.headers['content-type']).toContain('application/openmetrics-text');
    expect(open.body).toMatch(/trace_id="abc"[\s\S]*# EOF\n$/);
    await server.close();
  });
});

describe('exemplar', () => {
  const storage = new AsyncLocalStorage<typeof ROOT_CONTEXT>();
  beforeAll(() => {
    context.setGlobalContextManager({
      active: () => storage.getStore() ?? ROOT_CONTEXT,
      with: (each, work, that, ...args) => storage.run(each, () => work.apply(that, args)),
      bind: (_, target) => target,
      enable: () => expect.fail('not asked for'),
      disable() {
        return this;
      },
    });
  });
  afterAll(() => context.disable());

  it('is the active span, if it is sampled', () => {
    const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
    const within = (traceFlags: number) =>
      context.with(trace.setSpanContext(ROOT_CONTEXT, { ...span, traceFlags }), () => exemplar());
    expect(within(TraceFlags.SAMPLED)).toEqual({ trace_id: span.traceId, span_id: span.spanId });
    expect(within(TraceFlags.NONE)).toBeUndefined();
    expect(exemplar()).toBeUndefined();
  });
});
