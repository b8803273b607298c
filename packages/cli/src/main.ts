import { Command, CommanderError } from 'commander';
import { VERSION } from '@sluice/errors/version';
import { createApiClient, CommandError } from '@sluice/api-client/api-client';
import { addDiscardCommand } from './commands/dead-letters-discard.ts';
import { addEditCommand } from './commands/dead-letters-edit.ts';
import { addExportCommand } from './commands/dead-letters-export.ts';
import { addListCommand } from './commands/dead-letters-list.ts';
import { addReplayCommand } from './commands/dead-letters-replay.ts';
import { addShowCommand } from './commands/dead-letters-show.ts';
import { addExportsConfigCommands } from './commands/exports-config.ts';
import { addExportsListCommand } from './commands/exports-list.ts';
import { addExportsRunCommand } from './commands/exports-run.ts';
import { addExportsShowCommand } from './commands/exports-show.ts';
import { addExportsStatusCommand } from './commands/exports-status.ts';
import { addExportsSteerCommands } from './commands/exports-steer.ts';
import { addExportsVerifyCommand } from './commands/exports-verify.ts';
import { addJobsHistoryCommand } from './commands/jobs-history.ts';
import { addJobsListCommand } from './commands/jobs-list.ts';
import { addJobsRunCommand } from './commands/jobs-run.ts';
import { addKeysCreateCommand } from './commands/keys-create.ts';
import { addKeysListCommand } from './commands/keys-list.ts';
import { addKeysRevokeCommand } from './commands/keys-revoke.ts';
import { addRetentionClearCommand } from './commands/retention-clear.ts';
import { addRetentionListCommand } from './commands/retention-list.ts';
import { addRetentionSetCommand } from './commands/retention-set.ts';
import { addStatusCommand } from './commands/status.ts';
import { readCliConfig } from './config.ts';
import { EXIT } from '@sluice/api-client/exit-codes';
import { createOutput } from './output.ts';

// `sluice … | head`: who has read enough has what was asked for.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

const config = readCliConfig();
const program = new Command('sluice')
  .description('Look after a Sluice: its queue, its dead letters, its keys.')
  .version(VERSION)
  .option('--url <url>', 'the query API', config.url)
  .option('--key <key>', 'API key; better in API_KEY, where no process list shows it')
  .option('--json', 'results as JSON, one object')
  .addHelpText(
    'after',
    `
Exit codes: ${Object.entries(EXIT)
      .map(([name, code]) => `${code} ${name}`)
      .join(', ')}.
Environment, also from .env: QUERY_URL, QUERY_PORT, API_KEY, EDITOR.

Examples:
  npx pnpm@12 sluice status --watch
  npx pnpm@12 sluice dead-letters list --since 24h
  npx pnpm@12 sluice dead-letters replay --reason invalid_value --dry-run`,
  )
  .exitOverride();

/** What a command works with, once the options are read. */
const context = () => {
  const options = program.opts<{ url: string; key?: string; json?: boolean }>();
  return {
    config,
    api: createApiClient(options.url, options.key ?? config.key),
    output: createOutput(options.json === true),
  };
};

addStatusCommand(program, context);
const deadLetters = program
  .command('dead-letters')
  .description('what could not be stored: look, mend, replay, discard');
for (const add of [
  addListCommand,
  addShowCommand,
  addEditCommand,
  addReplayCommand,
  addDiscardCommand,
  addExportCommand,
]) {
  add(deadLetters, context);
}
const exportCommands = program.command('exports').description('files of events, by schedule and on demand');
for (const add of [
  addExportsRunCommand,
  addExportsStatusCommand,
  addExportsListCommand,
  addExportsShowCommand,
  addExportsVerifyCommand,
  addExportsSteerCommands,
  addExportsConfigCommands,
]) {
  add(exportCommands, context);
}
const jobs = program.command('jobs').description('what the maintenance workers do, by schedule or when asked');
for (const add of [addJobsListCommand, addJobsRunCommand, addJobsHistoryCommand]) add(jobs, context);
const keys = program.command('keys').description('who may do what');
for (const add of [addKeysCreateCommand, addKeysListCommand, addKeysRevokeCommand]) add(keys, context);
const retention = program.command('retention').description('how long the events of a tenant are kept');
for (const add of [addRetentionListCommand, addRetentionSetCommand, addRetentionClearCommand]) add(retention, context);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has said it already; asking for help is no error.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else if (error instanceof CommandError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
