import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '../database.ts';
import { appliedMigrations, requireCompatible, SchemaTooNewError } from './compatibility.ts';
import { MIGRATIONS } from './migrations.ts';

/** Whether this version can run with the current schema. For daemons that do not migrate. */
export function schemaCheck(database: Database): HealthCheck {
  return {
    name: 'schema',
    critical: true,
    async run() {
      try {
        requireCompatible(await appliedMigrations(database.db), MIGRATIONS);
        return { ok: true };
      } catch (error) {
        if (!(error instanceof SchemaTooNewError)) throw error;
        return { ok: false, detail: { error: error.message } };
      }
    },
  };
}
