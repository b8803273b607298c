import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import type { CliConfig } from '../config.ts';
import { describeExport, followExport } from '../follow-export.ts';
import type { Output } from '../output.ts';
import { parseRunId } from '../run-id.ts';
import { waitOption } from '../wait-option.ts';

/** `exports retry ID` and `exports cancel ID`: run a failed export again, and end one early. */
export function addExportsSteerCommands(
  parent: Command,
  context: () => { api: ApiClient; output: Output; config: CliConfig },
): void {
  parent
    .command('retry')
    .description('run a failed export again: the same window, to the present destination; ends the pause')
    .argument('<id>', 'its id', parseRunId)
    .addOption(waitOption())
    .option('--no-wait', 'do not wait for the end')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice exports list --state failed\n  ./sluice exports retry 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    )
    .action(async (id: string, { wait }: { wait: boolean }) => {
      const { api, output, config } = context();
      const queued = await api.call('post', '/export/runs/{id}/retry', { path: { id }, body: {} });
      const run = wait ? await followExport(api, queued, output) : queued;
      output.result(run, describeExport(run, config.exportFolder));
      if (run.state === 'failed') process.exitCode = EXIT.failed;
    });
  parent
    .command('cancel')
    .description('end an export before it is done; the next scheduled one exports its window')
    .argument('<id>', 'its id', parseRunId)
    .addHelpText('after', '\nExamples:\n  ./sluice exports cancel 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11')
    .action(async (id: string) => {
      const { api, output, config } = context();
      const run = await api.call('post', '/export/runs/{id}/cancel', { path: { id }, body: {} });
      output.result(run, describeExport(run, config.exportFolder));
    });
}
