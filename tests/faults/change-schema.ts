import type { FaultRig } from './fault-rig.ts';
import { waitUntil } from './wait-until.ts';

/**
 * Changes a table under load. The change locks the table and then its partitions; statements of the writers lock them in
 * another order. When Postgres ends the change to resolve a deadlock, it is tried again, as a person would do.
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
