import type { FaultRig } from './fault-rig.ts';
import { waitUntil } from './wait-until.ts';

/**
 * Changes a table under load. The change locks the table and then its partitions, as statements of the writers do
 * in their own order: when Postgres ends the change to resolve a deadlock, it is tried again, as a person would.
 */
export async function changeSchema(rig: FaultRig, statement: string): Promise<void> {
  await waitUntil('the table is changed', async () => {
    try {
      await rig.sql(statement);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === '40P01') return false;
      throw error;
    }
  });
}
