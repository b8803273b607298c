import { messageOf } from '@sluice/errors/message-of';
import type { Database } from '@sluice/store/database';
import { detachSegment, finalizeDetach } from '@sluice/store/layout/detach-segment';
import { dropSegment } from '@sluice/store/layout/drop-segment';
import { dropWeeklyParent } from '@sluice/store/layout/drop-weekly-parent';
import {
  type ExpiringSegment,
  expiringSegments,
  forget,
  isDetachPending,
  noteArchived,
  register,
  unregister,
} from '@sluice/store/layout/expiring-segments';
import { inTransaction } from '@sluice/store/transaction';
import { clearSegment } from './clear-segment.ts';
import { type JudgedSegment, judgeSegments } from './judge-segments.ts';
import type { RetentionRules } from './retention-rules.ts';
import { groupsToRewrite, rewriteKept } from './rewrite-kept.ts';

/**
 * Drops the segments that have expired:
 *
 *     register → DETACH CONCURRENTLY → archive → projections, block by block → DROP
 *
 * A segment with events of tenants that need them longer is rewritten first: a table of just those takes its place, in one
 * step, and the old one goes the same way from the archive on.
 *
 * The process may die after any step: the register (`expiring_segments`) and the catalog together say where the next
 * run continues. A segment that fails keeps its table and does not stop the others.
 */
export async function dropSegments(database: Database, options: DropOptions): Promise<Dropped> {
  const db = database.db;
  const expired: Dropped = { dropped: [], events: 0, judged: [], rewritten: [], waiting: [], failures: [] };
  /** Notes the outcome of one segment. `work` returns false when a transaction has it open. */
  const attempt = async (segment: string, work: () => Promise<boolean>): Promise<void> => {
    if (options.signal.aborted) return;
    try {
      if (!(await work()) && !options.signal.aborted) expired.waiting.push(segment);
    } catch (error) {
      if (!options.signal.aborted) expired.failures.push({ segment, error: messageOf(error) });
    }
  };
  const finishBegun = async (known: ReadonlySet<string>): Promise<void> => {
    for (const segment of await expiringSegments(db)) {
      if (known.has(segment.relation)) continue;
      await attempt(segment.relation, () => finish(database, segment, options, expired));
    }
  };
  // Segments that were begun come first: of one parent only one can be pending detach at a time.
  await finishBegun(new Set());
  expired.judged.push(...(await judgeSegments(db, options)));
  for (const { segment, keepers, heldBackBy } of expired.judged) {
    if (keepers.length > 0 || heldBackBy.length > 0) continue;
    const { relation } = segment;
    await attempt(relation, async () => {
      if (await isDetachPending(db)) return false;
      await register(db, relation);
      const detached = await unlessOpen(() =>
        db.connection().execute((connection) => detachSegment(connection, relation, options)),
      );
      return (
        detached && finish(database, { relation, state: 'detached', keepers: [], manifestKey: null }, options, expired)
      );
    });
  }
  const begun = new Set((await expiringSegments(db)).map(({ relation }) => relation));
  for (const group of await groupsToRewrite(db, expired.judged)) {
    const names = group.map(({ segment }) => segment.relation).join(', ');
    await attempt(names, async () => {
      const made = await rewriteKept(database, group, options.signal);
      if (made !== null) expired.rewritten.push(made);
      return made !== null;
    });
  }
  await finishBegun(begun);
  await attempt('events_weekly', () => unlessOpen(() => dropWeeklyParent(database, options)));
  return expired;
}

/** Exports the events of a detached segment that go with it and verifies the export; throws when anything is wrong. */
export type ArchiveSegment = (
  segment: Pick<ExpiringSegment, 'relation' | 'keepers'>,
  signal: AbortSignal,
) => Promise<{ manifestKey: string }>;

export interface DropOptions extends RetentionRules {
  /** Null where segments are dropped without an archive. */
  readonly archive: ArchiveSegment | null;
  readonly signal: AbortSignal;
  /** Longest wait for one transaction that has the segment open, in milliseconds. */
  readonly lockTimeoutMs: number;
  readonly progress: (events: number) => void;
}

/** SQLSTATEs of a wait that timed out: lock_timeout, statement_timeout. */
const STILL_OPEN = new Set(['55P03', '57014']);

/** The result of one run. */
export interface Dropped {
  /** Segments that were dropped. */
  readonly dropped: string[];
  /** Segments that took the place of dropped ones, with the events of tenants that need them longer. */
  readonly rewritten: string[];
  /** Events that this run removed from the projections. */
  events: number;
  /** Expired segments, with the tenants that each stays for: by a longer retention, or because their export waits. */
  readonly judged: JudgedSegment[];
  /** Segments that a transaction still has open; the next run continues with them. */
  readonly waiting: string[];
  /** Errors by segment; the next run tries again. */
  readonly failures: { readonly segment: string; readonly error: string }[];
}

/** Runs `work`. @returns false when a transaction has the table open for longer than `work` waits */
async function unlessOpen(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (STILL_OPEN.has((error as { code?: string }).code ?? '')) return false;
    throw error;
  }
}

/** Takes a registered segment through its remaining steps. @returns false when a transaction has the table open */
async function finish(
  database: Database,
  segment: Pick<ExpiringSegment, 'relation' | 'state' | 'keepers' | 'manifestKey'>,
  options: DropOptions,
  expired: Dropped,
): Promise<boolean> {
  const db = database.db;
  const { relation, state, manifestKey } = segment;
  if (state === 'attached') {
    // It was registered and not detached, so it is judged again.
    await unregister(db, relation);
    return true;
  }
  if (state === 'gone') {
    // An operator dropped it.
    await forget(db, relation);
    return true;
  }
  if (state === 'pending') {
    const finalized = await unlessOpen(() =>
      db.connection().execute((connection) => finalizeDetach(connection, relation, options)),
    );
    if (!finalized) return false;
  }
  if (options.archive !== null && manifestKey === null) {
    const archived = await options.archive(segment, options.signal);
    await noteArchived(db, relation, archived.manifestKey);
  }
  await clearSegment(database, segment, {
    signal: options.signal,
    onEvents(events) {
      expired.events += events;
      options.progress(expired.events);
    },
  });
  // A reader whose snapshot is older than the detach may still have it open; the next run drops it then.
  const dropped = await unlessOpen(() =>
    inTransaction(database, (transaction) => dropSegment(transaction, relation, options.lockTimeoutMs)),
  );
  if (dropped) expired.dropped.push(relation);
  return dropped;
}
