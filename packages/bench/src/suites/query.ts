import type { BenchOptions } from '../bench-options.ts';
import { runQueryBench } from '../query/query-bench.ts';
import { queryTable } from '../query/query-table.ts';
import { withScratchStack } from '../scratch-stack.ts';
import type { SuiteContext } from '../with-servers.ts';
import type { SuiteResult } from './load-results.ts';

/** Reads, beside the seeds' schema. */
export async function runQuery(options: BenchOptions, { path, progress, signal }: SuiteContext): Promise<SuiteResult> {
  const result = await withScratchStack(
    {
      path,
      daemons: ['writer-worker', 'maintenance-worker', 'query-api', 'ingest-api'],
      report: progress.line,
      signal,
    },
    (stack) => runQueryBench(stack, options, progress, signal),
  );
  const text =
    `${result.rows.toLocaleString('en')} events stored; ` +
    `${Math.round(result.writerEventsPerSecond)} events/s written meanwhile\n\n${queryTable(result)}`;
  return { text, json: result };
}
