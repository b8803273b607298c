/**
 * `migrate [--check]`: brings the schema of the database up to date and ends, without starting a daemon. `./sluice migrate`
 * runs this file. Daemons do the same at their start; run it beforehand to let a long index build end before an upgrade.
 */
import { parseArgs } from 'node:util';
import { Type } from 'typebox';
import { ConfigError, EXIT_CONFIG } from '@sluice/daemon/config/config-error';
import { isLibpqVariable } from '@sluice/daemon/config/libpq-variables';
import { readConfig } from '@sluice/daemon/config/read-config';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { databaseVariables } from '@sluice/daemon/daemon-variables';
import { messageOf } from '@sluice/errors/message-of';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { openDatabase } from '@sluice/store/database';
import { migrate, pendingMigrations } from '@sluice/store/migrations/migrate';

const HELP = `Usage: ./sluice migrate [--check]
       node packages/maintenance-worker/src/migrate.ts [--check]

Brings the schema of the database of DATABASE_URL up to date, and ends. It may be run while daemons
of this version and of the one before are running, and again after it was interrupted.

  --check   change nothing; name the pending migrations
  --help    this text

Exit codes:
  0    the schema is up to date
  1    --check: migrations are pending
  2    the command line is wrong
  3    it failed: the database does not answer, or a newer version has migrated it
  78   the configuration is wrong
`;

const EXIT = { upToDate: 0, pending: 1, usage: 2, failed: 3, config: EXIT_CONFIG } as const;

process.exitCode = await run(process.argv.slice(2));

/** @returns the exit code */
async function run(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) return EXIT.usage;
  if (options.help) {
    process.stdout.write(HELP);
    return EXIT.upToDate;
  }
  try {
    return await migrateOrCheck(options.check);
  } catch (error) {
    process.stderr.write(`migrate: ${messageOf(error)}\n`);
    return error instanceof ConfigError ? EXIT.config : EXIT.failed;
  }
}

function readOptions(args: string[]): { check: boolean; help: boolean } | null {
  try {
    const { values } = parseArgs({ args, options: { check: { type: 'boolean' }, help: { type: 'boolean' } } });
    return { check: values.check === true, help: values.help === true };
  } catch (error) {
    process.stderr.write(`migrate: ${messageOf(error)}\n\n${HELP}`);
    return null;
  }
}

async function migrateOrCheck(check: boolean): Promise<number> {
  const environment = readEnvironment();
  const config = readConfig(Type.Object(databaseVariables), environment);
  for (const name of Object.keys(environment).filter(isLibpqVariable))
    process.stderr.write(`migrate: ${name} has no effect: DATABASE_URL alone says how to connect\n`);
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.DATABASE_SCHEMA,
    poolSize: 1,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    applicationName: APPLICATION_NAMES.maintenance,
  });
  try {
    const names = check ? await pendingMigrations(database) : await migrate(database);
    for (const name of names) process.stdout.write(`${name}\n`);
    if (names.length === 0) process.stdout.write('The schema is up to date.\n');
    return check && names.length > 0 ? EXIT.pending : EXIT.upToDate;
  } finally {
    await database.close();
  }
}
