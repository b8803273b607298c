import { sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes dead letters that were replayed or discarded more than `DEAD_LETTER_RETENTION_DAYS` ago, and replays that
 * ended before that. Deletes entries of the audit log that are older than `AUDIT_RETENTION_DAYS`. A dead letter that is
 * open or being replayed stays, however old: it is the only copy of an event.
 */
export const expireDeadLettersJob = {
  name: 'expire-dead-letters',
  description: 'Deletes settled dead letters, ended replays and audit entries that are past their retention',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireDeadLetters,
} satisfies Job;

async function expireDeadLetters({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const old = sql`now() - make_interval(days => ${config.DEAD_LETTER_RETENTION_DAYS})`;
  const [dead_letters = 0, replays = 0, audit_entries = 0] = await deleteInBatches(
    database.db,
    [
      {
        table: 'dead_letters',
        where: sql`state IN ('replayed', 'discarded') AND coalesce(settled_at, last_failed_at) < ${old}`,
        order: sql`id`,
      },
      {
        table: 'replays',
        // Dead letters of a cancelled or failed replay may still be on the stream.
        where: sql`finished_at < ${old} AND NOT EXISTS (SELECT FROM dead_letters WHERE replay_id = replays.id)`,
        order: sql`created_at`,
      },
      {
        table: 'audit_log',
        where: sql`at < now() - make_interval(days => ${config.AUDIT_RETENTION_DAYS})`,
        order: sql`id`,
      },
    ],
    run,
  );
  return { rows: dead_letters + replays + audit_entries, details: { dead_letters, replays, audit_entries } };
}
