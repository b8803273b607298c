import { type Command, InvalidArgumentError } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import { followRun } from '../follow-run.ts';
import { formatSeconds, type Output } from '../output.ts';
import { waitOption } from '../wait-option.ts';

/** `jobs run NAME`: runs a job now, and shows the progress. */
export function addJobsRunCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('run')
    .description('run a job now')
    .argument('<name>', 'which; see "./sluice jobs list"')
    .option('--input <name=value...>', 'its input; a value that is JSON is sent as JSON, else as text', addInput)
    .addOption(waitOption())
    .option('--no-wait', 'do not wait for the end')
    .addHelpText(
      'after',
      '\nIt ends with 0 when the run succeeded and with 1 when it failed or was cancelled. Ctrl-C leaves it running.\n\nExamples:\n  ./sluice jobs run rotate-segments\n  ./sluice jobs run expire-sessions --no-wait --json',
    )
    .action(async (name: string, options: { input?: Record<string, unknown>; wait: boolean }) => {
      const { api, output } = context();
      const run = await api.call('post', '/api/jobs/{name}/runs', { path: { name }, body: options.input ?? {} });
      if (!options.wait) {
        output.result(run, `Run ${run.id} of ${name} is ${run.state}.`);
        return;
      }
      const ended = await followRun(api, run, output);
      const took = formatSeconds((ended.duration_ms ?? 0) / 1000);
      const why = ended.error === null ? '' : `: ${visible(ended.error)}`;
      const how = `Run ${ended.id} of ${name} ${ended.state}${why}; ${ended.rows} rows in ${took}.`;
      output.result(ended, [how, ...describeDetails(ended.details)].join('\n'));
      if (ended.state !== 'succeeded') process.exitCode = EXIT.failed;
    });
}

/** A line for each detail that is not empty. */
function describeDetails(details: unknown): string[] {
  return Object.entries(details as Record<string, unknown>)
    .map(([name, value]) => [name, JSON.stringify(value)] as const)
    .filter(([, text]) => !['[]', '{}', 'null'].includes(text))
    .map(([name, text]) => visible(`  ${name}: ${text}`));
}

function addInput(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Give name=value.');
  return { ...before, [name]: parseValue(value) };
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
