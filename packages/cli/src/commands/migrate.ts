import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';

/** Its `.env` says where the database is, whatever folder the command is typed in. */
const CHECKOUT = join(import.meta.dirname, '../../../..');
const MIGRATE = join(CHECKOUT, 'packages/maintenance-worker/src/migrate.ts');

/**
 * `migrate [--check]`: passes its arguments on to the maintenance worker's command. The command line itself speaks HTTP
 * only, and a migration needs the database.
 */
export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the schema of the database of DATABASE_URL up to date; --check only names what is to be done')
    .usage('[--check]')
    .addHelpText('after', '\nOptions and exit codes: ./sluice migrate --help\nThe query API is not needed.')
    // The other program reads the options and prints their help.
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => {
      // All after the word, so that an option which only other commands have, such as --json, is refused and not dropped.
      process.exitCode = await runMigrate(process.argv.slice(process.argv.indexOf('migrate') + 1));
    });
}

/** @returns the exit code; 128 and the number of the signal when one ended it, as shells do */
async function runMigrate(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [MIGRATE, ...args], { cwd: CHECKOUT, stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; this process waits for the migration's own end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + constants.signals[signal!];
}
