import type { Fault } from '../fault.ts';
import { lasts } from '../processes.ts';

/** Short for ten minutes: the longest wait between two tries is 5 s, so a longer outage tests nothing more. */
const OUTAGE_MS = 15_000;

/** Every run checks that only poison becomes a dead letter. */
export const postgresOutage: Fault = {
  name: 'postgres-outage',
  does: 'Postgres is away for 15 s; the backlog grows, no dead letter is made, and it drains afterwards',
  recoversWithinMs: 25_000,
  async run({ rig, load }) {
    await rig.postgresServer.stop('fast');
    await lasts(OUTAGE_MS);
    await load.more('acked', 10);
    await rig.postgresServer.start();
  },
};
