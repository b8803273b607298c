import { missingPartitions } from '@sluice/store/layout/missing-partitions';
import type { Database } from '@sluice/store/database';
import type { HealthCheck } from '@sluice/daemon/http/health';

/** Whether the partitions of this week and the next are there. */
export function partitionsCheck(database: Database): HealthCheck {
  return {
    name: 'partitions',
    critical: false,
    async run() {
      const missing = await missingPartitions(database.db, new Date());
      return { ok: missing.length === 0, detail: { missing } };
    },
  };
}
