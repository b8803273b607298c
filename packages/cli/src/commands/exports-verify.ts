import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import { followVerification, type Verification } from '../follow-export.ts';
import type { Output } from '../output.ts';
import { parseRunId } from '../run-id.ts';
import { waitOption } from '../wait-option.ts';

/** `exports verify ID`: reads an export again and compares it with its manifest. */
export function addExportsVerifyCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('verify')
    .description('read an export again, and check bytes, SHA-256 and rows of every file')
    .argument('<id>', 'its id', parseRunId)
    .addOption(waitOption())
    .option('--no-wait', 'do not wait for the end')
    .addHelpText(
      'after',
      '\nIt ends with 0 when everything matches the manifest, else with 1.\n\nExamples:\n  ./sluice exports verify 0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    )
    .action(async (id: string, { wait }: { wait: boolean }) => {
      const { api, output } = context();
      const first = await api.call('post', '/export/runs/{id}/verify', { path: { id }, body: {} });
      if (!wait) {
        output.result(first, `The verification ${first.id} of export ${id} is ${first.state}.`);
        return;
      }
      const ended = await followVerification(api, first, output);
      output.result(ended, describe(ended));
      if (ended.state !== 'succeeded' || ended.ok !== true) process.exitCode = EXIT.failed;
    });
}

function describe({ run_id: id, state, ok, problems, error, rows_done: rows }: Verification): string {
  if (state !== 'succeeded')
    return `Export ${id} could not be verified: ${visible(error ?? `the verification is ${state}`)}`;
  if (ok === true) return `Export ${id} is as its manifest says: ${rows.toLocaleString('en')} rows read.`;
  return [`Export ${id} is NOT as its manifest says:`, ...problems.map((problem) => `  ${visible(problem)}`)].join(
    '\n',
  );
}
