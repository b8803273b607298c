import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { ManifestWindow } from '@sluice/exports/manifest';
import { noteFirstCluster } from '@sluice/store/fence/clusters';
import {
  type Fence,
  inWindow,
  type Position,
  readFence,
  segmentsFromFloor,
  segmentsInWindow,
  storedFromFloor,
} from '@sluice/store/fence/fence';
import { isoTime } from '@sluice/store/iso-time';
import { mayHold, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { checkCluster } from './check-cluster.ts';
import type { ExportRun } from './export-states.ts';
import { RunError } from './run-error.ts';

/** The transactions that a run covers; fixed at its first start, so that every attempt covers the same. */
export interface Window {
  readonly from: Position | null;
  readonly to: Fence;
}

/**
 * Fixes the window of a run at its first attempt; returns the same one at later attempts.
 *
 * @throws RunError `other_cluster`, or `superseded` when the tenant's position is not where the window begins
 */
export async function fixWindow(db: Kysely<unknown>, run: ExportRun): Promise<Window> {
  await noteFirstCluster(db);
  const fence = await readFence(db);
  const position = run.trigger === 'request' ? null : await readPosition(db, run.tenant);
  if (run.to === null) {
    await checkCluster(db, fence.systemIdentifier, [position?.systemIdentifier]);
    await sql`
      UPDATE export_runs SET from_position = ${position === null ? null : JSON.stringify(position)}::jsonb,
        to_fence = ${JSON.stringify(fence)}::jsonb
      WHERE id = ${run.id}::uuid`.execute(db);
    return { from: position, to: fence };
  }
  await checkCluster(db, fence.systemIdentifier, [run.to.systemIdentifier]);
  if (position?.tx !== run.from?.tx || position?.systemIdentifier !== run.from?.systemIdentifier) {
    throw new RunError('superseded', 'A later run has exported this window already.');
  }
  return { from: run.from, to: run.to };
}

/** Reads how far a tenant's scheduled exports have come. @returns null when none has succeeded */
export async function readPosition(db: Kysely<unknown>, tenant: string | null): Promise<Position | null> {
  const { rows } = await sql<Position>`
    SELECT tx::text, system_identifier AS "systemIdentifier", ${isoTime('fenced_at')} AS "fencedAt",
           ${isoTime('floor')} AS floor, ${isoTime('base')} AS base
    FROM export_positions WHERE tenant = ${tenant}`.execute(db);
  return rows[0] ?? null;
}

/** Those of some segments that may hold a row that a run covers. */
export function segmentsOf(
  segments: readonly ReadableSegment[],
  { trigger, since, until }: ExportRun,
  { from, to }: Window,
): ReadableSegment[] {
  const stored = { storedFrom: since ?? undefined, storedBefore: until ?? undefined };
  const within = segments.filter((segment) => mayHold(segment, stored));
  if (trigger !== 'rebase' || from === null) return segmentsInWindow(within, from);
  return segmentsFromFloor(within, from).filter((segment) => mayHold(segment, { storedBefore: to.base ?? undefined }));
}

/** The condition on `events` for the rows that a run covers. */
export function rowsOf(run: ExportRun, { from, to }: Window): RawBuilder<SqlBool> {
  const parts = [sql<SqlBool>`tenant = ${run.tenant}`];
  if (run.trigger === 'rebase' && from !== null) parts.push(beforeMove(from, to));
  else parts.push(inWindow(from, to));
  if (run.since !== null) parts.push(sql<SqlBool>`stored_at >= ${run.since}::timestamptz`);
  if (run.until !== null) parts.push(sql<SqlBool>`stored_at < ${run.until}::timestamptz`);
  return sql.join(parts, sql` AND `);
}

/**
 * The rows that were left to export when the data moved to another cluster, up to the boundary `to.base`. These are
 * rows of the old cluster after the position, and rows that this cluster stored before the boundary. The position was
 * read before the data moved, so everything stored after it is new, whichever cluster its `tx` is of.
 */
function beforeMove(from: Position, to: Fence): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${storedFromFloor(from)} AND stored_at < ${to.base}::timestamptz
    AND (tx >= ${from.tx}::xid8 OR stored_at > ${from.fencedAt}::timestamptz))`;
}

/** The window for the manifest. */
export function manifestWindow(run: ExportRun, { from, to }: Window): ManifestWindow {
  const moved = run.trigger === 'rebase';
  return {
    since: run.since,
    until: run.until,
    partition: null,
    from_tx: from?.tx ?? null,
    to_tx: moved ? null : to.tx,
    stored_before: moved || from === null ? to.base : null,
    system_identifier: moved ? (from?.systemIdentifier ?? null) : to.systemIdentifier,
  };
}
