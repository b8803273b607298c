import { Command, CommanderError } from 'commander';
import { VERSION } from '@sluice/shared/runtime/version';
import { createApiClient, CommandError } from './api-client.ts';
import { addDiscardCommand } from './commands/dead-letters-discard.ts';
import { addEditCommand } from './commands/dead-letters-edit.ts';
import { addExportCommand } from './commands/dead-letters-export.ts';
import { addListCommand } from './commands/dead-letters-list.ts';
import { addReplayCommand } from './commands/dead-letters-replay.ts';
import { addShowCommand } from './commands/dead-letters-show.ts';
import { addStatusCommand } from './commands/status.ts';
import { readCliConfig } from './config.ts';
import { EXIT } from './exit-codes.ts';
import { createOutput } from './output.ts';

const config = readCliConfig();
const program = new Command('sluice')
  .description('Look after a Sluice: its queue and its dead letters.')
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
