import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

/** How often to check, in milliseconds. */
const EVERY_MS = 500;

/** A fold of ten million events takes minutes. */
const PATIENCE_MS = 60 * 60_000;

/**
 * Waits until the roll-ups hold every event that is stored now.
 *
 * @throws when they make no progress for an hour
 */
export async function untilFolded(db: Client, signal: AbortSignal): Promise<void> {
  const { rows } = await db.query<{ tx: string }>('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS tx');
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (performance.now() < giveUpAt) {
    const folded = await db.query("SELECT 1 FROM rollup_generations WHERE state = 'live' AND tx >= $1::xid8", [
      rows[0]?.tx,
    ]);
    if (folded.rowCount === 1) return;
    await delay(EVERY_MS, undefined, { signal });
  }
  throw new Error('the roll-ups do not reach the stored events; see the log of the maintenance worker');
}
