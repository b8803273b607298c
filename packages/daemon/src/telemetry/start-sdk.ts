import { hostname } from 'node:os';
import { context, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { register } from 'import-in-the-middle/register-hooks.mjs';
import { VERSION } from '@sluice/errors/version';
import { COLLECTOR_AWAY, COLLECTOR_BACK } from '../log/log-tracing.ts';
import { clientTraces } from './client-traces.ts';
import { instrumentations } from './instrumentations.ts';
import { keepFailures } from './keep-failures.ts';
import type { TracingConfig } from './read-tracing-config.ts';
import { redactSpans } from './redact-spans.ts';
import { createSampler } from './sampler.ts';
import { boundQueue, countExports, spanCounts } from './span-counts.ts';

/** One transaction may hold the events of 500 requests, each with a link; OpenTelemetry's own limit is 128. */
const MAX_LINKS = 1_024;
/** Most spans in one export. */
const MAX_EXPORT = 512;
/** How long a collector may take for one export, in milliseconds. */
const EXPORT_TIMEOUT_MS = 5_000;

/**
 * The only modules that the loader hook wraps. Each one costs start time, and Sluice's own modules have nothing to patch.
 */
const PATCHED = ['http', 'https', /\/node_modules\/(ioredis|pg|pg-pool)\//, /\/node_modules\/@(aws-sdk|smithy)\//];

/**
 * Starts OpenTelemetry in this process. The patched libraries (ioredis, pg) must not be loaded yet. Without `register()`
 * before the SDK, ES modules stay unpatched, silently.
 */
export function startSdk(daemon: string, config: TracingConfig): void {
  register({ include: PATCHED });
  const exporter = countExports(
    redactSpans(
      new OTLPTraceExporter({
        url: `${config.endpoint}/v1/traces`,
        headers: { ...config.headers },
        timeoutMillis: EXPORT_TIMEOUT_MS,
        // One flush sends all that waits. While the collector hangs, the batch processor starts one export after the other.
        concurrencyLimit: Math.ceil(config.maxQueueSize / MAX_EXPORT) + 1,
      }),
    ),
    spanCounts,
    {
      // Outside of the span that happened to start the export: the outage does not belong to its trace.
      began: (error) => context.with(ROOT_CONTEXT, () => diag.warn(COLLECTOR_AWAY, error)),
      ended: () => context.with(ROOT_CONTEXT, () => diag.info(COLLECTOR_BACK)),
    },
  );
  // The batch processor reports each failed export here; the log has one line for an outage.
  setGlobalErrorHandler(() => {});
  const processor = boundQueue(
    (next) =>
      new BatchSpanProcessor({
        exporter: next,
        maxQueueSize: config.maxQueueSize,
        maxExportBatchSize: Math.min(MAX_EXPORT, config.maxQueueSize),
        scheduledDelayMillis: config.delayMs,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    { exporter, maxQueueSize: config.maxQueueSize, counts: spanCounts },
  );
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({
      'service.name': `sluice-${daemon}`,
      'service.namespace': 'sluice',
      'service.version': VERSION,
      'service.instance.id': `${hostname()}:${process.pid}`,
      ...config.resource,
    }),
    // Detectors would add command lines, users and hosts. The attributes of the environment are in the config.
    autoDetectResources: false,
    sampler: createSampler(config.ratio),
    spanProcessors: [keepFailures(processor)],
    spanLimits: { linkCountLimit: MAX_LINKS },
    textMapPropagator: clientTraces(config.clients),
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [instrumentations(config.clients)],
  });
  // With OTEL_LOG_LEVEL the SDK prints its diagnostics as plain text between the log lines; `logTracing` logs them.
  diag.disable();
  sdk.start();
}
