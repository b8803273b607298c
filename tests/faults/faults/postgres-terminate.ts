import type { Fault } from '../fault.ts';
import { lasts } from '../processes.ts';

export const postgresTerminate: Fault = {
  name: 'postgres-terminate',
  does: 'an administrator repeatedly terminates all connections of the writer',
  recoversWithinMs: 15_000,
  async run({ random, rig, load }) {
    for (let round = 0; round < 8; round += 1) {
      await load.more('acked', 1 + random.int(15));
      await lasts(random.int(50));
      await rig.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice-writer'");
    }
  },
};
