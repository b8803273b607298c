import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `retention set TENANT DAYS`: stores the events of one tenant longer or shorter than those of others. */
export function addRetentionSetCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('set')
    .description("store a tenant's events for this many days, whatever EVENT_RETENTION_DAYS is")
    .argument('<tenant>', 'whose')
    .argument('<days>', 'counted from when an event was stored; 0 for forever', parseDays)
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nOlder events are deleted within CLEANUP_INTERVAL_HOURS, permanently.\n\nExamples:\n  ./sluice retention set acme 30\n  ./sluice retention set museum 0',
    )
    .action(async (tenant: string, days: number, options: { yes?: boolean }) => {
      const { api, output } = context();
      if (days > 0) await confirm(`Delete events of ${tenant} that are older than ${days} days?`, options.yes === true);
      const set = await api.call('put', '/api/retention/{tenant}', { path: { tenant }, body: { days } });
      await warnOfUnknown(api, output, tenant);
      output.result(set, `Events of ${tenant} are stored ${days === 0 ? 'forever' : `for ${days} days`}.`);
    });
}

/** A misspelt tenant is not an error, because a retention may be set before the first event. */
async function warnOfUnknown(api: ApiClient, output: Output, tenant: string): Promise<void> {
  try {
    const { events } = await api.call('get', '/api/events/recent', { query: { tenant, limit: 1 } });
    if (events.length === 0) output.note(`No event of ${tenant} is stored: check the name.`);
  } catch (error) {
    // The key may not read events.
    if (!(error instanceof CommandError)) throw error;
  }
}

function parseDays(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 36_500) {
    throw new InvalidArgumentError('Give whole days up to 36500; 0 stores forever.');
  }
  return Number(text);
}
