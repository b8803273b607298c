import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { get } from '@sluice/testkit/http';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { type Scrape, scrape } from '@sluice/testkit/scrape';
import { type DaemonName, startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

/** The connection pools of each daemon, with their sizes under the settings below. */
const POOLS: Record<DaemonName, Record<string, number>> = {
  'ingest-api': {},
  'writer-worker': { writer: 9 },
  'maintenance-worker': { maintenance: 40, exports: 5 },
  'query-api': { query: 3, read: 3, keys: 1 },
};

let pipeline: Pipeline;
const daemons = new Map<DaemonName, TestDaemon>();
beforeAll(async () => {
  pipeline = await startPipeline();
  const env = {
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: pipeline.namespace,
    DATABASE_URL: pipeline.database.url,
  };
  const [writer, maintenance, query] = await Promise.all([
    pipeline.startWriter('writer-1', { DB_POOL_SIZE: '9' }),
    startTestDaemon('maintenance-worker', { ...env, DB_POOL_SIZE: '40' }),
    startTestDaemon('query-api', { ...env, DB_POOL_SIZE: '3', DATABASE_READ_URL: pipeline.database.url }),
  ]);
  daemons.set('ingest-api', pipeline.ingest);
  daemons.set('writer-worker', writer);
  daemons.set('maintenance-worker', maintenance);
  daemons.set('query-api', query);
});
afterAll(async () => {
  await Promise.all([daemons.get('maintenance-worker')?.stop(), daemons.get('query-api')?.stop()]);
  await pipeline.stop();
});

/** Values by one label, of the samples of a metric. */
function byLabel({ text }: Scrape, name: string, label: string): Record<string, number> {
  const samples = text.matchAll(new RegExp(`^${name}\\{(?:.*,)?${label}="([^"]*)".*\\} (\\S+)$`, 'gm'));
  return Object.fromEntries([...samples].map(([, of, value]) => [of, Number(value)]));
}

it.each(Object.keys(POOLS) as DaemonName[])(
  '%s has metrics for each check of its /health and for its pools',
  async (name) => {
    const { url } = daemons.get(name)!;
    // A check may change between the two answers.
    const seen = await vi.waitFor(
      async () => {
        const { body } = await get(`${url}/health`);
        const scraped = await scrape(url);
        const checks = Object.entries(body.checks as Record<string, string>);
        expect(checks.length).toBeGreaterThan(2);
        expect(byLabel(scraped, 'sluice_dependency_up', 'dependency')).toEqual(
          Object.fromEntries(checks.map(([check, state]) => [check, state === 'ok' ? 1 : 0])),
        );
        return scraped;
      },
      { timeout: 180_000, interval: 50 },
    );
    expect(byLabel(seen, 'sluice_db_pool_max_connections', 'pool')).toEqual(POOLS[name]);
    expect(Object.keys(byLabel(seen, 'sluice_db_pool_connections', 'pool'))).toEqual(Object.keys(POOLS[name]));
    expect(Object.keys(byLabel(seen, 'sluice_db_pool_waiting', 'pool'))).toEqual(Object.keys(POOLS[name]));
  },
);
