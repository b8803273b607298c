import type { Figure, Goal } from '../figure.ts';
import type { Times } from '../load/batch-template.ts';
import { inTurn } from '../load/in-turn.ts';
import { runLoad } from '../load/start-load.ts';
import { untilRewritten } from '../load/until-rewritten.ts';
import { type IngestBench, waysOf, type Way } from './ingest-bench.ts';
import type { LoadResults } from './load-results.ts';

const BATCH = 500;
/** A burst of batches is over in half a second. */
const BURSTS_OF_BATCHES = 3;

/** One target with one kind of load, and events/s of each round. */
interface Line {
  readonly to: Way;
  readonly batch: number;
  readonly times: Times;
  readonly rates: number[];
}

function line(to: Way, batch: number, times: Times = 'utc'): Line {
  return { to, batch, times, rates: [] };
}

/** Sends bursts without writers, as the limit has none: the figure is the path of a request to the stream. */
export async function measureAckBursts(bench: IngestBench): Promise<LoadResults> {
  const { options, context, redis } = bench;
  const { ours, parsing, adding } = waysOf(bench);
  let busiest = 0;
  let refused = 0;

  const burst = async ({ to, batch, times }: Line, events: number, bursts: number): Promise<number> => {
    let acked = 0;
    let elapsedMs = 0;
    for (let done = 0; done < bursts; done += 1) {
      await redis.del(to.stream);
      await untilRewritten(redis, context.signal);
      const order = { url: to.url, connections: options.connections, batch, events, seconds: null, times };
      const load = await runLoad(order, context.signal);
      const entries = await redis.xlen(to.stream);
      // A refused batch may be on the stream nevertheless: its answer was late, not the entry.
      if (entries < load.requests || entries > load.requests + load.refused)
        throw new Error(`${to.url}: ${load.requests} × 202 and ${entries} entries on the stream`);
      busiest = Math.max(busiest, load.cpuShare);
      refused += load.refused;
      acked += load.acked;
      elapsedMs += load.elapsedMs;
    }
    await redis.del(to.stream);
    return (acked * 1000) / elapsedMs;
  };

  const batches = {
    ours: line(ours, BATCH),
    offset: line(ours, BATCH, 'offset'),
    spaced: line(ours, BATCH, 'spaced'),
    parsing: line(parsing, BATCH),
    adding: line(adding, BATCH),
  };
  const singles = { ours: line(ours, 1), parsing: line(parsing, 1), adding: line(adding, 1) };
  const lines = [...Object.values(batches), ...Object.values(singles)];
  context.progress.line('warming up');
  for (const each of lines) await burst(each, each.batch === 1 ? Math.ceil(options.warmUp / 10) : options.warmUp, 1);
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: bursts`);
    for (const each of inTurn(lines, round))
      each.rates.push(await burst(each, options.events, each.batch === 1 ? 1 : BURSTS_OF_BATCHES));
  }
  const figure = (name: string, mine: Line, against: string, theirs: Line, least: number | null): Figure => ({
    name: `${name}, a burst of ${options.events.toLocaleString('en')}`,
    unit: 'events/s',
    ours: mine.rates,
    against,
    theirs: theirs.rates,
    goal: least === null ? null : ({ of: 'ratio', bound: 'least', value: least } satisfies Goal),
  });
  return {
    figures: [
      figure(`acks, batches of ${BATCH}`, batches.ours, 'bare parse + XADD', batches.parsing, 0.8),
      figure(
        `acks, batches of ${BATCH}, times with offsets`,
        batches.offset,
        'bare parse + XADD',
        batches.parsing,
        0.9,
      ),
      figure(
        `acks, batches of ${BATCH} that must be parsed`,
        batches.spaced,
        'bare parse + XADD',
        batches.parsing,
        0.9,
      ),
      figure(`acks, batches of ${BATCH}`, batches.ours, 'bare XADD', batches.adding, null),
      figure('acks, batches of 1', singles.ours, 'bare parse + XADD', singles.parsing, 0.8),
      figure('single-event requests', singles.ours, 'bare XADD', singles.adding, 0.7),
    ],
    notes: [
      `bursts: the load generator took at most ${busiest.toFixed(2)} of a core`,
      ...(refused === 0 ? [] : [`bursts: ${refused} requests were refused and sent again`]),
    ],
  };
}
