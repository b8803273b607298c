import type { Redis } from 'ioredis';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { postgresCheck } from '@sluice/store/postgres-check';
import { redisCheck } from '@sluice/stream/redis-check';
import type { WriterState } from './writer-state.ts';

/** What `/health` and `/ready` of the writer look at. */
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
    postgresCheck(database),
    {
      name: 'schema',
      critical: true,
      run: () => ({
        ok: state.databaseReady,
        detail: state.databaseReady ? {} : { error: 'migrations and partitions are not done yet' },
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
