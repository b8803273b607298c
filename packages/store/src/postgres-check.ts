import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from './database.ts';
import { type DatabaseNeeds, findObstacle } from './find-obstacle.ts';

/**
 * Whether Postgres answers and this daemon can do its work there.
 *
 * @param needs null while the daemon itself still makes the schema: then an answer is enough
 */
export function postgresCheck(database: Database, needs: () => DatabaseNeeds | null): HealthCheck {
  return {
    name: 'postgres',
    critical: true,
    async run() {
      const needed = needs();
      if (needed === null) {
        await database.check();
        return { ok: true };
      }
      const obstacle = await findObstacle(database.db, needed);
      return obstacle === null ? { ok: true } : { ok: false, detail: { code: obstacle.code, error: obstacle.message } };
    },
  };
}
