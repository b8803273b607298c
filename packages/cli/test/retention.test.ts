import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const KEY = 'the-operators-key';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: KEY }, { ingest: false });
});
afterAll(() => operations.stop());

const sluice = (...args: string[]): Promise<CommandResult> =>
  runCommand(MAIN, args, { cwd: import.meta.dirname, env: { QUERY_URL: operations.query.url, API_KEY: KEY } });

it('sets, lists and clears the retention of a tenant', async () => {
  expect(await sluice('retention', 'list')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('(none)') as string,
  });
  expect(await sluice('retention', 'set', 'acme', '7', '--yes')).toMatchObject({
    code: 0,
    stdout: 'Events of acme are stored for 7 days.\n',
    // It may be misspelt, or its first event is yet to come.
    stderr: 'No event of acme is stored: check the name.\n',
  });
  // Storing forever deletes nothing, so there is no question.
  expect(await sluice('retention', 'set', 'museum', '0')).toMatchObject({
    stdout: 'Events of museum are stored forever.\n',
  });
  expect((await sluice('retention', 'list')).stdout).toMatch(/acme.* 7 [\s\S]*museum.* forever /);
  const page = JSON.parse((await sluice('--json', 'retention', 'list', '--limit', '1')).stdout) as {
    retention: object[];
    next_cursor: string;
  };
  expect(page.retention).toMatchObject([{ tenant: 'acme', days: 7, updated_by: 'api-key' }]);
  expect((await sluice('retention', 'list', '--cursor', page.next_cursor)).stdout).not.toContain('acme');
  expect(await sluice('retention', 'clear', 'acme', '--yes')).toMatchObject({ code: 0 });
  expect((await sluice('retention', 'list')).stdout).not.toContain('acme');
});

it('deletes nothing without --yes or an answer', async () => {
  const asked = await sluice('retention', 'set', 'acme', '7');
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--yes')]);
  expect((await sluice('retention', 'clear', 'nobody', '--yes')).stderr).toContain('nobody');
  for (const days of ['x', '-1', '36501', '1.5']) expect((await sluice('retention', 'set', 'acme', days)).code).toBe(2);
});
