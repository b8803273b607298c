import type { MaintenanceConfig } from '../config.ts';
import { checkPartitionsJob } from '../jobs/check-partitions.ts';
import { expirePartitionsJob } from '../jobs/expire-partitions.ts';
import { expireTenantEventsJob } from '../jobs/expire-tenant-events.ts';
import { foldRollupsJob } from '../jobs/fold-rollups.ts';
import { rebuildRollupsJob } from '../jobs/rebuild-rollups.ts';
import { RETENTION_INPUT } from '../jobs/retention-input.ts';
import { checkFenceJob } from '../jobs/check-fence.ts';
import { closeSessionsJob } from '../jobs/close-sessions.ts';
import { expireDeadLettersJob } from '../jobs/expire-dead-letters.ts';
import { expireExportRunsJob } from '../jobs/expire-export-runs.ts';
import { expireHistoryJob } from '../jobs/expire-history.ts';
import { expireSessionsJob } from '../jobs/expire-sessions.ts';
import type { Job } from '../jobs/job.ts';
import { makePartitionsJob } from '../jobs/make-partitions.ts';
import { queueExportsJob } from '../jobs/queue-exports.ts';
import { rebaseExportsJob } from '../jobs/rebase-exports.ts';
import { removeIdleConsumersJob } from '../jobs/remove-idle-consumers.ts';
import { rotateExportKeysJob } from '../jobs/rotate-export-keys.ts';
import { VERIFY_INPUT, verifyExportJob } from '../jobs/verify-export.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Every job there is. */
export function jobsFor(config: MaintenanceConfig): readonly Job[] {
  return [
    {
      name: 'make-partitions',
      description: 'Makes the partitions of this week and the next two',
      schedule: { everyMs: HOUR_MS },
      timeoutMs: MINUTE_MS,
      concurrency: 1,
      run: makePartitionsJob,
    },
    {
      name: 'close-sessions',
      description: 'Ends sessions of which nothing has arrived for SESSION_IDLE_HOURS',
      schedule: { everyMs: MINUTE_MS },
      timeoutMs: 5 * MINUTE_MS,
      concurrency: 1,
      run: closeSessionsJob,
    },
    {
      name: 'expire-sessions',
      description: 'Deletes sessions that ended more than EVENT_RETENTION_DAYS ago',
      schedule: { everyMs: HOUR_MS },
      timeoutMs: HOUR_MS / 2,
      concurrency: 1,
      run: expireSessionsJob,
    },
    {
      name: 'expire-dead-letters',
      description: 'Deletes settled dead letters, ended replays and audit entries that are past their retention',
      schedule: { everyMs: HOUR_MS },
      timeoutMs: HOUR_MS / 2,
      concurrency: 1,
      run: expireDeadLettersJob,
    },
    {
      name: 'expire-history',
      description: "Deletes ended runs of jobs, beyond each job's newest thousand or older than 30 days",
      schedule: { everyMs: HOUR_MS },
      timeoutMs: HOUR_MS / 2,
      concurrency: 1,
      run: expireHistoryJob,
    },
    {
      name: 'expire-export-runs',
      description: "Deletes export runs that ended more than 90 days ago, but not each tenant's newest; files stay",
      schedule: { everyMs: HOUR_MS },
      timeoutMs: HOUR_MS / 2,
      concurrency: 1,
      run: expireExportRunsJob,
    },
    {
      name: 'remove-idle-consumers',
      description: 'Removes consumers of writers that are gone and have nothing pending',
      schedule: { everyMs: HOUR_MS },
      timeoutMs: MINUTE_MS,
      concurrency: 1,
      run: removeIdleConsumersJob,
    },
    {
      name: 'queue-exports',
      description: 'Queues a run for every tenant whose export is due',
      schedule: { everyMs: MINUTE_MS },
      timeoutMs: 5 * MINUTE_MS,
      concurrency: 1,
      run: queueExportsJob,
    },
    {
      name: 'rotate-export-keys',
      description: 'Seals the credentials of all tenants with the first key of EXPORT_ENCRYPTION_KEYS',
      schedule: null,
      timeoutMs: HOUR_MS,
      concurrency: 1,
      run: rotateExportKeysJob,
    },
    {
      name: 'check-partitions',
      description: 'Fails when the partition of this week or the next is missing',
      schedule: { everyMs: MINUTE_MS },
      timeoutMs: MINUTE_MS,
      concurrency: 1,
      run: checkPartitionsJob,
    },
    {
      name: 'expire-partitions',
      description: 'Drops partitions that are past EVENT_RETENTION_DAYS, with their ids and their part of the roll-ups',
      schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
      timeoutMs: 12 * HOUR_MS,
      concurrency: 1,
      input: RETENTION_INPUT,
      run: expirePartitionsJob,
    },
    {
      name: 'expire-tenant-events',
      description: 'Deletes events of tenants with a retention of their own, row by row',
      schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
      timeoutMs: 12 * HOUR_MS,
      concurrency: 1,
      input: RETENTION_INPUT,
      run: expireTenantEventsJob,
    },
    {
      name: 'fold-rollups',
      description: 'Adds newly stored events to the roll-ups',
      schedule: { everyMs: 10_000 },
      timeoutMs: 5 * MINUTE_MS,
      concurrency: 1,
      run: foldRollupsJob,
    },
    {
      name: 'rebuild-rollups',
      description: 'Builds the roll-ups anew beside those that are read, then puts them in their place',
      schedule: null,
      timeoutMs: 12 * HOUR_MS,
      concurrency: 1,
      run: rebuildRollupsJob,
    },
    {
      name: 'check-fence',
      description: 'Looks how far the fence is behind, in seconds, and who holds it back',
      schedule: { everyMs: MINUTE_MS },
      timeoutMs: MINUTE_MS,
      concurrency: 1,
      run: checkFenceJob,
    },
    {
      name: 'verify-export',
      description: 'Reads an export again and checks it against its manifest',
      schedule: null,
      timeoutMs: 12 * HOUR_MS,
      concurrency: 2,
      input: VERIFY_INPUT,
      run: verifyExportJob,
    },
    {
      name: 'rebase-exports',
      description: 'Lets scheduled exports go on after the data was restored into another cluster',
      schedule: null,
      timeoutMs: 5 * MINUTE_MS,
      concurrency: 1,
      run: rebaseExportsJob,
    },
  ];
}
