import type { KeyRing } from '@sluice/shared/access/key-ring';
import type { HealthCheck } from '@sluice/shared/runtime/health';
import type { Logger } from '@sluice/shared/runtime/logger';
import type { Metrics } from '@sluice/shared/telemetry/metrics';
import type { Admission } from './admission.ts';
import type { IngestConfig } from './config.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { Principal } from './key-ring.ts';
import type { Queue } from './queue.ts';
import type { Quotas } from './quotas.ts';

/** What the routes need. */
export interface IngestContext {
  readonly config: IngestConfig;
  /** The configured and the stored keys. */
  readonly keys: KeyRing<Principal>;
  readonly quotas: Quotas;
  readonly queue: Queue;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly checks: readonly HealthCheck[];
  /** What `/metrics` shows. */
  readonly registry: Metrics;
  readonly metrics: IngestMetrics;
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
}
