import { claim, type Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

/** Pausing writes in Redis widens the window between COMMIT and the acknowledgement, which is some microseconds. */
export const writerKillAfterCommit: Fault = {
  name: 'writer-kill-after-commit',
  does: 'the writer is killed after COMMIT and before Redis gets the acknowledgement',
  recoversWithinMs: 15_000,
  async run({ rig, load }) {
    const { redis } = rig;
    const storedBefore = await countStored();
    try {
      await whileTableIsLocked(rig, 'events', async () => {
        await load.more('acked', 5);
        await redis.call('CLIENT', 'PAUSE', '60000', 'WRITE');
      });
      await waitUntil('the writer has committed', async () => (await countStored()) > storedBefore);
      await rig.writer.kill();
      // Closing the dead writer's connection drops the commands that Redis has not run yet.
      await waitUntil(
        'Redis has noticed',
        async () => !String(await redis.call('CLIENT', 'LIST')).includes('name=sluice:writer'),
      );
    } finally {
      await redis.call('CLIENT', 'UNPAUSE');
    }
    await rig.writer.start();

    async function countStored(): Promise<number> {
      const [row] = await rig.sql<{ count: number }>('SELECT count(*)::int AS count FROM events');
      return row!.count;
    }
  },
  async prove({ rig }) {
    const health = (await (await fetch(`${rig.writer.url}/health`)).json()) as {
      details: { consumer: { duplicate_events: number } };
    };
    claim(health.details.consumer.duplicate_events > 0, 'nothing was delivered again');
  },
};
