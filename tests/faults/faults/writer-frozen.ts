import type { Fault } from '../fault.ts';
import { whileFrozen } from '../processes.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * The frozen writer's transaction stays open in Postgres and locks the ids that the other writer takes over. The server
 * ends it by idle_in_transaction_session_timeout.
 */
export const writerFrozen: Fault = {
  name: 'writer-frozen',
  does: 'a writer is frozen (SIGSTOP) in a transaction for longer than its entries may idle; another takes them over; then it resumes',
  recoversWithinMs: 20_000,
  setup: { env: { RECLAIM_IDLE_MS: '2000', STATEMENT_TIMEOUT_MS: '1000' } },
  async run({ rig, load, report }) {
    const other = await rig.startWriter('writer-2');
    const { promise: unlocked, resolve: unlock } = Promise.withResolvers<void>();
    let locking: Promise<void> | undefined;
    await waitUntil('the writer holds entries', async () => (await rig.backlog()).pending > 0);
    const { promise: locked, resolve: isLocked } = Promise.withResolvers<void>();
    locking = whileTableIsLocked(rig, 'events', async () => {
      isLocked();
      await unlocked;
    });
    await locked;
    await whileFrozen(rig.writer.pid, async () => {
      unlock();
      await locking;
      await waitUntil('the other writer takes over', () =>
        other.log().some((line) => line['msg'] === 'took over entries of another writer'),
      );
      await waitUntil('nothing is left in the frozen hands', async () => (await heldBy('writer-1')) === 0);
      report('its entries were taken over; resuming it');
    });
    await load.more('acked', 20);

    async function heldBy(consumer: string): Promise<number> {
      const [, , , consumers] = (await rig.redis.xpending(rig.stream, 'writers')) as [
        number,
        string,
        string,
        [string, string][] | null,
      ];
      return Number(consumers?.find(([name]) => name === consumer)?.[1] ?? 0);
    }
  },
};
