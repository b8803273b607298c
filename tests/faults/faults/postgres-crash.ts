import type { Fault } from '../fault.ts';

export const postgresCrash: Fault = {
  name: 'postgres-crash',
  does: 'Postgres crashes (immediate stop) under load and recovers; ingest answers 202 meanwhile',
  recoversWithinMs: 20_000,
  async run({ random, rig, load }) {
    for (let crash = 0; crash < 2; crash += 1) {
      await load.more('acked', 1 + random.int(40));
      await rig.postgresServer.stop('immediate');
      await load.more('acked', 50);
      await rig.postgresServer.start();
    }
  },
};
