import type { Redis } from 'ioredis';
import type { KeyRing } from '@sluice/access/key-ring';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import type { WakeQueue } from '@sluice/jobs/wake-queue';
import type { Database } from '@sluice/store/database';
import type { BacklogMeter } from '@sluice/stream/backlog-meter';
import type { QueryConfig } from './config.ts';
import type { SyncedKeys } from './keys/sync-keys.ts';
import type { LiveTail } from './tail/live-tail.ts';

/** What the routes need. */
export interface QueryContext {
  readonly config: QueryConfig;
  /** The configured and the stored keys. */
  readonly keys: KeyRing;
  readonly syncedKeys: SyncedKeys;
  readonly database: Database;
  /** Serves events, statistics and sessions: the replica of DATABASE_READ_URL, else the same as `database`. */
  readonly readDatabase: Database;
  /** Follows commits on the primary. */
  readonly liveTail: LiveTail;
  /** Age of the data that reads show, in seconds: how much later than its acceptance an event is seen. Null while unknown. */
  readonly dataAge: () => number | null;
  readonly redis: Redis;
  readonly replayJobs: WakeQueue;
  readonly runRequests: WakeQueue;
  readonly exportJobs: WakeQueue;
  readonly backlogMeter: BacklogMeter;
  readonly logger: Logger;
  readonly registry: Metrics;
  readonly checks: readonly HealthCheck[];
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
}
