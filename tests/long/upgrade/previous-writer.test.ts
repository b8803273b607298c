import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { foldAll } from '@sluice/testkit/fold-all';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

/**
 * Upgrades while the previous release's ingest and writer run: the schema is migrated under them, the writer stops and says
 * why, ingest continues, and a writer of this version stores what waits, exactly once. The release is checked out from the history into a new folder and installed from pnpm's store, so
 * this needs the whole history, and what `pnpm install` of that release needs. Run it with
 *
 *     npx -y pnpm@12 exec vitest run --project upgrade
 */
const PREVIOUS_RELEASE = '0f5d8d6d4473ccffb360dc0580cba406c666ed66';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const PATIENCE = { timeout: 120_000, interval: 50 };
const run = promisify(execFile);

let tree: string;
let database: TestDatabase;
let redis: Redis;
let namespace: string;
const daemons: TestDaemon[] = [];

beforeAll(async () => {
  tree = join(await mkdtemp(join(tmpdir(), 'sluice-previous-')), 'tree');
  await run('git', ['worktree', 'add', '--detach', tree, PREVIOUS_RELEASE], { cwd: REPOSITORY });
  await run('npx', ['-y', 'pnpm@12', 'install', '--prefer-offline', '--frozen-lockfile'], { cwd: tree });
  database = await createTestDatabase({ empty: true });
  redis = new Redis(inject('redisUrl'), { replyMapping: 'legacy' });
  namespace = testNamespace();
}, 600_000);

afterAll(async () => {
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  const keys = await redis.keys(`${namespace}:*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
  await database.drop();
  await run('git', ['worktree', 'remove', '--force', tree], { cwd: REPOSITORY });
  await rm(resolve(tree, '..'), { recursive: true, force: true });
}, 120_000);

function environment(): Record<string, string> {
  return { DATABASE_URL: database.url, REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: namespace };
}

async function startPrevious(name: 'ingest-api' | 'writer-worker'): Promise<TestDaemon> {
  const env = { ...environment(), WRITER_NAME: 'old' };
  const daemon = await startTestDaemon(name, env, join(tree, 'packages', name, 'src/main.ts'));
  daemons.push(daemon);
  return daemon;
}

const stored = async () => (await database.query<{ count: number }>('SELECT count(*)::int FROM events'))[0]?.count;

it('a writer of the previous release stops at the migration, and a new one stores everything exactly once', async () => {
  const ingest = await startPrevious('ingest-api');
  const old = await startPrevious('writer-worker');
  // The previous release makes its own schema.
  await vi.waitFor(
    async () => expect(await database.query("SELECT FROM pg_class WHERE relname = 'events'")).toHaveLength(1),
    PATIENCE,
  );
  const send = async (count: number): Promise<void> => {
    const events = makeEvents(count);
    for (let time = 0; time < 2; time += 1) {
      expect((await post(`${ingest.url}/api/events`, { events })).status).toBe(202);
    }
  };
  await send(100);
  await vi.waitFor(async () => expect(await stored()).toBe(100), PATIENCE);

  const opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 60_000, applicationName: 'test' });
  const [, prepared] = await Promise.all([send(200), prepareDatabase(opened)]);
  expect(prepared.serverVersion).toBeGreaterThan(0);
  await opened.close();
  await send(300);
  await vi.waitFor(() => expect(old.output()).toMatch(/stop this writer and start one of 0\.2\.0 or later/), PATIENCE);
  await old.stop();
  const writer = await startTestDaemon('writer-worker', {
    ...environment(),
    WRITER_NAME: 'new',
    RECLAIM_IDLE_MS: '1000',
  });
  daemons.push(writer);

  await vi.waitFor(async () => expect(await stored()).toBe(600), PATIENCE);
  await vi.waitFor(async () => expect(await redis.xlen(`${namespace}:{events:0}`)).toBe(0), PATIENCE);
  expect(await stored()).toBe(600);
  expect(await database.query('SELECT FROM dead_letters')).toHaveLength(0);
  expect(await database.query('SELECT count(DISTINCT event_id)::int AS ids FROM events')).toEqual([{ ids: 600 }]);
  // The old writers have counted their sessions, and the fold the others.
  await foldAll(database);
  const [sessions] = await database.query('SELECT sum(event_count)::int AS events FROM sessions');
  expect(sessions).toEqual({ events: 600 });
  // The columns that this version's runner added exist: all of this ran on the new schema.
  expect(await database.query('SELECT FROM sluice_migrations WHERE finished')).not.toHaveLength(0);
}, 600_000);
