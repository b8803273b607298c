import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { openDatabase, type Database } from '@sluice/store/database';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { readMaintenanceConfig } from '../src/config.ts';
import { expireDeadLettersJob } from '../src/jobs/expire-dead-letters.ts';
import { expireExportRunsJob } from '../src/jobs/expire-export-runs.ts';
import { expireHistoryJob } from '../src/jobs/expire-history.ts';
import { expireSessionsJob } from '../src/jobs/expire-sessions.ts';
import type { JobContext, JobRun } from '../src/jobs/job.ts';
import { removeIdleConsumers } from '../src/jobs/remove-idle-consumers.ts';

let database: TestDatabase;
let opened: Database;
let redis: Redis;
let context: JobContext;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({
    url: database.url,
    poolSize: 2,
    statementTimeoutMs: 30_000,
    applicationName: 'cleaning-test',
  });
  redis = new Redis(inject('redisUrl'), { replyMapping: 'legacy' });
  const config = readMaintenanceConfig({ DATABASE_URL: database.url, SLUICE_NAMESPACE: testNamespace() });
  context = { database: opened, redis, config, logger: createLogger({ daemon: 'test', version: '0', level: 'fatal' }) };
});
afterAll(async () => {
  redis.disconnect();
  await opened.close();
  await database.drop();
});
beforeEach(() =>
  database.query('TRUNCATE sessions, dead_letters, replays, audit_log, job_runs, export_runs, export_positions'),
);

/** Key of the one shard. */
const stream = () => `${context.config.SLUICE_NAMESPACE}:{events:0}`;

/** A run, and the progress that it reported. */
function aRun(signal = new AbortController().signal): JobRun & { readonly told: number[] } {
  const told: number[] = [];
  return { id: '', input: {}, signal, progress: (done) => told.push(done), told };
}

const seedSessions = (count: number, ended: string | null) =>
  database.query(
    `INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count, ended_at)
     SELECT 'default', coalesce($2::text, 'open') || n, now(), now(), coalesce(ended_at, now()), 1, ended_at
     FROM generate_series(1, $1) n, (SELECT now() - $2::interval AS ended_at) e`,
    [count, ended],
  );

/** Everything stored so long ago is folded. */
const foldedBefore = (age: string) =>
  database.query(
    `INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
     VALUES (1, 'live', '', '0', now() - $1::interval, now())`,
    [age],
  );

describe('expire-sessions', () => {
  beforeEach(async () => {
    await database.query('TRUNCATE rollup_generations');
    await foldedBefore('0 s');
  });

  it('deletes none that was seen after what is folded, nor one that a client ended in the past', async () => {
    await seedSessions(3, '95 days');
    await seedSessions(2, '91 days');
    await database.query("UPDATE sessions SET last_seen_at = now() WHERE session_id = '95 days1'");
    await database.query('TRUNCATE rollup_generations');
    expect(await expireSessionsJob.run(context, aRun())).toEqual({ rows: 0 });
    await foldedBefore('2 days');
    expect(await expireSessionsJob.run(context, aRun())).toEqual({ rows: 2 });
  });

  it('deletes sessions that ended longer ago than events are retained, in batches', async () => {
    await seedSessions(2_300, '91 days');
    await seedSessions(5, '89 days');
    await seedSessions(5, null);
    const run = aRun();
    expect(await expireSessionsJob.run(context, run)).toEqual({ rows: 2_300 });
    expect(run.told).toEqual([1_000, 2_000, 2_300]);
    expect(await database.query('SELECT FROM sessions')).toHaveLength(10);
  });

  it("retains sessions for as long as their tenant's events, and forever where that is 0", async () => {
    await seedSessions(2, '10 days');
    await seedSessions(3, '91 days');
    await database.query(
      "INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('short', 7, 'ada'), ('ever', 0, 'ada')",
    );
    for (const tenant of ['short', 'ever']) {
      await database.query(
        `INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count, ended_at)
         SELECT $1, session_id, started_at, last_event_at, last_seen_at, event_count, ended_at
         FROM sessions WHERE tenant = 'default'`,
        [tenant],
      );
    }
    expect(await expireSessionsJob.run(context, aRun())).toEqual({ rows: 3 + 5 });
    const left = await database.query('SELECT tenant, count(*)::int FROM sessions GROUP BY 1 ORDER BY 1');
    expect(left).toEqual([
      { tenant: 'default', count: 2 },
      { tenant: 'ever', count: 5 },
    ]);
    const forever = { ...context, config: { ...context.config, EVENT_RETENTION_DAYS: 0 } };
    await database.query('TRUNCATE tenant_retention');
    expect(await expireSessionsJob.run(forever, aRun())).toEqual({ rows: 0 });
  });

  it('stops between two batches, and leaves locked rows', async () => {
    await seedSessions(1_500, '91 days');
    const holder = await database.connect();
    await holder.query("BEGIN; SELECT FROM sessions WHERE session_id = '91 days7' FOR UPDATE");
    expect(await expireSessionsJob.run(context, aRun(AbortSignal.abort()))).toEqual({ rows: 0 });
    expect(await expireSessionsJob.run(context, aRun())).toEqual({ rows: 1_499 });
    await holder.query('ROLLBACK');
    await holder.end();
  });
});

