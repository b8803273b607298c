import { claim, type Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

export const writerGone: Fault = {
  name: 'writer-gone',
  does: 'a writer that holds entries is killed for good; another takes them over',
  recoversWithinMs: 20_000,
  setup: { env: { RECLAIM_IDLE_MS: '2000', STATEMENT_TIMEOUT_MS: '1000' } },
  async run({ rig, load }) {
    await rig.startWriter('writer-2');
    await whileTableIsLocked(rig, 'events', async () => {
      await waitUntil('the first writer holds entries', async () => {
        const consumers = (await rig.redis.xpending(rig.stream, 'writers')) as [number, string, string, string[][]];
        return consumers[3]?.some(([name]) => name === 'writer-1') ?? false;
      });
      await rig.writer.kill();
      rig.daemons.delete(rig.writer);
    });
    await load.more('acked', 20);
  },
  async prove({ rig }) {
    const other = [...rig.daemons].find((daemon) => daemon.name === 'writer-2');
    claim(
      other?.log().some((line) => line['msg'] === 'took over entries of another writer') ?? false,
      'the other writer has taken nothing over',
    );
  },
};
