import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { formatSeconds, formatMore, formatTable, type Output } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

/** `jobs history [NAME]`: shows how runs ended. */
export function addJobsHistoryCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('history')
    .description('runs of a job, or of all jobs, newest first')
    .argument('[name]', 'of this job only')
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .option('--cursor <cursor>', 'continue after the previous page')
    .addHelpText('after', '\nExamples:\n  ./sluice jobs history\n  ./sluice jobs history close-sessions --limit 5')
    .action(async (name: string | undefined, options: { limit: number; cursor?: string }) => {
      const { api, output } = context();
      const query = { limit: options.limit, cursor: options.cursor };
      const page =
        name === undefined
          ? await api.call('get', '/api/jobs/runs', { query })
          : await api.call('get', '/api/jobs/{name}/runs', { path: { name }, query });
      const rows = page.runs.map((run) => [
        run.created_at.slice(0, 19),
        run.job,
        run.state,
        run.requested_by ?? 'schedule',
        run.rows,
        run.duration_ms === null ? null : formatSeconds(run.duration_ms / 1000),
        run.error,
        run.id,
      ]);
      output.result(
        page,
        formatTable(['at', 'job', 'state', 'by', 'rows', 'took', 'error', 'run'], rows) + formatMore(page.next_cursor),
      );
    });
}
