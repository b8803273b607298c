import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { confirm } from '../confirm.ts';
import { withFilterOptions } from '../dead-letter-filter.ts';
import type { Output } from '../output.ts';
import { chooseDead, describeChoice } from './dead-letters-replay.ts';

/** `dead-letters discard [IDS…] --note WHY`: gives dead letters up. */
export function addDiscardCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  withFilterOptions(parent.command('discard'))
    .description('give dead letters up; they stay readable but are not replayed any more')
    .argument('[ids...]', 'their ids; without any, the filter chooses')
    .option('--all', 'all that are dead, when no filter is given')
    .requiredOption('--note <text>', 'why, for the audit log')
    .option('--ignore-missing', 'succeed even if some of the ids are not dead any more, or do not exist')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters discard 41 --note "test data"\n  ./sluice dead-letters discard --event-type Probe --note "load test" --yes',
    )
    .action(
      async (
        ids: string[],
        options: { note: string; yes?: boolean; ignoreMissing?: boolean } & Record<string, unknown>,
      ) => {
        const { api, output } = context();
        const chosen = await chooseDead(api, output, ids, options);
        if (chosen === null) return;
        await confirm(`Discard ${describeChoice(chosen.ids ?? [], options)}?`, options.yes === true);
        const done = await api.call('post', '/api/dead-letters/discards', {
          body: { ...chosen, note: options.note },
        });
        output.result(done, `${done.discarded} discarded.`);
      },
    );
}
