import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { formatMore, formatTable, type Output } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

/** `retention list`: lists tenants whose events are not stored for EVENT_RETENTION_DAYS. */
export function addRetentionListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('list')
    .description('tenants with a retention of their own, by name')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .option('--cursor <cursor>', 'continue after the previous page')
    .addHelpText('after', '\nExamples:\n  ./sluice retention list --json')
    .action(async (options: { limit: number; cursor?: string }) => {
      const { api, output } = context();
      const page = await api.call('get', '/api/retention', {
        query: { limit: options.limit, cursor: options.cursor },
      });
      const rows = page.retention.map((each) => [
        each.tenant,
        each.days === 0 ? 'forever' : each.days,
        each.updated_at.slice(0, 19),
        each.updated_by,
      ]);
      output.result(page, formatTable(['tenant', 'days', 'set', 'by'], rows) + formatMore(page.next_cursor));
    });
}
