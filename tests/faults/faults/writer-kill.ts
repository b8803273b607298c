import type { Fault } from '../fault.ts';
import { lasts } from '../processes.ts';

const KILLS = 3;

export const writerKill: Fault = {
  name: 'writer-kill',
  does: 'the writer is killed (SIGKILL) at random points and started again under its name',
  recoversWithinMs: 15_000,
  async run({ random, rig, load }) {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await load.more('acked', 1 + random.int(40));
      await lasts(random.int(100));
      await rig.writer.kill();
      await load.more('acked', 10);
      await rig.writer.start();
    }
  },
};
