import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { createApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { VERSION } from '@sluice/errors/version';
import { visibleLines } from '@sluice/errors/visible';
import { type CliConfig, readCliConfig } from './config.ts';
import { type Context, loadCommands } from './load-commands.ts';
import { createOutput } from './output.ts';
import { checkedKey, configuredUrl, parseUrl } from './query-url.ts';

// `sluice … | head`: a reader that closes the pipe has read enough, which is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

const config = configOrExit();
const program = new Command('sluice')
  .description('Look after a Sluice: its queue, its dead letters, its keys.')
  .version(VERSION)
  .option('--url <url>', 'the query API', parseUrl, config.url)
  .option('--key <key>', 'API key; better in API_KEY, where no process list shows it')
  .option('--json', 'results as JSON, one object')
  .addHelpText(
    'after',
    `
Exit codes: ${Object.entries(EXIT)
      .map(([name, code]) => `${code} ${name}`)
      .join(', ')}.
Environment, also from .env beside the launcher: QUERY_URL, QUERY_PORT, API_KEY, VISUAL, EDITOR.

Examples:
  ./sluice status --watch
  ./sluice dead-letters list --since 24h
  ./sluice dead-letters replay --reason invalid_value --dry-run`,
  )
  .exitOverride();

const context: Context = () => {
  const options = program.opts<{ url: string; key?: string; json?: boolean }>();
  return {
    config,
    api: createApiClient(
      program.getOptionValueSource('url') === 'default' ? configuredUrl(config) : options.url,
      checkedKey(options.key ?? config.key),
    ),
    output: createOutput(options.json === true),
  };
};

try {
  await loadCommands(program, context, program.parseOptions(process.argv.slice(2)).operands);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed it already. Asking for help is not an error.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else if (error instanceof CommandError) {
    process.stderr.write(`${visibleLines(error.message)}\n`);
    process.exitCode = error.exitCode;
  } else {
    // A defect. Node would print it as it is, and it may quote an answer.
    process.stderr.write(`${visibleLines(inspect(error))}\n`);
    process.exitCode = EXIT.failed;
  }
}

/** A `.env` that cannot be read as it was meant is explained, and ends the command. */
function configOrExit(): CliConfig {
  try {
    return readCliConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT.usage);
  }
}
