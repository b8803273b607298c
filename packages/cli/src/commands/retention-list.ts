import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { formatTable, type Output } from '../output.ts';

/** `retention list`: lists tenants whose events are not stored for EVENT_RETENTION_DAYS. */
export function addRetentionListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('list')
    .description('tenants with a retention of their own, by name')
    .option('--limit <n>', 'how many', '50')
    .option('--cursor <cursor>', 'continue after the previous page')
    .addHelpText('after', '\nExamples:\n  ./sluice retention list --json')
    .action(async (options: { limit: string; cursor?: string }) => {
      const { api, output } = context();
      const page = await api.call('get', '/api/retention', {
        query: { limit: Number(options.limit), cursor: options.cursor },
      });
      const rows = page.retention.map((each) => [
        each.tenant,
        each.days === 0 ? 'forever' : each.days,
        each.updated_at.slice(0, 19),
        each.updated_by,
      ]);
      const more = page.next_cursor === null ? '' : `\nThere are more: add --cursor ${page.next_cursor}`;
      output.result(page, formatTable(['tenant', 'days', 'set', 'by'], rows) + more);
    });
}
