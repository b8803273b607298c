import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { formatMore, formatTable, type Output } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

/** `keys list`: shows what each key may do, without the keys themselves. */
export function addKeysListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('list')
    .description('API keys, newest first')
    .option('--revoked', 'those that were revoked, too')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .option('--cursor <cursor>', 'continue after the previous page')
    .addHelpText('after', '\nExamples:\n  ./sluice keys list\n  ./sluice keys list --revoked --json')
    .action(async (options: { revoked?: boolean; limit: number; cursor?: string }) => {
      const { api, output } = context();
      const page = await api.call('get', '/api/keys', {
        query: { revoked: options.revoked, limit: options.limit, cursor: options.cursor },
      });
      const rows = page.keys.map((key) => [
        key.id,
        key.name,
        key.scopes.join(' '),
        key.tenant ?? '(all)',
        key.created_at.slice(0, 19),
        key.last_used_at?.slice(0, 19),
        key.revoked_at === null ? key.expires_at?.slice(0, 19) : `revoked ${key.revoked_at.slice(0, 19)}`,
      ]);
      output.result(
        page,
        formatTable(['id', 'name', 'scopes', 'tenant', 'made', 'last used', 'ends'], rows) +
          formatMore(page.next_cursor),
      );
    });
}
