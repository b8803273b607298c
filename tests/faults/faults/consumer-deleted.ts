import { readConservation } from '@sluice/stream/conservation';
import { claim, type Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

export const consumerDeleted: Fault = {
  name: 'consumer-deleted',
  does: 'a consumer is deleted while entries are pending at it, and its writer is killed: the next one takes them back',
  recoversWithinMs: 20_000,
  setup: { env: { STATEMENT_TIMEOUT_MS: '1000' } },
  async run({ rig, load }) {
    await whileTableIsLocked(rig, 'events', async () => {
      await waitUntil('the writer holds entries', async () => (await rig.backlog()).pending > 0);
      await rig.writer.kill();
      const deleted = await rig.redis.xgroup('DELCONSUMER', rig.stream, 'writers', 'writer-1');
      claim(Number(deleted) > 0, 'no entry was pending at the consumer');
      const { orphaned } = await readConservation(rig.redis, rig.stream);
      claim(orphaned === deleted, `${orphaned} entries count as orphaned, ${String(deleted)} were pending`);
    });
    await rig.writer.start();
    await load.more('acked', 20);
  },
  async prove({ rig }) {
    claim(
      rig.writer.log().some((line) => line['msg'] === 'entries that no consumer held were taken back'),
      'the writer does not report what it took back',
    );
    const { orphaned, driftEntries } = await readConservation(rig.redis, rig.stream);
    claim(orphaned === 0 && driftEntries === 0, `${orphaned} entries are orphaned, the drift is ${driftEntries}`);
  },
};
