import { sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes dead letters that were settled (replayed or discarded) more than `DEAD_LETTER_RETENTION_DAYS` ago, replays
 * that ended before that, and entries of the audit log that are older than `AUDIT_RETENTION_DAYS`. A letter that is dead or being
 * replayed stays, however old: it is the only copy of an event.
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
  const db = database.db;
  const old = sql`now() - make_interval(days => ${config.DEAD_LETTER_RETENTION_DAYS})`;
  const letters = await deleteInBatches(
    db,
    {
      table: 'dead_letters',
      where: sql`state IN ('replayed', 'discarded') AND coalesce(settled_at, last_failed_at) < ${old}`,
      order: sql`id`,
    },
    run,
  );
  const replays = await deleteInBatches(
    db,
    {
      table: 'replays',
      // Dead letters of a cancelled or failed replay may still be on the stream.
      where: sql`finished_at < ${old} AND NOT EXISTS (SELECT FROM dead_letters WHERE replay_id = replays.id)`,
      order: sql`created_at`,
    },
    run,
    letters,
  );
  const entries = await deleteInBatches(
    db,
    {
      table: 'audit_log',
      where: sql`at < now() - make_interval(days => ${config.AUDIT_RETENTION_DAYS})`,
      order: sql`id`,
    },
    run,
    letters + replays,
  );
  return {
    rows: letters + replays + entries,
    details: { dead_letters: letters, replays, audit_entries: entries },
  };
}
