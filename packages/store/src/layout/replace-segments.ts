import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Client } from '../pool.ts';
import { withoutTimeouts } from '../without-timeouts.ts';
import { grantAsOnEvents } from './make-segment.ts';
import { type Bounds, readBounds, setForBuilding } from './seal-segment.ts';
import { parentTable } from './segment-table.ts';
import type { Segment } from './segments.ts';

/**
 * Puts one sealed segment in the place of several neighbours, or of one, with all of their events or some of them:
 *
 *     lock the old ones against DELETE ─► copy ─► indexes ─► VACUUM (FREEZE, ANALYZE) ─► swap
 *
 * The swap is one short transaction, so a reader finds each event exactly once, before it and after it. It waits until the
 * copies are visible to every transaction that is open: one that began before the copying would find nothing in them.
 *
 * Until the swap nothing has changed but a table that nobody reads, `events_copy`. It is dropped by the next call when this
 * one is interrupted.
 *
 * @param sources oldest first; all of one parent, and no other segment lies between them
 * @returns name of the new segment; null when transactions have the old ones open for too long
 * @throws when the signal is aborted
 */
export async function replaceSegments(
  database: Database,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<string | null> {
  const relation = nameOf(sources);
  const { db } = database;
  return database.withClient((holder) =>
    holding(database, holder, sources, async (swap) => {
      await sql`DROP TABLE IF EXISTS ${sql.table(COPY)}`.execute(db);
      let bounds: Bounds | undefined;
      await database.withClient((client) =>
        withoutTimeouts(database, client, async (connection) => {
          await build(connection, relation, sources, signal);
          bounds = await readBounds(connection, COPY);
        }),
      );
      const replaced = (await freeze(database, signal)) && (await swap(relation, bounds!, signal));
      if (!replaced) await sql`DROP TABLE IF EXISTS ${sql.table(COPY)}`.execute(db);
      return replaced ? relation : null;
    }),
  );
}

/** A segment that is replaced. */
export interface Source {
  readonly segment: Segment;
  /** Selects the events that are copied; null for all. */
  readonly keep: RawBuilder<SqlBool> | null;
  /**
   * Tenants whose events are copied. The segment is then registered for deletion, where these count for nothing. Null where
   * all events are copied: then it is dropped with the swap.
   */
  readonly keepers: readonly string[] | null;
}

/** Table of a replacement that is being made. */
const COPY = 'events_copy';

/** How long to wait for the lock against DELETE, in milliseconds. */
const HOLD_TIMEOUT_MS = 1_000;

/**
 * Longest wait of a swap for readers, in milliseconds: new readers and writers wait behind it. Then they continue, and the
 * swap is tried again, this often, after this pause.
 */
const SWAP_TIMEOUT_MS = 150;
const SWAP_TRIES = 10;
const SWAP_PAUSE_MS = 500;

/** How often VACUUM is tried until it finds every copy visible to all, and the pause between, in milliseconds. */
const FREEZE_TRIES = 30;
const FREEZE_PAUSE_MS = 1_000;

/** SQLSTATE of a lock that was not free in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Name of the replacement: never that of a table that is or was there, because archives are found by it. */
function nameOf(sources: readonly Source[]): string {
  const [first, last] = [sources[0]!.segment, sources.at(-1)!.segment];
  const rewrites = sources.map(({ segment }) => Number(/_r(\d+)$/.exec(segment.relation)?.[1] ?? 0));
  const rewritten = Math.max(...rewrites) + (sources.some(({ keepers }) => keepers !== null) ? 1 : 0);
  const suffix = rewritten === 0 ? '' : `_r${rewritten}`;
  if (first.from === 0) return `${first.relation.replace(/_r\d+$/, '')}${suffix}`;
  const numbers = last.to - first.from === 1 ? String(first.from) : `${first.from}_${last.to - 1}`;
  return `events_s${numbers}${suffix}`;
}

type Swap = (relation: string, bounds: Bounds, signal: AbortSignal) => Promise<boolean>;

/**
 * Runs `work` while a transaction keeps others from changing the sources. That transaction writes nothing before the swap,
 * so it holds neither VACUUM nor the fence back.
 *
 * @returns null when somebody changes them at the moment
 */
async function holding<T>(
  database: Database,
  holder: Client,
  sources: readonly Source[],
  work: (swap: Swap) => Promise<T>,
): Promise<T | null> {
  const tables = sql.join(sources.map(({ segment }) => sql.table(segment.relation)));
  const db = database.on(holder);
  try {
    return await db.transaction().execute(async (transaction) => {
      await sql.raw('SET LOCAL idle_in_transaction_session_timeout = 0').execute(transaction);
      await sql.raw(`SET LOCAL lock_timeout = ${HOLD_TIMEOUT_MS}`).execute(transaction);
      await sql`LOCK TABLE ${tables} IN SHARE MODE`.execute(transaction);
      // Without parameters: the portal of a statement with some would keep its snapshot, which no copy is older than.
      const { rows } = await sql<{ relation: string }>`SELECT relation FROM segments WHERE state = 'sealed'`.execute(
        transaction,
      );
      const sealed = new Set(rows.map(({ relation }) => relation));
      if (!sources.every(({ segment }) => sealed.has(segment.relation))) return null;
      return work((relation, bounds, signal) => swapIn(transaction, relation, { sources, bounds, signal }));
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return null;
    throw error;
  }
}

/** Copies the events and builds the indexes that the first source has. */
async function build(
  db: Kysely<unknown>,
  relation: string,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<void> {
  const abort = { signal, inflightQueryAbortStrategy: 'cancel query' } as const;
  const { from, relation: model, storedFrom, storedTo } = sources[0]!.segment;
  const { to } = sources.at(-1)!.segment;
  // With constraints that imply its bounds, ATTACH reads no row.
  const weekly = `, ADD CONSTRAINT ${relation}_week CHECK (stored_at >= '${storedFrom}' AND stored_at < '${storedTo}')`;
  await sql
    .raw(`CREATE TABLE ${COPY} (LIKE ${parentTable({ from })} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
    .execute(db);
  await sql
    .raw(
      `ALTER TABLE ${COPY} SET (autovacuum_enabled = false), ALTER segment SET DEFAULT ${from},
       ADD CONSTRAINT ${relation}_number CHECK (segment >= ${from} AND segment < ${to})${from === 0 ? weekly : ''}`,
    )
    .execute(db);
  const columns = sql.join((await columnsOf(db, model)).map((name) => sql.ref(name)));
  for (const { segment, keep } of sources) {
    await sql`
      INSERT INTO ${sql.table(COPY)} (${columns}) SELECT ${columns} FROM ${sql.table(segment.relation)}
      WHERE ${keep ?? sql`true`}`.execute(db, abort);
  }
  for (const { name, unique, rest } of await indexesOf(db, model)) {
    await db.transaction().execute(async (transaction) => {
      await setForBuilding(transaction);
      const own = name.startsWith(model) ? `${relation}${name.slice(model.length)}` : `${relation}_${name}`;
      await sql`
        CREATE ${sql.raw(unique ? 'UNIQUE ' : '')}INDEX ${sql.ref(own)} ON ${sql.table(COPY)} ${sql.raw(rest)}`.execute(
        transaction,
        abort,
      );
    });
  }
  signal.throwIfAborted();
}

async function columnsOf(db: Kysely<unknown>, relation: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT attname AS name FROM pg_attribute
    WHERE attrelid = ${relation}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`.execute(db);
  return rows.map(({ name }) => name);
}

/** Indexes of a table, each with its definition from USING on. */
async function indexesOf(
  db: Kysely<unknown>,
  relation: string,
): Promise<{ name: string; unique: boolean; rest: string }[]> {
  const { rows } = await sql<{ name: string; unique: boolean; rest: string }>`
    SELECT c.relname AS name, i.indisunique AS unique,
           substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)$') AS rest
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = ${relation}::regclass AND i.indisvalid ORDER BY i.indexrelid`.execute(db);
  return rows;
}

/** Freezes the copies. @returns false when a transaction stays open for which they are not visible */
async function freeze(database: Database, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 1; attempt <= FREEZE_TRIES; attempt += 1) {
    signal.throwIfAborted();
    await database.withClient((client) =>
      withoutTimeouts(database, client, async (db) => {
        await sql`VACUUM (FREEZE, ANALYZE, PARALLEL 0) ${sql.table(COPY)}`.execute(db, {
          signal,
          inflightQueryAbortStrategy: 'cancel query',
        });
      }),
    );
    const { rows } = await sql<{ visible: boolean }>`
      SELECT relallvisible >= relpages AS visible FROM pg_class WHERE oid = ${COPY}::regclass`.execute(database.db);
    if (rows[0]!.visible) return true;
    await delay(FREEZE_PAUSE_MS);
  }
  return false;
}

/** Tries to swap. @returns false when readers have the sources open each time */
async function swapIn(
  db: Kysely<unknown>,
  relation: string,
  options: { sources: readonly Source[]; bounds: Bounds; signal: AbortSignal },
): Promise<boolean> {
  await sql.raw(`SET LOCAL lock_timeout = ${SWAP_TIMEOUT_MS}`).execute(db);
  for (let attempt = 1; attempt <= SWAP_TRIES; attempt += 1) {
    options.signal.throwIfAborted();
    await sql`SAVEPOINT before_swap`.execute(db);
    try {
      await swapOnce(db, relation, options);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      await sql`ROLLBACK TO SAVEPOINT before_swap`.execute(db);
      await delay(SWAP_PAUSE_MS);
    }
  }
  return false;
}

/** Detaches the sources and attaches the copy. From the first lock to COMMIT everybody waits. */
async function swapOnce(
  db: Kysely<unknown>,
  relation: string,
  { sources, bounds }: { sources: readonly Source[]; bounds: Bounds },
): Promise<void> {
  const { from, storedFrom, storedTo } = sources[0]!.segment;
  const { to } = sources.at(-1)!.segment;
  const parent = parentTable({ from });
  // Without ONLY this would wait for every segment, one after the other.
  if (parent !== 'events') await sql`LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE`.execute(db);
  await sql`LOCK TABLE ONLY ${sql.table(parent)} IN ACCESS EXCLUSIVE MODE`.execute(db);
  for (const { segment } of sources)
    await sql`ALTER TABLE ${sql.table(parent)} DETACH PARTITION ${sql.table(segment.relation)}`.execute(db);
  await sql.raw(`ALTER TABLE ${COPY} RESET (autovacuum_enabled)`).execute(db);
  await sql`ALTER TABLE ${sql.table(COPY)} RENAME TO ${sql.table(relation)}`.execute(db);
  const range =
    from === 0
      ? sql`FROM (${sql.lit(storedFrom)}) TO (${sql.lit(storedTo)})`
      : sql`FROM (${sql.lit(from)}) TO (${sql.lit(to)})`;
  await sql`ALTER TABLE ${sql.table(parent)} ATTACH PARTITION ${sql.table(relation)} FOR VALUES ${range}`.execute(db);
  await grantAsOnEvents(db, relation);
  for (const { segment, keepers } of sources) {
    await sql`DELETE FROM segments WHERE relation = ${segment.relation}`.execute(db);
    if (keepers === null) await sql`DROP TABLE ${sql.table(segment.relation)}`.execute(db);
    else
      await sql`
        INSERT INTO expiring_segments (relation, keepers) VALUES (${segment.relation}, ${keepers}::text[])`.execute(db);
  }
  // A weekly partition keeps its bounds: they are its place in its parent.
  const stored = from === 0 ? { storedFrom, storedTo } : bounds;
  await sql`
    INSERT INTO segments (relation, segment_from, segment_to, state, rows, stored_from, stored_to, occurred_from, occurred_to,
                          tx_to, sealed_at)
    VALUES (${relation}, ${from}, ${to}, 'sealed', ${bounds.rows}, ${stored.storedFrom}::timestamptz, ${stored.storedTo}::timestamptz,
            ${bounds.occurredFrom}::timestamptz, ${bounds.occurredTo}::timestamptz, ${bounds.txTo}::xid8, clock_timestamp())`.execute(
    db,
  );
}
