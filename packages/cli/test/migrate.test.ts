import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});
afterAll(() => database.drop());

// In another folder than the checkout, where the file that it runs lies.
const sluice = (args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> =>
  runCommand(MAIN, args, { cwd: mkdtempSync(join(inject('runFolder'), 'cli-migrate-')), env });

it('migrates the database of DATABASE_URL without a query API, and passes options and exit codes on', async () => {
  const env = { DATABASE_URL: database.url, QUERY_URL: 'http://127.0.0.1:1' };
  const before = await sluice(['migrate', '--check'], env);
  expect(before).toMatchObject({ code: 1, stderr: '' });
  expect(before.stdout).toContain('0001-');
  expect(await sluice(['migrate'], env)).toEqual({ code: 0, stdout: before.stdout, stderr: '' });
  expect(await sluice(['migrate', '--check'], env)).toMatchObject({ code: 0, stdout: 'The schema is up to date.\n' });
});

it('its help is the one of the command that does it, and the help of sluice names it', async () => {
  const help = await sluice(['migrate', '--help']);
  expect(help.code).toBe(0);
  expect(help.stdout).toMatch(/^Usage: \.\/sluice migrate \[--check\]$/m);
  expect(help.stdout).toMatch(/^ {2}78 /m);
  expect((await sluice(['--help'])).stdout).toMatch(/^ {2}migrate .*schema/m);
  expect((await sluice(['help', 'migrate'])).stdout).toContain('./sluice migrate --help');
});

it.each(['--chekc', '--json', 'twice'])('an option or argument that it does not have is refused: %s', async (wrong) => {
  const { code, stderr } = await sluice(['migrate', wrong]);
  expect(code).toBe(2);
  expect(stderr).toContain(wrong);
});
