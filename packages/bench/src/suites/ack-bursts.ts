import type { Figure } from '../figure.ts';
import { runLoad } from '../load/start-load.ts';
import { type IngestBench, waysOf, type Way } from './ingest-bench.ts';
import type { LoadResults } from './load-results.ts';

const BATCH = 500;

/** Bursts without writers, as the limit has none: what is measured is the way of a request to the stream. */
export async function measureAckBursts(bench: IngestBench): Promise<LoadResults> {
  const { options, context, redis } = bench;
  const { ours, parsing, adding } = waysOf(bench);
  let busiest = 0;
  let refused = 0;

  const burst = async (to: Way, batch: number, events: number): Promise<number> => {
    await redis.del(to.stream);
    const order = { url: to.url, connections: options.connections, batch, events, seconds: null };
    const load = await runLoad(order, context.signal);
    const entries = await redis.xlen(to.stream);
    // What was refused may be on the stream nevertheless: its answer was late, not the entry.
    if (entries < load.requests || entries > load.requests + load.refused)
      throw new Error(`${to.url}: ${load.requests} × 202 and ${entries} entries on the stream`);
    await redis.del(to.stream);
    busiest = Math.max(busiest, load.cpuShare);
    refused += load.refused;
    return (load.acked * 1000) / load.elapsedMs;
  };

  context.progress.line('warming up');
  for (const to of [ours, parsing, adding]) {
    await burst(to, BATCH, options.warmUp);
    await burst(to, 1, Math.ceil(options.warmUp / 10));
  }
  const batches = { ours: [] as number[], parsing: [] as number[] };
  const singles = { ours: [] as number[], parsing: [] as number[], adding: [] as number[] };
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: bursts`);
    batches.ours.push(await burst(ours, BATCH, options.events));
    batches.parsing.push(await burst(parsing, BATCH, options.events));
    singles.ours.push(await burst(ours, 1, options.events));
    singles.parsing.push(await burst(parsing, 1, options.events));
    singles.adding.push(await burst(adding, 1, options.events));
  }
  const figure = (name: string, mine: number[], against: string, theirs: number[], least: number): Figure => ({
    name: `${name}, a burst of ${options.events.toLocaleString('en')}`,
    unit: 'events/s',
    ours: mine,
    against,
    theirs,
    goal: { of: 'ratio', bound: 'least', value: least },
  });
  return {
    figures: [
      figure(`acks, batches of ${BATCH}`, batches.ours, 'bare parse + XADD', batches.parsing, 0.8),
      figure('acks, batches of 1', singles.ours, 'bare parse + XADD', singles.parsing, 0.8),
      figure('single-event requests', singles.ours, 'bare XADD', singles.adding, 0.7),
    ],
    notes: [
      `bursts: the load generator took at most ${busiest.toFixed(2)} of a core`,
      ...(refused === 0 ? [] : [`bursts: ${refused} requests were refused and sent again`]),
    ],
  };
}
