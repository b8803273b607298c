import type { FaultRig } from './fault-rig.ts';
import { waitUntil } from './wait-until.ts';

/**
 * Locks a table exclusively, waits until a writer waits for the lock, runs the work, and releases the lock.
 */
export async function whileTableIsLocked(rig: FaultRig, table: string, work: () => Promise<void>): Promise<void> {
  const holder = await rig.connect();
  try {
    await holder.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    await waitUntil('a writer waits for the lock', async () => {
      const { rowCount } = await holder.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'sluice-writer'",
      );
      return rowCount! > 0;
    });
    await work();
    await holder.query('COMMIT');
  } finally {
    await holder.end();
  }
}
