import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Kysely, sql } from 'kysely';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll } from '@sluice/daemon/retry/poll';
import type { BacklogMeter } from '@sluice/stream/backlog-meter';

/** How often the replica is asked, in milliseconds. */
const SAMPLE_MS = 1_000;

/** Measures the replication lag of a replica. */
export interface ReplicaLagMeter {
  /** Seconds; null while unknown. */
  readonly seconds: number | null;
  stop(): Promise<void>;
}

/** The age of the data: the age of the oldest waiting entry plus the lag of the replica. */
export function dataAgeOf(backlogMeter: BacklogMeter, replica: ReplicaLagMeter | null): () => number | null {
  return () => {
    const queue = backlogMeter.backlog?.ageSeconds ?? null;
    const lag = replica === null ? 0 : replica.seconds;
    return queue === null || lag === null ? null : queue + lag;
  };
}

/** Gives every answer of this instance the header `X-Data-Age`: seconds, e.g. `0.4`, or `unknown`. */
export function addDataAge(server: FastifyInstance, ageSeconds: () => number | null): void {
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('x-data-age', ageSeconds()?.toFixed(1) ?? 'unknown');
  });
}

/** Gives one answer another age: the sum of its parts in seconds, `unknown` when one of them is. */
export function setDataAge(reply: FastifyReply, parts: readonly (number | null | undefined)[]): void {
  const age = parts.reduce<number | null>((sum, part) => (sum === null || part == null ? null : sum + part), 0);
  reply.header('x-data-age', age?.toFixed(1) ?? 'unknown');
}

/** Starts measuring the lag of `db`, the database of DATABASE_READ_URL. */
export function startReplicaLagMeter(db: Kysely<unknown>, logger: Logger): ReplicaLagMeter {
  let seconds: number | null = null;
  const sampling = poll({
    everyMs: SAMPLE_MS,
    async turn() {
      try {
        seconds = await replicaLagSeconds(db);
      } catch (error) {
        seconds = null;
        throw error;
      }
    },
    // At debug only: requests (503) and /health report it.
    onFailing: (error) => logger.debug({ error }, 'replica lag not measured'),
  });
  void sampling.now();
  return {
    get seconds() {
      return seconds;
    },
    stop: () => sampling.stop(),
  };
}

/**
 * Reads the lag in seconds. It is 0 on a primary, and on a connected replica that has replayed everything it received.
 * Else it is the age of the last replayed transaction, which is at least the lag.
 */
async function replicaLagSeconds(db: Kysely<unknown>): Promise<number> {
  const { rows } = await sql<{ lag: number }>`
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0
                WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
                ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
           END::float8 AS lag`.execute(db);
  return Math.max(0, rows[0]!.lag);
}