const letter = async (state: string, settled: string | null): Promise<void> => {
  await database.query(
    `INSERT INTO dead_letters (reason, message, stream, entry_id, entry_index, state, settled_at, first_failed_at, last_failed_at)
     VALUES ('invalid_value', 'no', 's', gen_random_uuid()::text, 0, $1, now() - $2::interval,
             now() - interval '1 year', now() - interval '1 year')`,
    [state, settled],
  );
};

describe('expire-dead-letters', () => {
  it('deletes settled dead letters past their retention, and never an open or replaying one', async () => {
    for (const state of ['dead', 'replaying', 'replayed', 'discarded']) {
      await letter(state, '31 days');
      await letter(state, '29 days');
    }
    await letter('dead', null);
    const { rows, details } = await expireDeadLettersJob.run(context, aRun());
    expect([rows, details]).toEqual([2, { dead_letters: 2, replays: 0, audit_entries: 0 }]);
    const kept = await database.query<{ state: string }>('SELECT state FROM dead_letters ORDER BY state');
    expect(kept.map(({ state }) => state)).toEqual([
      'dead',
      'dead',
      'dead',
      'discarded',
      'replayed',
      'replaying',
      'replaying',
    ]);
  });

  it('deletes old replays, but none that still has dead letters, and old audit entries', async () => {
    const replay = async (state: string, finished: string | null): Promise<string> => {
      const [row] = await database.query<{ id: string }>(
        `INSERT INTO replays (id, state, filter, upper_id, rate_per_second, matched, requested_by, finished_at)
         VALUES (gen_random_uuid(), $1, '{}', 1, 1, 1, 'ada', now() - $2::interval) RETURNING id`,
        [state, finished],
      );
      return row!.id;
    };
    await replay('succeeded', '31 days');
    const kept = [
      await replay('succeeded', '29 days'),
      await replay('paused', null),
      await replay('failed', '31 days'),
    ];
    await letter('replaying', null);
    await database.query('UPDATE dead_letters SET replay_id = $1', [kept[2]]);
    await database.query(
      `INSERT INTO audit_log (at, actor, action, affected)
       VALUES (now() - interval '366 days', 'ada', 'old', 1), (now() - interval '364 days', 'ada', 'young', 1)`,
    );
    expect((await expireDeadLettersJob.run(context, aRun())).details).toEqual({
      dead_letters: 0,
      replays: 1,
      audit_entries: 1,
    });
    const found = await database.query<{ id: string }>('SELECT id FROM replays');
    expect(found.map(({ id }) => id).toSorted()).toEqual(kept.toSorted());
    expect(await database.query('SELECT action FROM audit_log')).toEqual([{ action: 'young' }]);
  });
});

const runs = (job: string, count: number, state: string, age: string) =>
  database.query(
    `INSERT INTO job_runs (id, job, state, trigger, created_at)
     SELECT gen_random_uuid(), $1, $3, 'schedule', now() - $4::interval - n * interval '1 second'
     FROM generate_series(1, $2) n`,
    [job, count, state, age],
  );

const left = async (job: string): Promise<number> =>
  (await database.query('SELECT FROM job_runs WHERE job = $1', [job])).length;

const exportRun = async (name: string, days: number, trigger = 'request', state = 'succeeded'): Promise<string> => {
  const [row] = await database.query<{ id: string }>(
    `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by, created_at,
                              finished_at)
     SELECT gen_random_uuid(), CASE WHEN $2 <> 'archive' THEN 'acme' END, $2, $3, 'csv', 'none', '{}', $1, ended, ended
     FROM (SELECT now() - make_interval(days => $4) AS ended) at RETURNING id`,
    [name, trigger, state, days],
  );
  return row!.id;
};
const exportRunsLeft = async (): Promise<string[]> => {
  const rows = await database.query<{ name: string }>('SELECT requested_by AS name FROM export_runs ORDER BY 1');
  return rows.map(({ name }) => name);
};

