import { type Kysely, sql } from 'kysely';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import { inTransaction } from '@sluice/store/transaction';
import type { Database } from '@sluice/store/database';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';

/** Most dead letters in one transaction. */
const BATCH = 1_000;

/** Which ones, by whom and why. */
export interface Discard {
  readonly filter: DeadLetterFilter;
  readonly operator: Operator;
  readonly reason: string;
}

/**
 * Discards every matching dead letter that is there now, in bounded transactions; each adds to the one note in
 * the audit log what it did.
 *
 * @returns how many were discarded
 */
export async function discardLetters(database: Database, discard: Discard): Promise<number> {
  const { filter, operator, reason } = discard;
  const { note, upperId } = await inTransaction(database, async (db) => {
    const { rows } = await sql<{ upper: string }>`
      SELECT coalesce(max(id), 0) AS upper FROM dead_letters WHERE ${matches(filter, operator.tenant)}`.execute(db);
    const noted = { action: 'dead_letters.discard', affected: 0, reason, details: filter };
    return { note: await noteAction(db, operator, noted), upperId: rows[0]!.upper };
  });
  let discarded = 0;
  for (let lastId = '0'; ;) {
    const batch = await inTransaction(database, (db) => discardBatch(db, discard, { note, lastId, upperId }));
    discarded += batch.count;
    if (batch.lastId === null) return discarded;
    lastId = batch.lastId;
  }
}

async function discardBatch(
  db: Kysely<unknown>,
  { filter, operator }: Discard,
  range: { note: string; lastId: string; upperId: string },
): Promise<{ count: number; lastId: string | null }> {
  const { rows } = await sql<{ id: string }>`
    WITH chosen AS (
      SELECT id FROM dead_letters
      WHERE id > ${range.lastId} AND id <= ${range.upperId} AND ${matches(filter, operator.tenant)}
      ORDER BY id LIMIT ${BATCH} FOR UPDATE
    ), discarded AS (
      UPDATE dead_letters d SET state = 'discarded', settled_at = now() FROM chosen WHERE d.id = chosen.id RETURNING d.id
    )
    SELECT id FROM discarded ORDER BY id`.execute(db);
  await sql`UPDATE audit_log SET affected = affected + ${rows.length} WHERE id = ${range.note}`.execute(db);
  return { count: rows.length, lastId: rows.length < BATCH ? null : rows.at(-1)!.id };
}
