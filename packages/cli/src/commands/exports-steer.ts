import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { describeExport } from '../follow-export.ts';
import type { Output } from '../output.ts';
import { parseRunId } from '../run-id.ts';

/** `exports retry ID` and `exports cancel ID`. */
export function addExportsSteerCommands(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('retry')
    .description('try a failed export again: the same window, to where exports go now; ends the pause')
    .argument('<id>', 'its id', parseRunId)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice exports list --state failed\n  sluice exports retry 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    )
    .action(async (id: string) => {
      const { api, output } = context();
      const run = await api.call('post', '/export/runs/{id}/retry', { path: { id }, body: {} });
      output.result(run, describeExport(run));
    });
  parent
    .command('cancel')
    .description('end an export before it is done; the next scheduled one takes its window')
    .argument('<id>', 'its id', parseRunId)
    .addHelpText('after', '\nExamples:\n  sluice exports cancel 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11')
    .action(async (id: string) => {
      const { api, output } = context();
      const run = await api.call('post', '/export/runs/{id}/cancel', { path: { id }, body: {} });
      output.result(run, describeExport(run));
    });
}
