import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `retention clear TENANT`: lets EVENT_RETENTION_DAYS hold for it again. */
export function addRetentionClearCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('clear')
    .description('let EVENT_RETENTION_DAYS hold for a tenant again')
    .argument('<tenant>', 'whose')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  ./sluice retention clear museum')
    .action(async (tenant: string, options: { yes?: boolean }) => {
      const { api, output } = context();
      const held = await api.call('get', '/api/retention/{tenant}', { path: { tenant } });
      const now = held.days === 0 ? 'for ever' : `for ${held.days} days`;
      await confirm(`${tenant} is kept ${now}. Let EVENT_RETENTION_DAYS decide?`, options.yes === true);
      const cleared = await api.call('delete', '/api/retention/{tenant}', { path: { tenant } });
      output.result(cleared, `EVENT_RETENTION_DAYS holds for ${tenant} again.`);
    });
}
