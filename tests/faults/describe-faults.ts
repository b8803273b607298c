import { availableParallelism } from 'node:os';
import { describe, it } from 'vitest';
import type { Fault } from './fault.ts';
import { runFault } from './run-fault.ts';
import { takeTurns } from './take-turns.ts';

const SEED = 1;

/** Makes one test for each fault, which runs once; `pnpm faults --minutes N` continues with other seeds. */
export function describeFaults(faults: readonly Fault[]): void {
  // Each fault has its own Postgres, Redis and two or three daemons, which mostly wait for each other.
  const inTurn = takeTurns(Math.max(2, Math.min(4, availableParallelism())));
  describe.concurrent('nothing is lost and nothing is stored twice:', () => {
    for (const fault of faults) {
      it(`${fault.name}: ${fault.does}`, async ({ expect, skip }) => {
        const progress: string[] = [];
        const run = await inTurn(() => runFault(fault, SEED, (line) => progress.push(line)));
        if (run.skipped !== null) skip(run.skipped);
        expect(run.violations, progress.join('\n')).toEqual([]);
        expect(run.acked).toBeGreaterThan(0);
      });
    }
  });
}
