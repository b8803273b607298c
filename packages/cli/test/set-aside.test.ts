import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const KEY = 'the-operators-key';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: KEY });
  const { database } = operations.pipeline;
  await database.query("ALTER TABLE events ADD CONSTRAINT open_period CHECK (event_type <> 'Closed')");
  await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());

const sluice = (...args: string[]): Promise<CommandResult> =>
  runCommand(MAIN, args, {
    cwd: mkdtempSync(join(inject('runFolder'), 'cli-')),
    env: { QUERY_URL: operations.query.url, API_KEY: KEY },
  });

it('queue set-aside names what stalls, asks, and makes dead letters of it', async () => {
  const { pipeline } = operations;
  const none = await sluice('queue', 'set-aside', '--note', 'x', '--yes');
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('No such entry stalls a writer')]);
  await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(2, { eventType: 'Closed' }) });
  await expect
    .poll(async () => (await sluice('queue', 'set-aside', '--note', 'closed')).stderr, { timeout: 180_000 })
    .toMatch(/Set 1 entry aside \(.*open_period.*\[23514\]\)\?/);
  const done = await sluice('queue', 'set-aside', '--note', 'period is closed', '--yes');
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('1 entry set aside')]);
  await pipeline.drained();
  expect((await sluice('dead-letters', 'list', '--reason', 'set_aside')).stdout).toContain('period is closed');
});
