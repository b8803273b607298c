import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

const ENTRY = join(import.meta.dirname, '../src/migrate.ts');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});
afterEach(() => database.drop());

function run(args: string[], url = database.url): Promise<CommandResult> {
  return runCommand(ENTRY, args, {
    cwd: mkdtempSync(join(inject('runFolder'), 'migrate-')),
    env: { DATABASE_URL: url },
  });
}

const names = async () =>
  (await database.query<{ name: string }>('SELECT name FROM sluice_migrations ORDER BY name')).map(({ name }) => name);

it('--check names the pending migrations, changes nothing, and exits 1; after the migration both exit 0', async () => {
  const before = await run(['--check']);
  expect(before.code).toBe(1);
  expect(before.stdout).toContain('0001-');
  expect(await database.query("SELECT to_regclass('sluice_migrations') AS made")).toEqual([{ made: null }]);
  const migrated = await run([]);
  expect(migrated).toEqual({ code: 0, stdout: before.stdout, stderr: '' });
  expect(`${(await names()).join('\n')}\n`).toBe(before.stdout);
  expect(await run(['--check'])).toEqual({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
  expect(await run([])).toEqual({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
});

it('a schema of a newer version is refused with 3, also by --check', async () => {
  await run([]);
  await database.query("INSERT INTO sluice_migrations (name, compatible_since) VALUES ('9999-future', '99.0.0')");
  for (const args of [[], ['--check']]) {
    const { code, stderr } = await run(args);
    expect(code).toBe(3);
    expect(stderr).toContain('9999-future needs 99.0.0');
  }
});

it('help, a wrong option, a database that is not there and a wrong configuration have their own exit codes', async () => {
  const help = await run(['--help']);
  expect(help.code).toBe(0);
  for (const code of [0, 1, 2, 3, 78]) expect(help.stdout).toMatch(new RegExp(`^  ${code} `, 'm'));
  const wrong = await run(['--chekc']);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('--chekc');
  const away = new URL(database.url);
  away.port = '1';
  away.password = 'hunter2';
  const failed = await run([], away.href);
  expect(failed.code).toBe(3);
  expect(failed.stderr).not.toContain('hunter2');
  expect((await run([], 'mysql://nobody')).code).toBe(78);
});
