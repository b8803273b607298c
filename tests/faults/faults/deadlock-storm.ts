import type { Fault } from '../fault.ts';
import { SESSION_COUNT } from '../load-events.ts';
import { lasts } from '../processes.ts';

const STORM_MS = 4_000;

export const deadlockStorm: Fault = {
  name: 'deadlock-storm',
  does: 'clients send the same ids in changing orders to two writers, while another client updates sessions in reverse order',
  recoversWithinMs: 15_000,
  load: { resendAcked: 0.8, maxPauseMs: 10 },
  async run({ rig, report }) {
    await rig.startWriter('writer-2');
    const over = new AbortController();
    const adversary = async (): Promise<number> => {
      const client = await rig.connect();
      let deadlocks = 0;
      while (!over.signal.aborted) {
        try {
          await client.query('BEGIN');
          for (let session = SESSION_COUNT - 1; session >= 0; session -= 1) {
            await client.query('UPDATE sessions SET actor = actor WHERE session_id = $1', [`session-${session}`]);
          }
          await client.query('COMMIT');
        } catch (error) {
          if ((error as { code?: string }).code !== '40P01') throw error;
          deadlocks += 1;
          await client.query('ROLLBACK');
        }
      }
      await client.end();
      return deadlocks;
    };
    const adversaries = [adversary(), adversary()];
    await lasts(STORM_MS);
    over.abort();
    const mine = (await Promise.all(adversaries)).reduce((sum, count) => sum + count, 0);
    const [all] = await rig.sql<{ deadlocks: string }>(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    report(`${all!.deadlocks} deadlocks, ${mine} of which ended the other side's transaction`);
  },
};
