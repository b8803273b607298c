import { kyselyOf } from '@sluice/store/kysely-of';
import { missingPartitions } from '@sluice/store/layout/missing-partitions';
import type { Orm } from '@sluice/store/orm';
import type { HealthCheck } from '@sluice/daemon/http/health';

/** Whether the partitions of this week and the next are there. */
export function partitionsCheck(orm: Orm): HealthCheck {
  return {
    name: 'partitions',
    critical: false,
    async run() {
      const missing = await missingPartitions(kyselyOf(orm), new Date());
      return { ok: missing.length === 0, detail: { missing } };
    },
  };
}
