import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { filterOf, stateOption, withFilterOptions } from '../dead-letter-filter.ts';
import { formatMore, formatTable, type Output } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

/** `dead-letters list`: lists dead letters; with `--summary`, counts them by kind. */
export function addListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  withFilterOptions(parent.command('list'))
    .description('what failed, newest first')
    .addOption(stateOption())
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .option('--cursor <cursor>', 'continue after the previous page')
    .option('--summary', 'count them by reason, type and hour instead')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters list --reason invalid_value --since 24h\n  ./sluice dead-letters list --summary --json',
    )
    .action(async (options: { limit: number; cursor?: string; summary?: boolean } & Record<string, unknown>) => {
      const { api, output } = context();
      const filter = filterOf(options);
      if (options.summary) {
        const summary = await api.call('get', '/api/dead-letters/summary', { query: filter });
        const rows = summary.groups.map((group) => [group.reason, group.event_type, group.hour, group.count]);
        output.result(summary, formatTable(['reason', 'event type', 'hour', 'count'], rows));
        return;
      }
      const page = await api.call('get', '/api/dead-letters', {
        query: { ...filter, limit: options.limit, cursor: options.cursor },
      });
      const rows = page.dead_letters.map((each) => [
        each.id,
        each.first_failed_at.slice(0, 19),
        each.tenant,
        each.event_type,
        each.reason,
        each.message,
      ]);
      output.result(
        page,
        formatTable(['id', 'since', 'tenant', 'event type', 'reason', 'message'], rows) + formatMore(page.next_cursor),
      );
    });
}
