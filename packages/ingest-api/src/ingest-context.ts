import type { IdempotencyKeys } from '@sluice/accept/idempotency-keys';
import type { IngestMetrics } from '@sluice/accept/ingest-metrics';
import type { Admission } from '@sluice/accept/limits/admission';
import type { Quotas } from '@sluice/accept/limits/quotas';
import type { Queue } from '@sluice/accept/queue';
import type { KeyRing } from '@sluice/access/key-ring';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import type { IngestConfig } from './config.ts';
import type { HeldBodies } from './doors/held-bodies.ts';

/** Dependencies of the routes. */
export interface IngestContext {
  readonly config: IngestConfig;
  /** The configured and the stored keys. */
  readonly keys: KeyRing;
  readonly quotas: Quotas;
  readonly heldBodies: HeldBodies;
  readonly queue: Queue;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly checks: readonly HealthCheck[];
  /** The metrics that `/metrics` shows. */
  readonly registry: Metrics;
  readonly metrics: IngestMetrics;
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
}
