import { claim, type Fault } from '../fault.ts';
import { lasts, whileFrozen } from '../processes.ts';

/** Longer than the command time-outs of the writer and of ingest. */
const HANG_MS = 6_000;

/** The contract is one second; the rest allows for a machine that runs other tests. */
const REFUSED_WITHIN_MS = 2_500;

export const redisHang: Fault = {
  name: 'redis-hang',
  does: 'Redis hangs (SIGSTOP): connections stay open without an answer; then it resumes (SIGCONT)',
  recoversWithinMs: 15_000,
  async run({ rig, load, whileQueueIsAway }) {
    let from = 0;
    await whileFrozen(rig.redisServer.pid(), () =>
      whileQueueIsAway(async () => {
        from = performance.now();
        await lasts(HANG_MS);
        await load.more('refused', 5);
      }),
    );
    const to = performance.now();
    const waits = load.log.batches
      .flatMap((batch) => batch.attempts)
      .filter((each) => each.verdict !== 'acked' && each.startedAt >= from && each.endedAt <= to)
      .map((each) => each.endedAt - each.startedAt);
    const longest = Math.round(Math.max(...waits));
    claim(longest <= REFUSED_WITHIN_MS, `a client waited ${longest} ms for its refusal`);
  },
};
