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

/**
 * Drops the partitions that have expired:
 *
 *     register → DETACH CONCURRENTLY → archive → ledger and roll-ups, block by block → DROP
 *
 * The process may die after any step: the register (`expiring_partitions`) and the catalog together say where the next
 * run continues. A partition that fails keeps its table and does not stop the others.
 */
export async function dropPartitions(database: Database, options: DropOptions): Promise<Dropped> {
  const db = database.db;
  const judged = await judgePartitions(db, options);
  const expired: Dropped = { dropped: [], events: 0, judged, waiting: [], failures: [] };
  /** Notes the outcome of one partition. `work` returns false when a transaction has it open. */
  const attempt = async (partition: string, work: () => Promise<boolean>): Promise<void> => {
    if (options.signal.aborted) return;
    try {
      if (!(await work()) && !options.signal.aborted) expired.waiting.push(partition);
    } catch (error) {
      if (!options.signal.aborted) expired.failures.push({ partition, error: messageOf(error) });
    }
  };
  // Partitions that were begun come first: of one parent only one partition can be pending detach at a time.
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

/** Exports all rows of a detached partition and verifies the export; throws when anything is wrong. */
export type ArchivePartition = (table: string, signal: AbortSignal) => Promise<{ manifestKey: string }>;

export interface DropOptions extends RetentionRules {
  /** Null where partitions are dropped without an archive. */
  readonly archive: ArchivePartition | null;
  readonly signal: AbortSignal;
  /** Longest wait for one transaction that has the partition open, in milliseconds. */
  readonly lockTimeoutMs: number;
  readonly progress: (events: number) => void;
}

/** SQLSTATEs of a wait that timed out: lock_timeout, statement_timeout. */
const STILL_OPEN = new Set(['55P03', '57014']);

/** The result of one run. */
export interface Dropped {
  /** Partitions that were dropped. */
  readonly dropped: string[];
  /** Events that this run removed from the ledger and the roll-ups. */
  events: number;
  /** Expired partitions, with the tenants that each stays for: by a longer retention, or because their export waits. */
  readonly judged: readonly JudgedPartition[];
  /** Partitions that a transaction still has open; the next run continues with them. */
  readonly waiting: string[];
  /** Errors by partition; the next run tries again. */
  readonly failures: { readonly partition: string; readonly error: string }[];
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

/** Takes a registered partition through its remaining steps. @returns false when a transaction has the table open */
async function finish(
  database: Database,
  { name, state, manifestKey }: Pick<ExpiringPartition, 'name' | 'state' | 'manifestKey'>,
  options: DropOptions,
  expired: Dropped,
): Promise<boolean> {
  const db = database.db;
  if (state === 'attached' || state === 'gone') {
    // It was registered and not detached, so it is judged again; or an operator dropped it.
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
