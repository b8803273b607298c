import { claim, type Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

/** The one fault in which acked events may be lost; they are counted apart, and the writer has to say so. */
export const redisFlushall: Fault = {
  name: 'redis-flushall',
  does: 'somebody runs FLUSHALL while there is a backlog: the loss is reported loudly, consumption goes on',
  recoversWithinMs: 20_000,
  async run({ rig, load, queueWasWiped }) {
    await whileTableIsLocked(rig, 'sessions', async () => {
      // The writer's memory is full by then, so that some entries are in the stream only.
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
