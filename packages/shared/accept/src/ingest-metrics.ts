import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import { type ApiErrorCode, CODES_OF } from '@sluice/errors/api-errors';
import { REJECTIONS, type RejectionCode } from '@sluice/events/adapters/event-adapter';
import { ADAPTERS } from '@sluice/events/adapters/registry';
import type { Durability } from '@sluice/stream/durability';

/** Up to the largest MAX_BATCH_SIZE. */
const BATCH_EVENTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/** Counts what ingest does. Each request causes one call of each kind at most. */
export interface IngestMetrics {
  /** A batch that was answered with 202: all its events, and the accepted ones. */
  accepted(this: void, batch: { source: string; events: number; accepted: number }): void;
  /** Events that an answer names as rejected. */
  rejected(this: void, events: readonly { readonly code: RejectionCode }[]): void;
  /** A request that was answered with an error. */
  refused(this: void, code: ApiErrorCode): void;
  /** A body that was read, in bytes after decompression. */
  body(this: void, bytes: number): void;
}

/** @param durability what a 202 means now */
export function createIngestMetrics(registry: Metrics, durability: () => Durability): IngestMetrics {
  const registers = [registry];
  const accepted = new Counter({
    name: 'sluice_ingest_events_accepted_total',
    help: 'Events on the stream and acknowledged with 202.',
    labelNames: ['source'],
    registers,
  });
  const rejected = new Counter({
    name: 'sluice_ingest_events_rejected_total',
    help: 'Events of a batch that were rejected, by the code in its answer.',
    labelNames: ['code'],
    registers,
  });
  const refused = new Counter({
    name: 'sluice_ingest_requests_refused_total',
    help: 'Requests answered with an error, by its code.',
    labelNames: ['code'],
    registers,
  });
  const batchEvents = new Histogram({
    name: 'sluice_ingest_batch_events',
    help: 'Events in a request that was accepted.',
    buckets: BATCH_EVENTS,
    registers,
  });
  const bodyBytes = new Counter({
    name: 'sluice_ingest_body_bytes_total',
    help: 'Bytes of bodies, decompressed.',
    registers,
  });
  const level = new Gauge({
    name: 'sluice_ingest_durability_info',
    help: '1 for what a 202 means now.',
    labelNames: ['level'],
    collect() {
      this.reset();
      this.set({ level: durability() }, 1);
    },
    registers: [],
  });
  registry.registerMetric(level);
  // Each series starts at 0: Prometheus would not see the first count of a new series as an increase.
  for (const { source } of ADAPTERS) accepted.inc({ source }, 0);
  for (const code of Object.keys(REJECTIONS)) rejected.inc({ code }, 0);
  for (const code of CODES_OF.ingest) refused.inc({ code }, 0);
  return {
    accepted(batch) {
      accepted.inc({ source: batch.source }, batch.accepted);
      batchEvents.observe(batch.events);
    },
    rejected(events) {
      if (events.length === 0) return;
      const byCode = new Map<RejectionCode, number>();
      for (const { code } of events) byCode.set(code, (byCode.get(code) ?? 0) + 1);
      for (const [code, count] of byCode) rejected.inc({ code }, count);
    },
    refused: (code) => refused.inc({ code }),
    body: (bytes) => bodyBytes.inc(bytes),
  };
}
