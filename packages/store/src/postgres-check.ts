import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Orm } from './orm.ts';

/** Whether Postgres answers. */
export function postgresCheck(orm: Orm): HealthCheck {
  return {
    name: 'postgres',
    critical: true,
    async run() {
      await orm.em.fork().getConnection().execute('SELECT 1');
      return { ok: true };
    },
  };
}
