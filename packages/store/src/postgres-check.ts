import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from './database.ts';

/** Whether Postgres answers. */
export function postgresCheck(database: Database): HealthCheck {
  return {
    name: 'postgres',
    critical: true,
    async run() {
      await database.check();
      return { ok: true };
    },
  };
}
