import type { BenchOptions } from '../bench-options.ts';
import type { SuiteContext } from '../with-servers.ts';
import { runBacklog } from './backlog.ts';
import { runEndToEnd } from './end-to-end.ts';
import { runExportsSuite } from './exports.ts';
import { runGrowth } from './growth.ts';
import { runIngest } from './ingest.ts';
import { type LoadResults, presentLoad, type SuiteResult } from './load-results.ts';
import { runPoison } from './poison.ts';
import { runQuery } from './query.ts';
import { runStorage } from './storage.ts';
import { runTracing } from './tracing.ts';
import { runWriter } from './writer.ts';

/** A suite of `bench`. */
export interface Suite {
  readonly name: string;
  /** One line for the help. */
  readonly description: string;
  readonly run: (options: BenchOptions, context: SuiteContext) => Promise<SuiteResult>;
}

/** In the order that `all` runs them. */
export const SUITES: readonly Suite[] = [
  {
    name: 'ingest',
    description: 'acks: bursts against bare parse + XADD, p99 against the peers, bytes in Redis',
    run: underLoad(runIngest),
  },
  {
    name: 'end-to-end',
    description: '202 to committed, sustained: against bare COPY and the peers',
    run: underLoad(runEndToEnd),
  },
  {
    name: 'writer',
    description: 'one to six writers with one transaction each; larger transactions beside the default',
    run: underLoad(runWriter),
  },
  {
    name: 'poison',
    description: 'draining batches of which the table refuses one event, or all',
    run: underLoad(runPoison),
  },
  {
    name: 'query',
    description: "reads: pages, deep pages, recent, statistics; beside the seeds' schema",
    run: runQuery,
  },
  {
    name: 'exports',
    description: 'exports to a folder, format by format: rows/s, and memory',
    run: underLoad(runExportsSuite),
  },
  {
    name: 'backlog',
    description: 'draining a backlog, with memory; storing beside many rows',
    run: underLoad(runBacklog),
  },
  {
    name: 'storage',
    description: 'bytes of WAL and of disk an event, folded and sealed, beside the table of 0.1.0',
    run: underLoad(runStorage),
  },
  {
    name: 'growth',
    description: 'events/s and p99 by batch size, connections and stored rows; with --svg as charts',
    run: underLoad(runGrowth),
  },
  {
    name: 'tracing',
    description: 'acks and 202 to committed with tracing, against the same daemons without',
    run: underLoad(runTracing),
  },
];

function underLoad(run: (options: BenchOptions, context: SuiteContext) => Promise<LoadResults>): Suite['run'] {
  return async (options, context) => presentLoad(await run(options, context), { judge: !options.quick });
}
