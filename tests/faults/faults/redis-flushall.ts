import { claim, type Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

/** The only fault that may lose acked events. They are counted separately, and the writer must report them. */
export const redisFlushall: Fault = {
  name: 'redis-flushall',
  does: 'an operator runs FLUSHALL while there is a backlog: the writer reports the loss and continues',
  recoversWithinMs: 20_000,
  async run({ rig, load, queueWasWiped }) {
    await whileTableIsLocked(rig, 'events', async () => {
      // The writer's memory is full by then, so some entries are only in the stream.
      await waitUntil('there is a backlog', async () => {
        const { entries, pending } = await rig.backlog();
        return entries - pending > 20;
      });
      await rig.redis.flushall();
      queueWasWiped();
    });
    await load.more('acked', 20);
  },
  async prove({ rig }) {
    const reported = rig.writer.log().some((line) => line['level'] === 50 && String(line['msg']).startsWith('LOST'));
    claim(reported, 'the writer does not report the loss');
  },
};
