import type { Redis } from 'ioredis';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { STORES } from '@sluice/store/find-obstacle';
import { postgresCheck } from '@sluice/store/postgres-check';
import type { Failure } from '@sluice/store/write/failure-policy';
import { redisCheck } from '@sluice/stream/redis-check';
import type { WriterState } from './writer-state.ts';

const NOT_READY = 'the schema is not ready: migrations and partitions are still to be made';

/** The checks of the writer's `/health` and `/ready`. */
export function writerChecks({
  redis,
  database,
  state,
  work,
}: {
  redis: Redis;
  database: Database;
  state: WriterState;
  /** Asks Redis for what the writer does, without an effect. */
  work: () => Promise<unknown>;
}): HealthCheck[] {
  return [
    redisCheck(redis, { work }),
    // Before that, this writer makes the schema itself.
    postgresCheck(database, () => (state.databaseReady ? STORES : null)),
    {
      name: 'schema',
      critical: true,
      run: () => ({
        ok: state.databaseReady,
        detail: state.databaseReady ? {} : { error: NOT_READY, ...reasonOf(state.notReady) },
      }),
    },
    {
      name: 'consumer',
      critical: true,
      run: () => ({
        ok: state.stalled === null && state.redisFailures.current.length === 0,
        detail: {
          stalled: state.stalled,
          retrying: state.retrying,
          failing: state.redisFailures.current,
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

/** Why the database could not be prepared; nothing before the first failure. */
function reasonOf(failure: Failure | null): { code?: string; error?: string } {
  return failure === null ? {} : { code: failure.code, error: failure.message };
}
