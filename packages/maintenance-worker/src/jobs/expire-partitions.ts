import { estimateEvents } from '@sluice/store/layout/estimate-events';
import { expiringPartitions } from '@sluice/store/layout/expiring-partitions';
import type { MaintenanceConfig } from '../config.ts';
import { archivePartition } from '../exports/archive-partition.ts';
import { dropPartitions } from '../retention/drop-partitions.ts';
import { type JudgedPartition, judgePartitions } from '../retention/judge-partitions.ts';
import { DRY_RUN_INPUT, retentionRules } from '../retention/retention-rules.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Drops whole partitions that are past EVENT_RETENTION_DAYS, with their ids and their part of the roll-ups. */
export const expirePartitionsJob = (config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): Job => ({
  name: 'expire-partitions',
  description: 'Drops partitions that are past EVENT_RETENTION_DAYS, with their ids and their part of the roll-ups',
  schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  input: DRY_RUN_INPUT,
  run: dropExpired,
});

/** Longest wait for one transaction that has a partition open, in milliseconds; the next run tries again. */
const LOCK_TIMEOUT_MS = 10_000;

async function dropExpired(context: JobContext, run: JobRun): Promise<JobResult> {
  const { database, config, logger } = context;
  if (run.input['dry_run'] === true) return dryRun(context);
  const expired = await dropPartitions(database, {
    ...retentionRules(config, new Date()),
    archive: config.RETENTION_ARCHIVE ? (table, signal) => archivePartition(context, table, signal) : null,
    signal: run.signal,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    progress: (events) => run.progress(events),
  });
  const details = { dropped: expired.dropped, ...staying(expired.judged), waiting: expired.waiting };
  for (const { partition, heldBackBy } of expired.judged) {
    if (heldBackBy.length === 0) continue;
    logger.warn(
      { partition: partition.name, tenants: heldBackBy },
      'partition waits for exports that have not taken it yet',
    );
  }
  if (expired.waiting.length > 0) {
    logger.warn(
      { partitions: expired.waiting },
      'expired partitions are still open in long transactions; the next run continues',
    );
  }
  if (expired.failures.length > 0) {
    throw new Error(expired.failures.map(({ partition, error }) => `${partition}: ${error}`).join('; '));
  }
  return { rows: expired.events, details };
}

async function dryRun({ database, config }: JobContext): Promise<JobResult> {
  const db = database.db;
  const judged = await judgePartitions(db, retentionRules(config, new Date()));
  const free = judged.filter(({ keepers, heldBackBy }) => keepers.length + heldBackBy.length === 0);
  const begun = (await expiringPartitions(db)).filter(({ state }) => state === 'pending' || state === 'detached');
  const names = [...begun, ...free.map(({ partition }) => partition)].map(({ name }) => name);
  const would_drop = await estimateEvents(db, names);
  return { rows: 0, details: { dry_run: true, would_drop, ...staying(judged) } };
}

/** Expired partitions that stay, with the tenants that they stay for. */
function staying(judged: readonly JudgedPartition[]): { kept: object; held_back: object } {
  const of = (tenants: (each: JudgedPartition) => readonly string[]): object =>
    Object.fromEntries(
      judged.filter((each) => tenants(each).length > 0).map((each) => [each.partition.name, tenants(each)]),
    );
  return { kept: of(({ keepers }) => keepers), held_back: of(({ heldBackBy }) => heldBackBy) };
}
