import { changeSchema } from '../change-schema.ts';
import type { Fault } from '../fault.ts';
import { waitUntil } from '../wait-until.ts';

export const missingPartition: Fault = {
  name: 'missing-partition',
  does: 'the partition of the week is removed and put back: the writer reports a stall and resumes by itself',
  recoversWithinMs: 30_000,
  async run({ rig, load }) {
    const partitions = await rig.sql<{ name: string; bounds: string }>(
      `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
       FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = 'events'::regclass`,
    );
    await changeSchema(rig, partitions.map(({ name }) => `ALTER TABLE events DETACH PARTITION ${name}`).join('; '));
    await waitUntil('the writer stalls', async () => {
      const isLoud = rig.writer.log().some((line) => line['level'] === 50 && String(line['msg']).startsWith('STALLED'));
      return isLoud && !(await rig.writer.isReady());
    });
    await load.more('acked', 50);
    await changeSchema(
      rig,
      partitions.map(({ name, bounds }) => `ALTER TABLE events ATTACH PARTITION ${name} ${bounds}`).join('; '),
    );
  },
};
