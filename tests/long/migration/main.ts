/**
 * Rehearses the migration from 0.1.0: fills its schema, migrates while its writer stores and a reader reads, kills the
 * migrating process with -9 at each step, and goes the documented way back. Proves that no event is lost and none doubled.
 *
 *     npx -y pnpm@12 test:long migration
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '@sluice/local-stack/postgres';
import { rehearse } from './rehearse.ts';

const ROWS = { short: 50_000, full: 10_000_000 };

const { values } = parseArgs({
  options: { short: { type: 'boolean', default: false }, rows: { type: 'string' } },
});
const events = Number(values.rows ?? ROWS[values.short ? 'short' : 'full']);
if (!Number.isSafeInteger(events) || events < 1_000) {
  process.stderr.write('--rows must be a whole number, 1000 or more\n');
  process.exit(2);
}

const startedAt = performance.now();
const report = (line: string): void => {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(7);
  process.stdout.write(`${seconds} s  ${line}\n`);
};
const folder = await mkdtemp(join(tmpdir(), 'sluice-rehearsal-'));
// Postgres may run as another user than this process.
await chmod(folder, 0o711);
const server = await startPostgres({
  dataDir: join(folder, 'postgres'),
  settings: {
    // Processes are killed, the machine is not.
    fsync: 'off',
    // What a killed process left behind ends at once and not with its time-out.
    client_connection_check_interval: '50ms',
    track_activity_query_size: '16kB',
    // The duration of each statement is in the log.
    log_min_duration_statement: '0',
    log_parameter_max_length: '0',
    log_line_prefix: '%a|',
    log_error_verbosity: 'terse',
  },
});
// Ctrl-C ends the rehearsal by taking its server away, so that nothing is left running.
process.once('SIGINT', () => {
  void server.stop('immediate');
});
try {
  await rehearse({ url: server.url, log: join(server.dataDir, 'postgres.log'), folder, events, report });
  report('nothing was lost and nothing was stored twice');
} catch (error) {
  report(`FAILED: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await server.stop('immediate');
  await rm(folder, { recursive: true, force: true });
}
