import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type OwnServer, ownPostgres, ownRedis } from '@sluice/testkit/own-servers';
import { type DaemonName, startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

/*
 * What the daemons log when they are started before their servers, and when the servers go away later. It must be true,
 * and short: operators read it during an outage.
 */

const DAEMONS: readonly DaemonName[] = ['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'];
const KEYS_OLD = 'API keys not refreshed; using the last known set';
const PATIENCE = { timeout: 180_000, interval: 50 };

let redis: OwnServer;
let postgres: OwnServer;
let daemons: Record<DaemonName, TestDaemon>;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([ownRedis(), ownPostgres()]);
  await Promise.all([redis.stop(), postgres.stop()]);
  const started = await Promise.all(
    DAEMONS.map((name) =>
      startTestDaemon(name, { REDIS_URL: redis.url, DATABASE_URL: postgres.url, LOG_LEVEL: 'debug' }),
    ),
  );
  daemons = Object.fromEntries(DAEMONS.map((name, at) => [name, started[at]!])) as typeof daemons;
});
afterAll(async () => {
  await Promise.all(Object.values(daemons).map((daemon) => daemon.stop()));
  await Promise.all([redis.remove(), postgres.remove()]);
});

const linesOf = (name: DaemonName, message: string) => daemons[name].log().filter((line) => line['msg'] === message);
/** Fails unless there are lines, and each has another reason than the one before. */
function expectNews(lines: readonly Record<string, unknown>[]): void {
  const reasons = lines.map((line) => line['error'] ?? (line['err'] as { message: string }).message);
  expect(reasons.length).toBeGreaterThan(0);
  expect(reasons.filter((reason, at) => reason === reasons[at - 1])).toEqual([]);
}

/** How often a daemon has said ready, and how often not. */
const saidOf = (name: DaemonName) => [linesOf(name, 'not ready').length, linesOf(name, 'ready').length];

/** Resolves when every daemon has logged this message that many times. */
const untilAllSaid = (message: string, times: number) =>
  vi.waitFor(() => {
    for (const name of DAEMONS) expect(linesOf(name, message), `${name}: ${message}`).toHaveLength(times);
  }, PATIENCE);

describe('daemons that are started before their servers', () => {
  it('listen and say that they are not ready, and why', async () => {
    await untilAllSaid('not ready', 1);
    for (const name of DAEMONS) {
      expect(linesOf(name, 'listening'), name).toHaveLength(1);
      expect(linesOf(name, 'ready'), name).toEqual([]);
      const reasons = linesOf(name, 'not ready')[0]!['reasons'] as Record<string, string>;
      expect(Object.values(reasons), name).toEqual(expect.arrayContaining([expect.stringMatching(/\S/)]));
    }
    expect(linesOf('query-api', 'API keys not refreshed; none is known yet')).toHaveLength(1);
    expect(linesOf('query-api', KEYS_OLD)).toEqual([]);
  });

  it('are ready once the servers are there, and nothing has to be restarted', async () => {
    await Promise.all([redis.start(), postgres.start()]);
    await untilAllSaid('ready', 1);
    // Its workers begin only now, each once.
    await vi.waitFor(() => expect(linesOf('maintenance-worker', 'job done').length).toBeGreaterThan(3), PATIENCE);
    await vi.waitFor(() => expect(linesOf('query-api', 'API keys refreshed again')).toHaveLength(1), PATIENCE);
    expect(daemons['maintenance-worker'].log().filter((line) => Number(line['level']) >= 50)).toEqual([]);
  });
});

describe('daemons whose servers go away', () => {
  it('say so once, and then that they are ready again', async () => {
    await Promise.all([redis.stop(), postgres.stop()]);
    await untilAllSaid('not ready', 2);
    await vi.waitFor(() => expect(linesOf('query-api', KEYS_OLD).length).toBeGreaterThan(0), PATIENCE);
    // It has searched for shards several times by now.
    await vi.waitFor(() => expect(linesOf('writer-worker', 'shards not found; retrying').length).toBe(1), PATIENCE);
    await Promise.all([redis.start(), postgres.start()]);
    await untilAllSaid('ready', 2);
    for (const name of DAEMONS) expect(saidOf(name), name).toEqual([2, 2]);
    expect(linesOf('writer-worker', 'shards not found; retrying')).toHaveLength(1);
    expectNews(linesOf('query-api', KEYS_OLD));
  });

  it('do not report every tick of a job that Postgres keeps from running', async () => {
    // Ticks of the outage before may fail late, and until one is run it is not over.
    await vi.waitFor(() => {
      const ofJobs = daemons['maintenance-worker'].log().map((line) => line['msg']);
      const ends = ofJobs.filter((message) => message === 'job done' || message === 'a tick could not be run');
      expect(ends.slice(-3)).toEqual(['job done', 'job done', 'job done']);
    }, PATIENCE);
    const before = linesOf('maintenance-worker', 'a tick could not be run').length;
    await postgres.stop();
    const ticks = () => linesOf('maintenance-worker', 'a tick could not be run').slice(before);
    // Until one has failed for the same reason as the one before.
    await vi.waitFor(() => expect(ticks().some((line) => line['level'] === 20)).toBe(true), PATIENCE);
    await postgres.start();
    expectNews(ticks().filter((line) => line['level'] === 50));
  });
});
