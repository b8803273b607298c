import type { Fault } from '../fault.ts';
import { waitUntil } from '../wait-until.ts';

export const noHotSegment: Fault = {
  name: 'no-hot-segment',
  does: 'no segment takes events for a while: the writer reports a stall and resumes by itself',
  recoversWithinMs: 30_000,
  async run({ rig, load }) {
    const rows = await rig.sql<{ relation: string; state: string }>(
      "WITH hidden AS (SELECT relation, state FROM segments WHERE state IN ('hot', 'next')), " +
        "gone AS (UPDATE segments SET state = 'expiring' WHERE state IN ('hot', 'next')) SELECT relation, state FROM hidden",
    );
    await waitUntil('the writer stalls', async () => {
      const isLoud = rig.writer.log().some((line) => line['level'] === 50 && String(line['msg']).startsWith('STALLED'));
      return isLoud && !(await rig.writer.isReady());
    });
    await load.more('acked', 50);
    for (const { relation, state } of rows)
      await rig.sql(`UPDATE segments SET state = '${state}' WHERE relation = '${relation}'`);
  },
};