describe('expire-export-runs', () => {
  it('deletes runs that ended more than 90 days ago, however they ended', async () => {
    for (const state of ['succeeded', 'failed', 'cancelled']) await exportRun(`old ${state}`, 91, 'request', state);
    for (const state of ['queued', 'running', 'paused']) await exportRun(`open ${state}`, 91, 'request', state);
    await exportRun('young', 89);
    expect(await expireExportRunsJob.run(context, aRun())).toEqual({ rows: 3 });
    expect(await exportRunsLeft()).toEqual(['open paused', 'open queued', 'open running', 'young']);
  });

  it("retains archives, each tenant's newest run, and the run that its position names", async () => {
    await exportRun('archive', 400, 'archive');
    await exportRun('archive, later', 300, 'archive');
    await exportRun('before', 120, 'schedule');
    const id = await exportRun('position', 110, 'schedule');
    await exportRun('newest of the schedule', 100, 'schedule', 'failed');
    await exportRun('asked for', 95);
    await exportRun('asked for last', 92);
    await database.query(
      `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
       VALUES ('acme', '1', 'x', now(), now(), $1)`,
      [id],
    );
    expect(await expireExportRunsJob.run(context, aRun())).toEqual({ rows: 2 });
    expect(await exportRunsLeft()).toEqual([
      'archive',
      'archive, later',
      'asked for last',
      'newest of the schedule',
      'position',
    ]);
  });
});

describe('expire-history', () => {
  it("retains each job's newest thousand of the last 30 days, and all runs that have not ended", async () => {
    await runs('often', 2_400, 'succeeded', '0');
    await runs('seldom', 20, 'failed', '1 day');
    await runs('seldom', 3, 'failed', '31 days');
    await runs('stuck', 2, 'running', '31 days');
    await runs('stuck', 1, 'queued', '31 days');
    expect(await expireHistoryJob.run(context, aRun())).toEqual({ rows: 1_403 });
    expect([await left('often'), await left('seldom'), await left('stuck')]).toEqual([1_000, 20, 3]);
  });
});

const consumers = async (): Promise<string[]> =>
  ((await redis.xinfo('CONSUMERS', stream(), 'writers')) as unknown[][]).map((each) => String(each[1])).toSorted();

const read = (consumer: string) => redis.xreadgroup('GROUP', 'writers', consumer, 'COUNT', 1, 'STREAMS', stream(), '>');

/** Makes a consumer with nothing pending: one is listed only once it has been given something. */
const readAndSettle = async (consumer: string): Promise<void> => {
  const id = (await redis.xadd(stream(), '*', 'v', '1'))!;
  await read(consumer);
  await redis.xack(stream(), 'writers', id);
};

const remove = (idleMs: number) => removeIdleConsumers(redis, { keys: [stream()], idleMs, run: aRun() });

describe('remove-idle-consumers', () => {
  beforeEach(() => redis.del(stream()));
  afterAll(() => redis.del(stream()));

  it('removes only consumers with nothing pending that were idle for long enough', async () => {
    await redis.xgroup('CREATE', stream(), 'writers', '0', 'MKSTREAM');
    await redis.xadd(stream(), '*', 'v', '1');
    await read('has-pending');
    await readAndSettle('has-none');
    expect(await remove(60_000)).toEqual({ rows: 0, details: {} });
    expect(await remove(0)).toEqual({ rows: 1, details: { removed: ['has-none'] } });
    expect(await consumers()).toEqual(['has-pending']);
    // What was delivered is still there to be taken over.
    expect((await redis.xpending(stream(), 'writers'))[0]).toBe(1);
  });

  it('removes a live writer without harm: it is a consumer again with its next read', async () => {
    await redis.xgroup('CREATE', stream(), 'writers', '0', 'MKSTREAM');
    await readAndSettle('live');
    expect((await remove(0)).rows).toBe(1);
    await redis.xadd(stream(), '*', 'v', '1');
    expect(await read('live')).toHaveLength(1);
    expect(await consumers()).toEqual(['live']);
  });

  it('also a writer that waits in a blocking read', async () => {
    await redis.xgroup('CREATE', stream(), 'writers', '0', 'MKSTREAM');
    await readAndSettle('waits');
    const blocking = redis.duplicate({ connectionName: `${stream()}:waits` });
    const waiting = blocking.xreadgroup('GROUP', 'writers', 'waits', 'BLOCK', 10_000, 'STREAMS', stream(), '>');
    const clients = async (): Promise<string[]> => String(await redis.client('LIST')).split('\n');
    await expect
      .poll(async () => (await clients()).find((line) => line.includes(`${stream()}:waits`)))
      .toContain('cmd=xreadgroup');
    expect((await remove(0)).rows).toBe(1);
    await redis.xadd(stream(), '*', 'v', '1');
    expect(await waiting).toHaveLength(1);
    expect((await redis.xpending(stream(), 'writers'))[0]).toBe(1);
    blocking.disconnect();
  });

  it('does nothing without a stream or a group', async () => {
    expect((await remove(0)).rows).toBe(0);
    await redis.xadd(stream(), '*', 'v', '1');
    expect((await remove(0)).rows).toBe(0);
  });
});
