import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { startBareCopy } from '../load/bare-copy.ts';
import { inTurn } from '../load/in-turn.ts';
import { measureStoring } from '../load/measure-storing.ts';
import { sluiceTarget } from '../load/sluice-target.ts';
import { startPeers } from '../load/start-peers.ts';
import type { Target } from '../load/target.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

const BATCH = 500;

/** Events between 202 and COMMIT: one or two seconds of draining. More would only make the end longer. */
export const SUSTAINED_EVENTS = 50_000;

/** Measures sustained storing, from the first 202 to the last COMMIT, against what one would build instead. */
export async function runEndToEnd(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  const { progress, signal } = context;
  const measure = async (target: Target, until: { events: number | null; seconds: number | null }) => {
    await target.empty();
    const { connections } = options;
    return measureStoring(target, { ...until, connections, batch: BATCH, mostWaiting: SUSTAINED_EVENTS, signal });
  };
  return withServers(context, ['writer-worker', 'maintenance-worker', 'ingest-api'], async (servers) => {
    const ours = await sluiceTarget(servers.stack, servers.stack.daemons['ingest-api']!.url);
    servers.running.defer(() => ours.close());
    const copy = await startBareCopy(servers.stack.databaseUrl);
    servers.running.defer(() => copy.stop());
    const { direct, bullmq, graphile, fastapi, notes } = await startPeers(servers);
    const targets: Target[] = [ours, bullmq, ...graphile, ...fastapi, direct];
    const rates = new Map<string, number[]>([ours, ...targets].map(({ name }) => [name, []]));
    const copied: number[] = [];
    let busiest = 0;

    progress.line('warming up');
    for (const target of targets) await measure(target, { events: options.warmUp, seconds: null });
    for (let round = 1; round <= options.rounds; round += 1) {
      const done = progress.start(`round ${round} of ${options.rounds}`, targets.length + 1);
      for (const [at, target] of inTurn(targets, round).entries()) {
        const { eventsPerSecond, load } = await measure(target, { events: null, seconds: options.seconds });
        rates.get(target.name)!.push(eventsPerSecond);
        busiest = Math.max(busiest, load.cpuShare);
        // Removes the rows, whose vacuum would otherwise run during the next measurement.
        await target.empty();
        // Compared with ours in every round.
        if (target === ours) copied.push(await copy.measure({ events: null, seconds: options.seconds }, signal));
        done(at + 2);
      }
    }
    const against = (name: string, theirs: readonly number[], least: number | null): Figure => ({
      name: `202 to committed, ${options.seconds} s, batches of ${BATCH}`,
      unit: 'events/s',
      ours: rates.get(ours.name)!,
      against: name,
      theirs,
      goal: least === null ? null : { of: 'ratio', bound: 'least', value: least },
    });
    return {
      figures: [
        against('bare COPY', copied, 0.85),
        ...fastapi.map(({ name }) => against(name, rates.get(name)!, 2.3)),
        against(bullmq.name, rates.get(bullmq.name)!, 2),
        ...graphile.map(({ name }) => against(name, rates.get(name)!, null)),
        against(direct.name, rates.get(direct.name)!, 1.8),
      ],
      notes: [...notes, `the load generator took at most ${busiest.toFixed(2)} of a core`],
    };
  });
}
