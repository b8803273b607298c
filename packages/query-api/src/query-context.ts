import type { Redis } from 'ioredis';
import type { Orm } from '@sluice/shared/database/orm';
import type { ReplayJobs } from '@sluice/shared/jobs/replay-jobs';
import type { HealthCheck } from '@sluice/shared/runtime/health';
import type { Logger } from '@sluice/shared/runtime/logger';
import type { QueryConfig } from './config.ts';
import type { DrainMeter } from './drain-meter.ts';

/** What the routes need. */
export interface QueryContext {
  readonly config: QueryConfig;
  readonly orm: Orm;
  readonly redis: Redis;
  readonly replayJobs: ReplayJobs;
  readonly drainMeter: DrainMeter;
  readonly logger: Logger;
  readonly checks: readonly HealthCheck[];
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
}
