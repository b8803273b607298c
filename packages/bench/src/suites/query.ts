import type { BenchOptions } from '../bench-options.ts';
import { runQueryBench } from '../query/query-bench.ts';
import { queryTable } from '../query/query-table.ts';
import { withScratchStack } from '../scratch-stack.ts';
import type { SuiteContext } from '../with-servers.ts';
import type { SuiteResult } from './load-results.ts';

/** Measures reads, beside the seeds' schema. */
export async function runQuery(options: BenchOptions, context: SuiteContext): Promise<SuiteResult> {
  const { path, progress, signal, forced } = context;
  const result = await withScratchStack(
    {
      path,
      daemons: ['writer-worker', 'maintenance-worker', 'query-api', 'ingest-api'],
      report: progress.line,
      signal,
      forced,
    },
    (stack) => runQueryBench(stack, options, progress, signal),
  );
  const text =
    `${result.rows.toLocaleString('en')} events stored; ` +
    `${Math.round(result.writerEventsPerSecond)} events/s written meanwhile\n\n${queryTable(result, { judge: !options.quick })}`;
  return { text, json: result };
}
