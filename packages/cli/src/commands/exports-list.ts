import { type Command, Option } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { formatBytes, formatMore, formatTable, type Output } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

type State = AnswerOf<'get', '/export/runs/{id}'>['state'];
const STATES: readonly State[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];

interface ListOptions {
  tenant?: string;
  state?: State;
  limit: number;
  cursor?: string;
}

/** `exports list`: lists the runs, newest first. */
export function addExportsListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('list')
    .description('export runs, newest first')
    .option('--tenant <tenant>', 'of one tenant')
    .addOption(new Option('--state <state>', 'in this state').choices(STATES))
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .option('--cursor <cursor>', 'continue after the previous page')
    .addHelpText('after', '\nExamples:\n  ./sluice exports list\n  ./sluice exports list --state failed --tenant acme')
    .action(async (query: ListOptions) => {
      const { api, output } = context();
      const page = await api.call('get', '/export/runs', { query });
      const rows = page.runs.map((run) => [
        run.id,
        run.created_at.slice(0, 19),
        run.tenant,
        run.trigger,
        run.state,
        run.format,
        run.rows_done,
        formatBytes(run.bytes_done),
        run.error_code,
      ]);
      const headings = ['id', 'created', 'tenant', 'trigger', 'state', 'format', 'rows', 'bytes', 'error'];
      // Wide enough that ids are not cut: they are copied.
      output.result(
        page,
        formatTable(headings, rows, Math.max(process.stdout.columns || 0, 160)) + formatMore(page.next_cursor),
      );
    });
}
