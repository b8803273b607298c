import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { formatBytes, formatFacts, formatTable, type Output } from '../output.ts';
import { parseRunId } from '../run-id.ts';

/** `exports show ID`: shows everything that is known about one run. */
export function addExportsShowCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('show')
    .description('one export run in full: its progress, its files, why it failed')
    .argument('<id>', 'its id', parseRunId)
    .addHelpText('after', '\nExamples:\n  ./sluice exports show 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11')
    .action(async (id: string) => {
      const { api, output } = context();
      const run = await api.call('get', '/export/runs/{id}', { path: { id } });
      const { files, ...facts } = run;
      const lines = formatFacts(Object.entries(facts));
      const rows = files.map((file) => [file.key, file.rows, formatBytes(file.bytes), file.sha256]);
      const table = files.length === 0 ? '' : `\n${formatTable(['file', 'rows', 'bytes', 'SHA-256'], rows, 240)}`;
      output.result(run, lines.join('\n') + table);
    });
}
