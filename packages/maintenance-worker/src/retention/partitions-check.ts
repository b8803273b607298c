import { kyselyOf } from '@sluice/shared/database/kysely-of';
import { missingPartitions } from '@sluice/shared/database/missing-partitions';
import type { Orm } from '@sluice/shared/database/orm';
import type { HealthCheck } from '@sluice/shared/runtime/health';

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
