import { messageOf } from '@sluice/errors/message-of';
import type { Database } from '@sluice/store/database';
import { detachPartition, finalizeDetach } from '@sluice/store/layout/detach-partition';
import { dropPartition } from '@sluice/store/layout/drop-partition';
import {
  type ExpiringPartition,
  expiringPartitions,
  forget,
  isDetachPending,
  noteArchived,
  register,
} from '@sluice/store/layout/expiring-partitions';
import { inTransaction } from '@sluice/store/transaction';
import { clearPartition } from './clear-partition.ts';
import { type JudgedPartition, judgePartitions } from './judge-partitions.ts';
import type { RetentionRules } from './retention-rules.ts';

/** Exports all rows of a detached partition and verifies what it wrote; throws when anything is wrong. */
export type ArchivePartition = (table: string, signal: AbortSignal) => Promise<{ manifestKey: string }>;

export interface DropOptions extends RetentionRules {
  /** Null where partitions are dropped without an archive. */
  readonly archive: ArchivePartition | null;
  readonly signal: AbortSignal;
  /** Longest wait for one transaction that has the partition open, in milliseconds. */
  readonly lockTimeoutMs: number;
  readonly progress: (events: number) => void;
}

/** SQLSTATEs of waiting in vain: lock_timeout, statement_timeout. */
const STILL_OPEN = new Set(['55P03', '57014']);

/** What one run did. */
export interface Dropped {
  /** Partitions that were dropped. */
  readonly dropped: string[];
  /** Events that were in what this run took out of ledger and roll-ups. */
  events: number;
  /** Past their time but still there, and for whom: tenants with a longer retention, or whose export has not taken it yet. */
  readonly judged: readonly JudgedPartition[];
  /** Still open in a transaction; the next run continues with them. */
  readonly waiting: string[];
  /** What went wrong, partition by partition; the next run tries again. */
  readonly failures: { readonly partition: string; readonly error: string }[];
}

/**
 * Drops the partitions that are past their time:
 *
 *     register → DETACH CONCURRENTLY → archive → ledger and roll-ups, block by block → DROP
 *
 * Each step can be the last of this process: the register (`expiring_partitions`) and the catalog say together where
 * the next run has to continue. What fails keeps its table and stops none of the others.
 */
export async function dropPartitions(database: Database, options: DropOptions): Promise<Dropped> {
  const db = database.db;
  const judged = await judgePartitions(db, options);
  const expired: Dropped = { dropped: [], events: 0, judged, waiting: [], failures: [] };
  /** `work` says whether the partition could be had; what it throws is noted. */
  const attempt = async (partition: string, work: () => Promise<boolean>): Promise<void> => {
    if (options.signal.aborted) return;
    try {
      if (!(await work()) && !options.signal.aborted) expired.waiting.push(partition);
    } catch (error) {
      if (!options.signal.aborted) expired.failures.push({ partition, error: messageOf(error) });
    }
  };
  // What was begun comes first: of one parent's partitions only one can be on its way out at a time.
  for (const partition of await expiringPartitions(db)) {
    await attempt(partition.name, () => finish(database, partition, options, expired));
  }
  for (const { partition, keepers, heldBackBy } of judged) {
    if (keepers.length > 0 || heldBackBy.length > 0) continue;
    await attempt(partition.name, async () => {
      if (await isDetachPending(db)) return false;
      await register(db, partition);
      const detached = await unlessOpen(() =>
        db.connection().execute((connection) => detachPartition(connection, partition.name, options)),
      );
      return detached && finish(database, { ...partition, state: 'detached', manifestKey: null }, options, expired);
    });
  }
  return expired;
}

/** @returns false when a transaction has the table open for longer than is waited for */
async function unlessOpen(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (STILL_OPEN.has((error as { code?: string }).code ?? '')) return false;
    throw error;
  }
}

/** @returns false when a transaction has the table open */
async function finish(
  database: Database,
  { name, state, manifestKey }: Pick<ExpiringPartition, 'name' | 'state' | 'manifestKey'>,
  options: DropOptions,
  expired: Dropped,
): Promise<boolean> {
  const db = database.db;
  if (state === 'attached' || state === 'gone') {
    // Registered and not detached: it is judged again. Or an operator dropped it.
    await forget(db, name);
    return true;
  }
  if (state === 'pending') {
    const finalized = await unlessOpen(() =>
      db.connection().execute((connection) => finalizeDetach(connection, name, options)),
    );
    if (!finalized) return false;
  }
  if (options.archive !== null && manifestKey === null) {
    const archived = await options.archive(name, options.signal);
    await noteArchived(db, name, archived.manifestKey);
  }
  await clearPartition(database, name, {
    signal: options.signal,
    onEvents(events) {
      expired.events += events;
      options.progress(expired.events);
    },
  });
  // A reader whose snapshot is older than the detach may still have it open; the next run drops it then.
  const dropped = await unlessOpen(() =>
    inTransaction(database, (transaction) => dropPartition(transaction, name, options.lockTimeoutMs)),
  );
  if (dropped) expired.dropped.push(name);
  return dropped;
}
