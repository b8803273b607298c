import { type Kysely, type SqlBool, sql } from 'kysely';
import { estimateEvents } from '@sluice/store/layout/estimate-events';
import { expiringSegments } from '@sluice/store/layout/expiring-segments';
import type { MaintenanceConfig } from '../config.ts';
import { archiveSegment } from '../exports/archive-segment.ts';
import { dropSegments } from '../retention/drop-segments.ts';
import { type JudgedSegment, judgeSegments } from '../retention/judge-segments.ts';
import { whileOldSegmentsAreMine } from '../retention/old-segments-lock.ts';
import { DRY_RUN_INPUT, retentionRules } from '../retention/retention-rules.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Drops whole segments that are past EVENT_RETENTION_DAYS, with their part of the projections. */
export const expireSegmentsJob = (config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): Job => ({
  name: 'expire-segments',
  description: 'Drops segments that are past EVENT_RETENTION_DAYS, with their part of the roll-ups',
  schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  input: DRY_RUN_INPUT,
  run: dropExpired,
});

/** Longest wait for one transaction that has a segment open, in milliseconds; the next run tries again. */
const LOCK_TIMEOUT_MS = 10_000;

async function dropExpired(context: JobContext, run: JobRun): Promise<JobResult> {
  const { database, config, logger } = context;
  if (run.input['dry_run'] === true) return dryRun(context);
  const expired = await whileOldSegmentsAreMine(database, run.signal, () =>
    dropSegments(database, {
      ...retentionRules(config, new Date()),
      archive: config.RETENTION_ARCHIVE ? (segment, signal) => archiveSegment(context, segment, signal) : null,
      signal: run.signal,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      progress: (events) => run.progress(events),
    }),
  );
  const { dropped, rewritten, waiting } = expired;
  const details = { dropped, rewritten, ...staying(expired.judged), waiting };
  for (const { segment, heldBackBy } of expired.judged) {
    if (heldBackBy.length === 0) continue;
    logger.warn(
      { segment: segment.relation, tenants: heldBackBy },
      'segment waits for exports that have not taken it yet',
    );
  }
  if (waiting.length > 0) {
    logger.warn({ segments: waiting }, 'expired segments are still open in long transactions; the next run continues');
  }
  if (expired.failures.length > 0) {
    throw new Error(expired.failures.map(({ segment, error }) => `${segment}: ${error}`).join('; '));
  }
  return { rows: expired.events, details };
}

async function dryRun({ database, config }: JobContext): Promise<JobResult> {
  const db = database.db;
  const judged = await judgeSegments(db, retentionRules(config, new Date()));
  const free = judged.filter(({ keepers, heldBackBy }) => keepers.length + heldBackBy.length === 0);
  const begun = (await expiringSegments(db)).filter(({ state }) => state === 'pending' || state === 'detached');
  const names = [...begun.map(({ relation }) => relation), ...free.map(({ segment }) => segment.relation)];
  const would_drop = await estimateEvents(db, names);
  const would_rewrite = [];
  for (const { segment, keepers, heldBackBy, others } of judged) {
    if (keepers.length === 0 || others === 0) continue;
    const except = [...keepers, ...heldBackBy];
    would_rewrite.push({ segment: segment.relation, except, events: await countOthers(db, segment.relation, except) });
  }
  return { rows: 0, details: { dry_run: true, would_drop, would_rewrite, ...staying(judged) } };
}

async function countOthers(db: Kysely<unknown>, relation: string, tenants: readonly string[]): Promise<number> {
  const others = sql<SqlBool>`tenant <> ALL(${tenants}::text[])`;
  const { rows } = await sql<{ count: string }>`SELECT count(*) FROM ${sql.table(relation)} WHERE ${others}`.execute(
    db,
  );
  return Number(rows[0]!.count);
}

/** Expired segments that stay, with the tenants that they stay for. */
function staying(judged: readonly JudgedSegment[]): { kept: object; held_back: object } {
  const of = (tenants: (each: JudgedSegment) => readonly string[]): object =>
    Object.fromEntries(
      judged.filter((each) => tenants(each).length > 0).map((each) => [each.segment.relation, tenants(each)]),
    );
  return { kept: of(({ keepers }) => keepers), held_back: of(({ heldBackBy }) => heldBackBy) };
}
