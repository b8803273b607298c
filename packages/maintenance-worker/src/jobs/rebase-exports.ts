import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { readExportConfig } from '@sluice/exports/export-config';
import type { ExportSettings } from '@sluice/exports/export-settings';
import type { Database } from '@sluice/store/database';
import { knownCluster, noteCluster } from '@sluice/store/fence/clusters';
import { type Fence, readFence } from '@sluice/store/fence/fence';
import { earliestOpenStart } from '@sluice/store/fence/observe-transactions';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { inTransaction } from '@sluice/store/transaction';
import { readPosition } from '../exports/fix-window.ts';
import { type Job, type JobContext, type JobResult, MINUTE_MS } from './job.ts';

/**
 * Lets scheduled exports continue after the data was restored into another cluster; a row is a tenant's last run for
 * the old cluster.
 */
export const rebaseExportsJob = {
  name: 'rebase-exports',
  description: 'Lets scheduled exports continue after the data was restored into another cluster',
  schedule: null,
  timeoutMs: 5 * MINUTE_MS,
  concurrency: 1,
  run: rebase,
} satisfies Job;

async function rebase({ database, config, logger }: JobContext): Promise<JobResult> {
  const { runs, boundary } = await rebaseExports(database, database.db, config.exports);
  logger.info({ runs, boundary }, 'exports were rebased');
  return { rows: runs, details: { boundary } };
}

/** The result of a rebase. */
export interface Rebased {
  /** Tenants for which one last run for the old cluster was queued. */
  readonly runs: number;
  /** Events stored before this count as the old cluster's; null when the data has not moved. */
  readonly boundary: string | null;
}

/**
 * Lets exports continue in the cluster that the data was restored into, where the old transaction ids mean nothing.
 *
 * It draws a boundary in time. Each tenant with a position gets one last run, for events that were stored before the
 * boundary and are in no export. Then its position is the boundary, and from there the ids of this cluster count. The
 * boundary is before the start of every open transaction, so nothing can be stored before it any more. All rows of the
 * old cluster are before it. Running this twice queues only what is missing.
 *
 * @throws when an open transaction began before the restore was complete
 */
export async function rebaseExports(
  database: Database,
  db: Kysely<unknown>,
  settings: ExportSettings,
): Promise<Rebased> {
  const fence = await readFence(db);
  const here = fence.systemIdentifier;
  const known = await knownCluster(db);
  let { base } = fence;
  if (known !== null && known !== here) {
    base = await drawBoundary(db);
    await noteCluster(db, here, base);
  }
  if (base === null) return { runs: 0, boundary: null };
  const to: Fence = { tx: '0', systemIdentifier: here, fencedAt: fence.fencedAt, floor: base, base };
  const { rows } = await sql<{ tenant: string }>`
    SELECT tenant FROM export_positions WHERE system_identifier <> ${here} ORDER BY tenant`.execute(db);
  let runs = 0;
  for (const { tenant } of rows) if (await queueLastRun(database, tenant, to, settings)) runs += 1;
  return { runs, boundary: base };
}

async function drawBoundary(db: Kysely<unknown>): Promise<string> {
  const boundary = await earliestOpenStart(db);
  if (boundary === null) {
    throw new Error('the start of open transactions is hidden from this role; grant it pg_read_all_stats');
  }
  // Rows of this cluster have ids below the end of the snapshot that sees them.
  const recent = await readableSegments(db, { storedFrom: boundary });
  const { rows } = await sql<{ too_early: boolean }>`
    SELECT EXISTS (SELECT FROM events WHERE ${inSegments(recent)} AND stored_at >= ${boundary}::timestamptz
                   AND tx >= pg_snapshot_xmax(pg_current_snapshot()))
        OR EXISTS (SELECT FROM export_positions WHERE fenced_at >= ${boundary}::timestamptz) AS too_early`.execute(db);
  if (rows[0]?.too_early === true) {
    throw new Error(
      `events of the old cluster were stored after ${boundary}, a minute ago or the start of the oldest open transaction; wait a minute, or end that transaction, and run this again`,
    );
  }
  return boundary;
}

async function queueLastRun(database: Database, tenant: string, to: Fence, settings: ExportSettings): Promise<boolean> {
  return inTransaction(database, async (db) => {
    // An open run's window has ids of the old cluster, which this cluster uses for other transactions.
    await sql`
      UPDATE export_runs SET state = 'failed', error_code = 'other_cluster', finished_at = clock_timestamp(),
        error = 'The data was restored into another cluster; the run of the rebase covers this window.'
      WHERE tenant = ${tenant} AND trigger = 'schedule' AND state IN ('queued', 'running', 'paused')`.execute(db);
    const from = await readPosition(db, tenant);
    const { format, compression, destination, backup } = await readExportConfig(db, tenant, settings);
    const { rows } = await sql<object>`
      INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, backup,
                               from_position, to_fence, requested_by)
      VALUES (${randomUUID()}::uuid, ${tenant}, 'rebase', 'queued', ${format}, ${compression},
              ${JSON.stringify(destination)}::jsonb, ${backup === null ? null : JSON.stringify(backup)}::jsonb,
              ${JSON.stringify(from)}::jsonb, ${JSON.stringify(to)}::jsonb, 'rebase-exports')
      ON CONFLICT DO NOTHING RETURNING id`.execute(db);
    return rows.length === 1;
  });
}
