import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `retention clear TENANT`: applies EVENT_RETENTION_DAYS to the tenant again. */
export function addRetentionClearCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('clear')
    .description('apply EVENT_RETENTION_DAYS to a tenant again')
    .argument('<tenant>', 'whose')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  ./sluice retention clear museum')
    .action(async (tenant: string, options: { yes?: boolean }) => {
      const { api, output } = context();
      const held = await api.call('get', '/api/retention/{tenant}', { path: { tenant } });
      const now = held.days === 0 ? 'forever' : `for ${held.days} days`;
      await confirm(`Events of ${tenant} are stored ${now}. Apply EVENT_RETENTION_DAYS instead?`, options.yes === true);
      const cleared = await api.call('delete', '/api/retention/{tenant}', { path: { tenant } });
      output.result(cleared, `EVENT_RETENTION_DAYS applies to ${tenant} again.`);
    });
}
