import type { Redis } from 'ioredis';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { postgresCheck } from '@sluice/store/postgres-check';
import { redisCheck } from '@sluice/stream/redis-check';
import type { WriterState } from './writer-state.ts';

/** The checks of the writer's `/health` and `/ready`. */
export function writerChecks({
  redis,
  database,
  state,
}: {
  redis: Redis;
  database: Database;
  state: WriterState;
}): HealthCheck[] {
  return [
    redisCheck(redis),
    postgresCheck(database),
    {
      name: 'schema',
      critical: true,
      run: () => ({
        ok: state.databaseReady,
        detail: state.databaseReady
          ? {}
          : { error: 'the schema is not ready: migrations and partitions are still to be made' },
      }),
    },
    {
      name: 'consumer',
      critical: true,
      run: () => ({
        ok: state.stalled === null,
        detail: {
          stalled: state.stalled,
          retrying: state.retrying,
          transactions_in_flight: state.inFlight,
          transactions: state.transactions,
          stored_events: state.storedEvents,
          duplicate_events: state.duplicateEvents,
          dead_letters: state.deadLetters,
          last_commit_at: state.lastCommitAt === null ? null : new Date(state.lastCommitAt).toISOString(),
        },
      }),
    },
  ];
}
