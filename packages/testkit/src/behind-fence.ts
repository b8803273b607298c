import { vi } from 'vitest';
import type { TestDatabase } from './test-database.ts';

/**
 * Waits until everything that was stored so far is below the fence. Test files share a server: a transaction that one
 * of them holds open, in its own database, holds the fence back for all.
 */
export async function behindFence(database: Pick<TestDatabase, 'query'>): Promise<void> {
  const [now] = await database.query<{ tx: string }>('SELECT pg_current_xact_id()::text AS tx');
  await vi.waitFor(
    async () => {
      const [fence] = await database.query<{ tx: string }>(
        'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS tx',
      );
      if (BigInt(fence!.tx) <= BigInt(now!.tx)) throw new Error('another transaction holds the fence back');
    },
    { timeout: 180_000, interval: 20 },
  );
}
