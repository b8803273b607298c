import { hostname } from 'node:os';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { register } from 'import-in-the-middle/register-hooks.mjs';
import { VERSION } from '../runtime/version.ts';
import { clientTraces } from './client-traces.ts';
import { instrumentations } from './instrumentations.ts';
import { keepFailures } from './keep-failures.ts';
import type { TracingConfig } from './read-tracing-config.ts';
import { createSampler } from './sampler.ts';
import { boundQueue, countExports, spanCounts } from './span-counts.ts';

/** One transaction may hold the events of 500 requests, each with a link; OpenTelemetry's own limit is 128. */
const MAX_LINKS = 1_024;
/** How long a collector may take for one export, in milliseconds. */
const EXPORT_TIMEOUT_MS = 5_000;

/**
 * Starts OpenTelemetry in this process. What is patched (ioredis, pg) must not be loaded yet, and without `register()`
 * before the SDK, modules that are imported as ES modules stay unpatched, silently.
 */
export function startSdk(daemon: string, config: TracingConfig): void {
  register();
  const exporter = countExports(
    new OTLPTraceExporter({
      url: `${config.endpoint}/v1/traces`,
      headers: { ...config.headers },
      timeoutMillis: EXPORT_TIMEOUT_MS,
    }),
    spanCounts,
  );
  const processor = boundQueue(
    (next) =>
      new BatchSpanProcessor({
        exporter: next,
        maxQueueSize: config.maxQueueSize,
        scheduledDelayMillis: config.delayMs,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    { exporter, maxQueueSize: config.maxQueueSize, counts: spanCounts },
  );
  new NodeSDK({
    resource: resourceFromAttributes({
      'service.name': `sluice-${daemon}`,
      'service.namespace': 'sluice',
      'service.version': VERSION,
      'service.instance.id': `${hostname()}:${process.pid}`,
    }),
    // The environment may hold anything; what a span says of its process is the line above.
    autoDetectResources: false,
    sampler: createSampler(config.ratio),
    spanProcessors: [keepFailures(processor)],
    spanLimits: { linkCountLimit: MAX_LINKS },
    textMapPropagator: clientTraces(config.clients),
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [instrumentations(config.clients)],
  }).start();
}
