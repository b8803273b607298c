import type { Fault } from '../fault.ts';
import { lasts } from '../processes.ts';

const KILLS = 3;

export const ingestKill: Fault = {
  name: 'ingest-kill',
  does: 'ingest is killed (SIGKILL) with requests in flight and started again',
  recoversWithinMs: 10_000,
  async run({ random, rig, load }) {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await load.more('acked', 1 + random.int(40));
      await lasts(random.int(50));
      await rig.ingest.kill();
      await load.more('unknown', 3);
      await rig.ingest.start();
    }
  },
};
