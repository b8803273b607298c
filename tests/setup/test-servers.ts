import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { findRedisProgram, findRedisServer } from '@sluice/local-stack/find-redis';
import { startPostgres } from '@sluice/local-stack/postgres';
import { startRedis } from '@sluice/local-stack/redis';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { memoryFolder } from '@sluice/testkit/memory-folder';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server's database that test databases are made from. */
    databaseUrl: string;
    redisUrl: string;
    /** Name of the migrated, empty database that each test file gets a copy of. */
    templateDatabase: string;
    /** Where daemons under test keep their logs; removed at the end. */
    runFolder: string;
  }
}

/**
 * Gives all test files one Postgres and one Redis: those of DATABASE_URL and REDIS_URL if set; else containers
 * with TESTCONTAINERS=1, or when an engine answers and there is no Redis on this machine; else servers that start here,
 * from an npm package and from this machine's redis-server.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServers();
  const templateDatabase = `sluice_template_${randomBytes(4).toString('hex')}`;
  await makeTemplate(servers.databaseUrl, templateDatabase);
  project.provide('databaseUrl', servers.databaseUrl);
  project.provide('redisUrl', servers.redisUrl);
  project.provide('templateDatabase', templateDatabase);
  const runFolder = await mkdtemp(join(tmpdir(), 'sluice-run-'));
  project.provide('runFolder', runFolder);
  return async () => {
    await rm(runFolder, { recursive: true, force: true });
    await execute(servers.databaseUrl, `DROP DATABASE IF EXISTS ${templateDatabase} WITH (FORCE)`);
    await servers.stop();
  };
}

interface Servers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  stop(): Promise<void>;
}

async function startServers(): Promise<Servers> {
  const { DATABASE_URL, REDIS_URL, TESTCONTAINERS } = process.env;
  if (DATABASE_URL !== undefined && REDIS_URL !== undefined) {
    return { databaseUrl: DATABASE_URL, redisUrl: REDIS_URL, stop: async () => {} };
  }
  const asked = TESTCONTAINERS === '1';
  if (asked || (await findRedisProgram(process.env)).path === undefined) {
    const { engineAnswers, startContainers } = await import('./containers.ts');
    if (asked || (await engineAnswers())) return startContainers();
  }
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  // Redis answers nobody while it waits for its disk, and all tests share it.
  const redisFolder = await mkdtemp(join(memoryFolder(), 'sluice-test-redis-'));
  const server = await findRedisServer({ env: process.env, report: (line) => process.stdout.write(`${line}\n`) });
  // A test that loses power proves nothing about fsync; without it the suite is faster. Redis keeps it: ingest reads it.
  const settings = { shared_buffers: '256MB', max_connections: '300', fsync: 'off', full_page_writes: 'off' };
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), settings });
  const redis = await startRedis({ dataDir: redisFolder, server });
  return {
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    async stop() {
      await Promise.all([postgres.stop('immediate'), redis.stop()]);
      await Promise.all([folder, redisFolder].map((each) => rm(each, { recursive: true, force: true })));
    },
  };
}

async function makeTemplate(databaseUrl: string, name: string): Promise<void> {
  await execute(databaseUrl, `CREATE DATABASE ${name}`);
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  const opened = openDatabase({ url: url.href, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'template' });
  await prepareDatabase(opened);
  await opened.close();
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}
