import { freePort } from '@sluice/local-stack/free-port';
import type { Fault } from '../fault.ts';
import { waitUntil } from '../wait-until.ts';

export const redisReadOnly: Fault = {
  name: 'redis-read-only',
  does: 'Redis is demoted to a replica, as during a failover, and promoted again: it answers, but refuses writes',
  recoversWithinMs: 15_000,
  async run({ rig, load, whileQueueIsAway }) {
    // The master does not exist, so the demoted server keeps its data.
    await rig.redis.replicaof('127.0.0.1', await freePort());
    await whileQueueIsAway(async () => {
      await load.more('refused', 30);
      for (const daemon of [rig.ingest, rig.writer])
        await waitUntil(`${daemon.name} says that it cannot work`, async () => !(await daemon.isReady()));
    });
    await rig.redis.replicaof('NO', 'ONE');
  },
};
