import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { insertEvents } from '@sluice/testkit/insert-events';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations(
    { API_KEY: 'the-key', OPERATOR_KEYS: operatorKey('ada@acme', 'a') },
    { ingest: false },
  );
});
afterAll(() => operations.stop());
beforeEach(() =>
  operations.pipeline.database.query('TRUNCATE export_configs, export_runs, export_positions, events, sessions'),
);

const status = async (query = '', key = 'the-key') => operations.ask('GET', `/export/status${query}`, undefined, key);
const configure = (tenant: string, body: object) =>
  operations.ask('PUT', `/export/config?tenant=${tenant}`, body, 'the-key');
const addRun = (
  tenant: string | null,
  state: string,
  more: { rows?: number; error?: string; minutesAgo?: number; trigger?: string } = {},
) =>
  operations.pipeline.database.query(
    `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by, rows_done, bytes_done,
                              error, error_code, created_at, finished_at)
     VALUES ($1, $2, $3, $4, 'csv', 'none', '{}', 'ada', $5::bigint, $5::bigint * 10, $6::text, CASE WHEN $6::text IS NOT NULL THEN 'no_bucket' END,
             now() - make_interval(mins => $7), now())`,
    [randomUUID(), tenant, more.trigger ?? 'request', state, more.rows ?? 0, more.error ?? null, more.minutesAgo ?? 0],
  );

const names = (page: { tenants: { tenant: string }[] }) => page.tenants.map(({ tenant }) => tenant);

describe('GET /export/status', () => {
  it('shows runs, rows, bytes, the last error, the lag and the next run', async () => {
    await configure('acme', { schedule: { every: 'day', at: '02:00' } });
    await addRun('acme', 'failed', { rows: 5, error: 'There is no bucket.', minutesAgo: 3 });
    await addRun('acme', 'succeeded', { rows: 100, minutesAgo: 2, trigger: 'schedule' });
    await addRun('acme', 'succeeded', { rows: 20, minutesAgo: 1 });
    await operations.pipeline.database.query(
      `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
       VALUES ('acme', '800', 'x', now() - interval '90 seconds', now(), gen_random_uuid())`,
    );
    const { body } = await status('?tenant=acme');
    expect(body.next_cursor).toBeNull();
    expect(body.tenants).toEqual([
      {
        tenant: 'acme',
        source: 'tenant',
        enabled: true,
        schedule: { every: 'day', at: '02:00' },
        next_run_at: expect.stringMatching(/T02:00:00.000Z$/) as string,
        paused: null,
        position: { fenced_at: expect.stringMatching(/Z$/) as string },
        lag_seconds: expect.any(Number) as number,
        last_run: expect.objectContaining({ state: 'succeeded', rows_done: 20, error: null }) as object,
        last_error: expect.objectContaining({ code: 'no_bucket', message: 'There is no bucket.' }) as object,
        totals: { runs: { failed: 1, succeeded: 2 }, rows: 120, bytes: 1_200 },
      },
    ]);
    expect(body.tenants[0].lag_seconds).toBeGreaterThanOrEqual(90);
  });

  it('a tenant of which no event waits does not lag, and a quiet real-time one has its next run in the future', async () => {
    const { database } = operations.pipeline;
    await configure('quiet', { schedule: 'realtime' });
    await addRun('quiet', 'succeeded', { rows: 5, minutesAgo: 10, trigger: 'schedule' });
    await database.query(
      `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
       SELECT 'quiet', pg_current_xact_id(), system_identifier, now() - interval '3 minutes', now() - interval '4 minutes',
              gen_random_uuid() FROM pg_control_system()`,
    );
    const quiet = (await status('?tenant=quiet')).body.tenants[0];
    expect(quiet.lag_seconds).toBe(0);
    expect(Date.parse(quiet.next_run_at)).toBeGreaterThan(Date.now() - 1_000);
    const { body } = await operations.ask('GET', '/export/config?tenant=quiet', undefined, 'the-key');
    expect(Date.parse(body.next_run_at)).toBeGreaterThan(Date.now() - 1_000);
    await database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       VALUES ('quiet', gen_random_uuid(), 'x', now(), now(), 'governance-tracker', '{}')`,
    );
    expect((await status('?tenant=quiet')).body.tenants[0].lag_seconds).toBeGreaterThanOrEqual(180);
    await database.query("DELETE FROM events WHERE tenant = 'quiet'");
  });

  it('shows zeros for a tenant that was never exported', async () => {
    await insertEvents(operations.pipeline.database, 'new');
    expect((await status('?tenant=new')).body.tenants).toEqual([
      {
        tenant: 'new',
        source: 'environment',
        enabled: false,
        schedule: { every: 'hour', minute: 0 },
        next_run_at: null,
        paused: null,
        position: null,
        lag_seconds: null,
        last_run: null,
        last_error: null,
        totals: { runs: {}, rows: 0, bytes: 0 },
      },
    ]);
  });

  it('shows why a tenant is paused', async () => {
    await configure('acme', {});
    await operations.pipeline.database.query(
      "UPDATE export_configs SET paused_at = now(), paused_code = 'bad_credentials', paused_reason = 'Unknown key.'",
    );
    expect((await status('?tenant=acme')).body.tenants[0]).toMatchObject({
      paused: { code: 'bad_credentials', reason: 'Unknown key.', since: expect.any(String) as string },
      next_run_at: null,
    });
  });

  it('shows a pause of the configuration of the variables after a failed run', async () => {
    await insertEvents(operations.pipeline.database, 'acme');
    await addRun('acme', 'failed', { trigger: 'schedule' });
    await operations.pipeline.database.query(
      "UPDATE export_runs SET error_code = 'no_bucket', error = 'There is no bucket.', finished_at = now()",
    );
    expect((await status('?tenant=acme')).body.tenants[0]).toMatchObject({
      source: 'environment',
      paused: { code: 'no_bucket', reason: 'There is no bucket.', since: expect.stringMatching(/Z$/) as string },
      next_run_at: null,
    });
  });

  it('has pages of every tenant with a configuration or a run', async () => {
    await configure('b', {});
    await configure('d', { schedule: 'threshold:5' });
    for (const tenant of ['a', 'b', 'c']) await addRun(tenant, 'succeeded');
    await addRun(null, 'succeeded', { trigger: 'archive' });
    const first = (await status('?limit=3')).body;
    const second = (await status(`?limit=3&cursor=${first.next_cursor}`)).body;
    expect([names(first), names(second), second.next_cursor]).toEqual([['a', 'b', 'c'], ['d'], null]);
    expect(second.tenants[0].next_run_at).toBeNull();
  });

  it('an operator of one tenant sees that one', async () => {
    await addRun('acme', 'succeeded');
    await addRun('other', 'succeeded');
    expect((await status('', 'a')).body.tenants.map((each: { tenant: string }) => each.tenant)).toEqual(['acme']);
    expect((await status('?tenant=other', 'a')).status).toBe(403);
  });

  it.each([
    ['?tenant=nobody', 404, /tenant "nobody"/],
    ['?limit=0', 400, /limit/],
    ['?cursor=AA', 400, /cursor/],
    ['?colour=red', 400, /colour/],
  ])('%s is %i', async (query, code, message) => {
    const answer = await status(query);
    expect([answer.status, answer.body.error.message]).toEqual([code, expect.stringMatching(message)]);
  });
});
