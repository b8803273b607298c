import { availableParallelism } from 'node:os';
import { describe, it } from 'vitest';
import { FAULTS } from './all-faults.ts';
import { runFault } from './run-fault.ts';
import { takeTurns } from './take-turns.ts';

const SEED = 1;

/** Each has a Postgres, a Redis and two or three daemons of its own, which mostly wait for each other. */
const inTurn = takeTurns(Math.max(2, Math.min(4, availableParallelism())));

// Each fault once; `pnpm faults --minutes N` goes on with other seeds.
describe.concurrent('nothing is lost and nothing is stored twice:', () => {
  for (const fault of FAULTS) {
    it(`${fault.name}: ${fault.does}`, { timeout: 150_000 }, async ({ expect, skip }) => {
      const progress: string[] = [];
      const run = await inTurn(() => runFault(fault, SEED, (line) => progress.push(line)));
      if (run.skipped !== null) skip(run.skipped);
      expect(run.violations, progress.join('\n')).toEqual([]);
      expect(run.acked).toBeGreaterThan(0);
    });
  }
});
