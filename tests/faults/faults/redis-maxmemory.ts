import type { Fault } from '../fault.ts';
import { proveSchedulesTick, tickWithoutMemory } from '../schedules-tick.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

/** Less than an empty Redis uses, so Redis refuses every write that grows, however much is drained. */
const TOO_LITTLE = 400_000;

export const redisMaxmemory: Fault = {
  name: 'redis-maxmemory',
  does: 'Redis is over maxmemory: ingest refuses, the writer continues to drain; afterwards schedules tick again',
  recoversWithinMs: 20_000,
  setup: { maintenance: true },
  async run({ rig, load, whileQueueIsAway }) {
    await whileTableIsLocked(rig, 'events', async () => {
      await waitUntil('there is a backlog', async () => (await rig.backlog()).entries > 20);
      await tickWithoutMemory(rig, TOO_LITTLE);
    });
    await whileQueueIsAway(async () => {
      await load.more('refused', 20);
      await waitUntil('the writer has drained the queue', async () => (await rig.backlog()).entries === 0);
    });
    await rig.redis.config('SET', 'maxmemory', '0');
  },
  prove: ({ rig }) => proveSchedulesTick(rig),
};
