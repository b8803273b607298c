import type { Fault } from '../fault.ts';
import { killProcess } from '../processes.ts';

export const redisKill: Fault = {
  name: 'redis-kill',
  does: 'Redis (appendfsync always) is killed under load and started again on its data',
  recoversWithinMs: 15_000,
  async run({ random, rig, load, whileQueueIsAway }) {
    for (let kill = 0; kill < 2; kill += 1) {
      await load.more('acked', 1 + random.int(40));
      await killProcess(rig.redisServer.pid());
      await whileQueueIsAway(() => load.more('refused', 10));
      await rig.redisServer.start();
    }
  },
};
