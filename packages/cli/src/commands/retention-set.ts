import { type Command, InvalidArgumentError } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `retention set TENANT DAYS`: keeps the events of one tenant longer or shorter than all others'. */
export function addRetentionSetCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('set')
    .description("keep a tenant's events for so many days, whatever EVENT_RETENTION_DAYS says")
    .argument('<tenant>', 'whose')
    .argument('<days>', 'counted from when an event was stored; 0 for ever', parseDays)
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nWhat is older goes within CLEANUP_INTERVAL_HOURS, for good.\n\nExamples:\n  ./sluice retention set acme 30\n  ./sluice retention set museum 0',
    )
    .action(async (tenant: string, days: number, options: { yes?: boolean }) => {
      const { api, output } = context();
      if (days > 0) await confirm(`Delete events of ${tenant} that are older than ${days} days?`, options.yes === true);
      const set = await api.call('put', '/api/retention/{tenant}', { path: { tenant }, body: { days } });
      output.result(set, days === 0 ? `${tenant} is kept for ever.` : `${tenant} is kept for ${days} days.`);
    });
}

function parseDays(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 36_500) {
    throw new InvalidArgumentError('Give whole days up to 36500; 0 keeps for ever.');
  }
  return Number(text);
}
