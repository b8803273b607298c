import type { Command } from 'commander';
import { type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `queue set-aside [IDS…] --note WHY`: makes dead letters of the entries that stall a writer. */
export function addSetAsideCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('set-aside')
    .description('make dead letters of the entries that stall a writer, so that it continues')
    .argument('[ids...]', 'ids of entries; without any, all that stall a writer')
    .requiredOption('--note <text>', 'why, for the audit log and the dead letters')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice queue set-aside --note "period is closed"\n  ./sluice queue set-aside 1763710200123-0 --note "wrong year" --yes',
    )
    .action(async (ids: string[], options: { note: string; yes?: boolean }) => {
      const { api, output } = context();
      const { stalled } = await api.call('get', '/api/queue/stalled', {});
      const chosen = ids.length === 0 ? stalled : stalled.filter(({ id }) => ids.includes(id));
      if (chosen.length === 0) throw new CommandError('No such entry stalls a writer.', EXIT.failed);
      const reasons = [...new Set(chosen.map(({ code, message }) => `${message} [${code}]`))].join('; ');
      await confirm(`Set ${countOf(chosen.length)} aside (${reasons})?`, options.yes === true);
      // The ids that were shown, and no entry that has stalled since.
      const body = { ids: ids.length === 0 ? chosen.map(({ id }) => id) : ids, note: options.note };
      const done = await api.call('post', '/api/queue/set-aside', { body });
      output.result(
        done,
        `${countOf(done.set_aside.length)} set aside. Look at them: ./sluice dead-letters list --reason set_aside`,
      );
    });
}

function countOf(entries: number): string {
  return entries === 1 ? '1 entry' : `${entries} entries`;
}
