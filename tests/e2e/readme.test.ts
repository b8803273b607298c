import { mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { needsProgram } from '@sluice/testkit/needs';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { canTypeIntoShell, openTypedShell, type TypedShell } from '@sluice/testkit/typed-shell';
import { readPage, ROOT } from '../docs/markdown-files.ts';

/** Pages whose shell blocks a reader types from top to bottom into one terminal. */
const PAGES = ['README.md', 'docs/guide/first-event.md', 'docs/guide/reading.md'];

/** Blocks that do not run here, and why. */
const NOT_RUN: readonly (readonly [starts: string, reason: string])[] = [
  ['git clone <this repository>', 'it clones and installs; tests/e2e/demo.test.ts runs the demo'],
  ['npx -y pnpm@12 start', 'the daemons of this test stand in for the stack, on ports of their own'],
  ['cp deploy/.env.example', 'it needs a Docker engine; tests/deploy checks the compose file'],
  ['npx -y pnpm@12 test', 'the suite would run itself'],
  ['curl -N ', 'it never ends; packages/query-api/test/live-tail.test.ts reads it'],
];

/** What each block must print, by its first characters; every block that runs has a line here. */
const SHOWN: readonly (readonly [starts: string, ...shown: RegExp[]])[] = [
  ['ID=$(node', /"accepted":1,"rejected":0/, /"processing_time_ms":[\d.]+,"durability":"\w+"/],
  [
    'curl -s http://127.0.0.1:8081/api/events/$ID',
    /"userName":"ada"/,
    /"session_id":"ada-1"/,
    /"total_events":\d/,
    /The queue is empty/,
  ],
  ["curl -s http://127.0.0.1:8080/api/events -H 'content-type: application/json' -d", /"accepted":1,"rejected":1/],
  ['./sluice dead-letters list --summary', /\(none\)/, /replay/],
  ['./sluice keys create', /slk_/, /add-in/, /dashboard/],
  ['curl -i http://127.0.0.1:8080/api/events', /202 Accepted/, /"accepted":1/],
  ["curl -s http://127.0.0.1:8080/api/events -H 'content-type: application/json' \\", /"code":"invalid_timestamp"/],
  ['curl -s http://127.0.0.1:8080/collect', /"status":"success"/],
  ['curl -s http://127.0.0.1:8081/api/events/0b3f6a52', /"newValue":"42"/, /"events":\[/],
  [
    "curl -s http://127.0.0.1:8081/api/events/query -H 'content-type: application/json' -d",
    /"total":\d,"total_method":"exact"/,
  ],
  ["curl -s http://127.0.0.1:8081/api/events/query -H 'content-type: application/json' \\", /^$/],
  ['curl -s http://127.0.0.1:8081/api/events/statistics', /"events_by_type"/, /"session_id":"ada-2026-11-21"/],
];

const there = canTypeIntoShell();

const blocks = PAGES.flatMap((page) =>
  readPage(page)
    .blocks.filter(({ language }) => language === 'sh')
    .map(({ code }) => ({ page, code, starts: code.split('\n')[0]! })),
);
const isNotRun = (code: string): boolean => NOT_RUN.some(([starts]) => code.startsWith(starts));

it('every shell block runs here, or is in the short list of those that do not', () => {
  const run = blocks.filter(({ code }) => !isNotRun(code));
  expect(run.length).toBeGreaterThan(8);
  expect(run.filter(({ code }) => !SHOWN.some(([starts]) => code.startsWith(starts)))).toEqual([]);
  for (const [starts] of [...NOT_RUN, ...SHOWN])
    expect(
      blocks.some(({ code }) => code.startsWith(starts)),
      `${starts} is in no page any more`,
    ).toBe(true);
});

describe.skipIf(!there)('typed into a terminal beside a running stack', needsProgram('script of util-linux'), () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'readme-'));
  let operations: Operations;
  let writer: TestDaemon;
  let withKey: TestDaemon;
  let shell: TypedShell;
  beforeAll(async () => {
    operations = await startOperations();
    const { database, namespace } = operations.pipeline;
    writer = await operations.pipeline.startWriter('writer-1');
    withKey = await startTestDaemon('query-api', {
      REDIS_URL: inject('redisUrl'),
      SLUICE_NAMESPACE: namespace,
      DATABASE_URL: database.url,
      API_KEY: 'the-first-key',
    });
    symlinkSync(join(ROOT, 'sluice'), join(folder, 'sluice'));
    shell = openTypedShell(folder, { PATH: process.env['PATH'], HOME: folder, QUERY_URL: operations.query.url });
  });
  afterAll(async () => {
    await shell.close();
    await withKey.stop();
    await operations.stop();
  });

  /** A block with the ports of this test's daemons. */
  const onOurPorts = (code: string): string =>
    code
      .replaceAll('http://127.0.0.1:8080', operations.pipeline.ingest.url)
      .replaceAll('http://127.0.0.1:8081', operations.query.url)
      .replaceAll('http://127.0.0.1:8082', writer.url);

  it.each(blocks.filter(({ code }) => !isNotRun(code)))('$page: $starts', async ({ code }) => {
    // A reader is slower than the writer: the events of the previous block are stored.
    await operations.pipeline.drained();
    // The page says to set a key for the query API and the command line first.
    if (code.startsWith('./sluice keys')) await shell.type(`export QUERY_URL=${withKey.url} API_KEY=the-first-key`);
    const shown = await shell.type(onOurPorts(code));
    expect(shown).not.toContain('"error":{');
    const [, ...expected] = SHOWN.find(([starts]) => code.startsWith(starts))!;
    for (const pattern of expected) expect(shown).toMatch(pattern);
  });
});
