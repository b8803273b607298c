import { isSpanContextValid, trace, TraceFlags } from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, type OpenMetricsContentType, Registry } from 'prom-client';
import { VERSION } from '@sluice/errors/version';
import { spanCounts } from './span-counts.ts';

/**
 * Gauges that prom-client names like counters; `promtool check metrics` rejects them. Nothing is lost: each is the sum over
 * the labels of another gauge.
 */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];

/** All metrics of one daemon. */
export type Metrics = Registry<OpenMetricsContentType>;

/**
 * Makes the registry of a daemon's metrics, with those of its process: CPU, RSS, heap, garbage collection, event-loop
 * delay, and what happened to its spans. A registry shares no state with others, so a test can make several.
 */
export function createMetrics(daemon: string): Metrics {
  // Only this format has exemplars. The older one is made from it.
  const registry: Metrics = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const registers = [registry];
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the labels say which daemon of which version this is.',
    labelNames: ['daemon', 'version'],
    registers,
  }).set({ daemon, version: VERSION }, 1);
  new Counter({
    name: 'sluice_spans_exported_total',
    help: 'Spans that the collector accepted.',
    registers,
    collect() {
      setTo(this, {}, spanCounts.exported);
    },
  });
  new Counter({
    name: 'sluice_spans_dropped_total',
    help: 'Spans that were dropped: the queue was full, or the collector did not accept them.',
    labelNames: ['reason'],
    registers,
    collect() {
      setTo(this, { reason: 'queue_full' }, spanCounts.droppedQueueFull);
      setTo(this, { reason: 'export_failed' }, spanCounts.droppedExportFailed);
    },
  });
  return registry;
}

/** Sets a counter to what was counted elsewhere. Call it in `collect`, once for each set of labels. */
export function setTo<L extends string>(counter: Counter<L>, labels: Partial<Record<L, string>>, total: number): void {
  counter.remove(labels);
  counter.inc(labels, total);
}

/**
 * Labels of an exemplar for what is measured now: the active trace, if it is sampled. They lead from a point of a
 * histogram to a trace in Jaeger.
 */
export function exemplar(): Record<string, string> | undefined {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span) || (span.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { trace_id: span.traceId, span_id: span.spanId };
}

/**
 * Adds `GET /metrics`: OpenMetrics with exemplars where the client accepts it (Prometheus with exemplar storage does), else
 * Prometheus's text format. Like `/health` it needs no key: it names no tenant, and the front proxy does not publish it.
 */
export function addMetricsRoute(server: FastifyInstance, registry: Metrics): void {
  server.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    const text = await registry.metrics();
    if (request.headers.accept?.includes('application/openmetrics-text') === true) {
      return reply.header('content-type', Registry.OPENMETRICS_CONTENT_TYPE).send(text);
    }
    return reply.header('content-type', Registry.PROMETHEUS_CONTENT_TYPE).send(toPrometheusText(text));
  });
}

/** Converts OpenMetrics to text format 0.0.4: counters are named with their suffix, and there are no exemplars. */
export function toPrometheusText(openMetrics: string): string {
  const counters = new Set([...openMetrics.matchAll(/^# TYPE (\S+) counter$/gm)].map((match) => match[1]));
  return openMetrics
    .replaceAll(/^# (HELP|TYPE) (\S+)/gm, (line, what: string, name: string) =>
      counters.has(name) ? `# ${what} ${name}_total` : line,
    )
    .replaceAll(/ # \{[^}]*\} \S+ \S+$/gm, '')
    .replace(/# EOF\n$/, '');
}
