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
beforeEach(async () => {
  const { database } = operations.pipeline;
  await database.query('TRUNCATE export_configs, export_runs, export_positions, events, sessions, audit_log');
  await insertEvents(database, 'acme');
});

const ask = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, 'the-key');
const run = (query: string, key = 'a') => operations.ask('POST', `/export/run${query}`, undefined, key);
const audited = () =>
  operations.pipeline.database.query('SELECT actor, tenant, action, affected, details FROM audit_log ORDER BY id');

const pause = () =>
  operations.pipeline.database.query(
    "UPDATE export_configs SET paused_at = now(), paused_code = 'no_bucket', paused_reason = 'There is no bucket.'",
  );

/** A run as a maintenance worker would leave it. */
async function seedRun(state: string, more: Record<string, unknown> = {}): Promise<string> {
  const row = {
    id: randomUUID(),
    tenant: 'acme',
    trigger: 'request',
    state,
    format: 'csv',
    compression: 'none',
    destination: '{"kind":"local","prefix":""}',
    requested_by: 'ada',
    ...more,
  };
  const names = Object.keys(row);
  await operations.pipeline.database.query(
    `INSERT INTO export_runs (${names.join(', ')}) VALUES (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
    Object.values(row),
  );
  return row.id;
}

describe('POST /export/run', () => {
  it('answers 202 with the run and its location, and wakes a worker', async () => {
    const { status, headers, body } = await run(
      '?format=csv&compression=gzip&since=2026-01-31T00:00:00Z&until=2026-02-01T00:00:00%2B01:00',
    );
    expect(status, JSON.stringify(body)).toBe(202);
    expect(headers.get('location')).toBe(`/export/runs/${body.id}`);
    expect(body).toEqual({
      id: expect.any(String) as string,
      tenant: 'acme',
      trigger: 'request',
      state: 'queued',
      format: 'csv',
      compression: 'gzip',
      destination: { kind: 'local', prefix: '' },
      backup: null,
      since: '2026-01-31T00:00:00.000000Z',
      until: '2026-01-31T23:00:00.000000Z',
      partition: null,
      rows_done: 0,
      rows_expected: null,
      bytes_done: 0,
      files: [],
      manifest_key: null,
      manifest_location: null,
      attempts: 0,
      next_attempt_at: null,
      error_code: null,
      error: null,
      requested_by: 'ada',
      created_at: expect.any(String) as string,
      started_at: null,
      finished_at: null,
    });
    expect((await ask('GET', headers.get('location')!)).body).toEqual(body);
    const { redis, namespace } = operations.pipeline;
    expect(await redis.llen(`{${namespace}:jobs}:exports:wait`)).toBeGreaterThan(0);
    expect(await audited()).toEqual([
      {
        actor: 'ada',
        tenant: 'acme',
        action: 'exports.run',
        affected: '1',
        details: {
          run_id: body.id,
          tenant: 'acme',
          format: 'csv',
          compression: 'gzip',
          since: '2026-01-31T00:00:00.000Z',
          until: '2026-01-31T23:00:00.000Z',
        },
      },
    ]);
  });

  it('takes format, compression and destination from the configuration by default', async () => {
    await ask('PUT', '/export/config?tenant=acme', {
      format: 'json',
      compression: 'zstd',
      destination: { kind: 'local', prefix: 'acme' },
    });
    expect((await run('')).body).toMatchObject({
      format: 'json',
      compression: 'zstd',
      destination: { kind: 'local', prefix: 'acme' },
      since: null,
      until: null,
    });
    expect((await run('?format=csv')).body).toMatchObject({ format: 'csv', compression: 'zstd' });
    expect((await run('?format=parquet')).body).toMatchObject({ format: 'parquet', compression: 'none' });
  });

  it.each([
    ['?format=xml', 400, /format must be one of ndjson, json, csv, parquet/],
    ['?compression=rar', 400, /compression must be one of/],
    ['?tenant=acme&format=parquet&compression=gzip', 400, /compression must be none for parquet/],
    ['?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z', 400, /until must lie after since/],
    ['?since=2026-02-01T00:00:00Z&until=2026-02-01T00:00:00Z', 400, /until must lie after since/],
    ['?since=2026-02-01T00:00:00.000002Z&until=2026-02-01T00:00:00.000001Z', 400, /until must lie after since/],
    ['?since=yesterday', 400, /since must be a time with its zone/],
    ['?until=2026-02-30T00:00:00Z', 400, /until must be a time with its zone/],
    ['?since=9000-01-01T00:00:00Z', 400, /since is in the future/],
    ['?tenant=', 400, /tenant/],
    ['?tenant=a%00b', 400, /tenant/],
    [`?tenant=${'x'.repeat(65)}`, 400, /tenant/],
    ['?colour=red', 400, /colour/],
    ['?tenant=nobody', 404, /tenant "nobody" has no event/],
    ['', 404, /tenant "default" has no event/],
  ])('%s is %i and says why', async (query, status, message) => {
    const answer = await run(query, 'the-key');
    expect([answer.status, answer.body.error?.message]).toEqual([status, expect.stringMatching(message)]);
    expect(await audited()).toEqual([]);
  });

  it('a span of one microsecond is one', async () => {
    expect((await run('?since=2026-02-01T00:00:00Z&until=2026-02-01T00:00:00.000001Z')).status).toBe(202);
  });

  it('a tenant is known by its events, its sessions or its configuration', async () => {
    const { database } = operations.pipeline;
    await database.query(
      `INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count)
       VALUES ('visited', 's', now(), now(), now(), 1)`,
    );
    await ask('PUT', '/export/config?tenant=configured', {});
    for (const tenant of ['acme', 'visited', 'configured']) {
      expect((await run(`?tenant=${tenant}`, 'the-key')).status, tenant).toBe(202);
    }
  });

  it('an operator of one tenant need not name it, and cannot name another', async () => {
    expect((await run('?tenant=acme')).status).toBe(202);
    const answer = await run('?tenant=default');
    expect([answer.status, answer.body.error.code]).toEqual([403, 'tenant_mismatch']);
  });

  it('takes no body', async () => {
    expect((await operations.ask('POST', '/export/run', {}, 'a')).status).toBe(202);
    const answer = await operations.ask('POST', '/export/run', { format: 'csv' }, 'a');
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringMatching(/format/)]);
  });
});

const listed = async (query: string) => {
  const { status, body } = await ask('GET', `/export/runs${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return [body.runs.map((each: { id: string }) => each.id), body.next_cursor] as [string[], string | null];
};

describe('GET /export/runs', () => {
  it('pages through them, newest first, and filters', async () => {
    const ids: string[] = [];
    for (const state of ['succeeded', 'failed', 'succeeded', 'queued', 'succeeded']) ids.unshift(await seedRun(state));
    const other = await seedRun('succeeded', { tenant: 'other' });
    expect(await listed('')).toEqual([[other, ...ids], null]);
    expect(await listed('?state=failed')).toEqual([[ids[3]], null]);
    expect(await listed('?tenant=other')).toEqual([[other], null]);
    const [first, cursor] = await listed('?tenant=acme&limit=3');
    const [second, end] = await listed(`?tenant=acme&limit=3&cursor=${cursor}`);
    expect([...first, ...second]).toEqual(ids);
    expect(end).toBeNull();
  });

  it('shows progress and failure', async () => {
    const id = await seedRun('failed', {
      rows_done: 500,
      rows_expected: 1_000,
      bytes_done: 12_345,
      attempts: 3,
      error_code: 'no_bucket',
      error: 'There is no bucket.',
    });
    expect((await ask('GET', `/export/runs/${id}`)).body).toMatchObject({
      rows_done: 500,
      rows_expected: 1_000,
      bytes_done: 12_345,
      attempts: 3,
      error_code: 'no_bucket',
      error: 'There is no bucket.',
      files: [],
      manifest_key: null,
    });
  });

  it('shows the files of one that has succeeded', async () => {
    const files = [{ key: 'a.csv', rows: 500, bytes: 12_345, sha256: '0' }];
    const id = await seedRun('succeeded', { manifest: JSON.stringify({ files }), manifest_key: 'm.json' });
    expect((await ask('GET', `/export/runs/${id}`)).body).toMatchObject({ files, manifest_key: 'm.json' });
  });

  it.each([
    ['/export/runs?state=dead', 400, /state must be one of/],
    ['/export/runs?limit=0', 400, /limit/],
    ['/export/runs?cursor=x', 400, /cursor/],
    ['/export/runs/7', 400, /id must match format "uuid"/],
    [`/export/runs/${randomUUID()}`, 404, /There is no export run/],
  ])('%s is %i', async (path, status, message) => {
    const answer = await ask('GET', path);
    expect([answer.status, answer.body.error.message]).toEqual([status, expect.stringMatching(message)]);
  });
});

describe('retry', () => {
  it('queues the same window again, for the present destination, and ends the pause', async () => {
    await ask('PUT', '/export/config?tenant=acme', { destination: { kind: 'local', prefix: 'fixed' } });
    await pause();
    const id = await seedRun('failed', {
      trigger: 'schedule',
      error_code: 'no_bucket',
      error: 'There is no bucket.',
      attempts: 4,
      rows_done: 10,
      to_fence: '{"tx":"900"}',
      from_position: '{"tx":"800"}',
    });
    await operations.pipeline.database.query(
      `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
       VALUES ('acme', '800', 'x', now(), now(), gen_random_uuid())`,
    );
    const { status, body } = await ask('POST', `/export/runs/${id}/retry`);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      state: 'queued',
      attempts: 0,
      rows_done: 0,
      error: null,
      error_code: null,
      destination: { kind: 'local', prefix: 'fixed' },
    });
    const [row] = await operations.pipeline.database.query('SELECT from_position, to_fence FROM export_runs');
    expect(row).toEqual({ from_position: { tx: '800' }, to_fence: { tx: '900' } });
    expect((await ask('GET', '/export/config?tenant=acme')).body.paused).toBeNull();
    expect((await audited()).at(-1)).toMatchObject({ action: 'exports.retry', details: { run_id: id } });
  });

  it.each(['queued', 'running', 'paused', 'succeeded', 'cancelled'])('not of one that is %s', async (state) => {
    const answer = await ask('POST', `/export/runs/${await seedRun(state)}/retry`);
    expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict']);
  });

  it('not of a scheduled one whose window another run has, or has had', async () => {
    const id = await seedRun('failed', {
      trigger: 'schedule',
      to_fence: '{"tx":"900"}',
      from_position: '{"tx":"800"}',
    });
    const other = await seedRun('queued', { trigger: 'schedule' });
    expect((await ask('POST', `/export/runs/${id}/retry`)).body.error.message).toContain(`Run ${other} exports`);
    const { database } = operations.pipeline;
    await database.query("UPDATE export_runs SET state = 'succeeded' WHERE id = $1", [other]);
    await database.query(
      `INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, run_id)
       VALUES ('acme', '950', 'x', now(), now(), $1)`,
      [other],
    );
    const answer = await ask('POST', `/export/runs/${id}/retry`);
    expect([answer.status, answer.body.error.message]).toEqual([409, expect.stringMatching(/later run has exported/)]);
  });
});

describe('cancel', () => {
  it.each(['queued', 'running', 'paused'])('ends one that is %s', async (state) => {
    const id = await seedRun(state);
    const { status, body } = await ask('POST', `/export/runs/${id}/cancel`);
    expect([status, body.state]).toEqual([200, 'cancelled']);
    expect(body.finished_at).not.toBeNull();
    expect((await audited())[0]).toMatchObject({ action: 'exports.cancel', details: { run_id: id, from: state } });
  });

  it.each(['succeeded', 'failed', 'cancelled'])('not one that is %s', async (state) => {
    const answer = await ask('POST', `/export/runs/${await seedRun(state)}/cancel`);
    expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict']);
  });
});

describe('a run that is publishing its manifest', () => {
  const publishing = {
    trigger: 'schedule',
    manifest: '{"files":[{"key":"a.csv","rows":1,"bytes":1,"sha256":"0"}]}',
    manifest_key: 'm.json',
  };

  it.each(['queued', 'running'])(
    'is not cancelled when it is %s: the next one would export its window too',
    async (state) => {
      const id = await seedRun(state, publishing);
      const answer = await ask('POST', `/export/runs/${id}/cancel`);
      expect([answer.status, answer.body.error.message]).toEqual([
        409,
        expect.stringMatching(/publishing its manifest/),
      ]);
      // It does not count as exported yet.
      expect((await ask('GET', `/export/runs/${id}`)).body).toMatchObject({ state, files: [], manifest_key: null });
    },
  );

  it('writes its files from scratch when the destination changes before it ends', async () => {
    const id = await seedRun('queued', publishing);
    await ask('PUT', '/export/config?tenant=acme', { destination: { kind: 'local', prefix: 'elsewhere' } });
    const { database } = operations.pipeline;
    const [row] = await database.query('SELECT manifest, manifest_key FROM export_runs WHERE id = $1', [id]);
    expect(row).toEqual({ manifest: null, manifest_key: null });
  });
});

it.each(['retry', 'cancel'])('%s of a run that does not exist is 404', async (step) => {
  expect((await ask('POST', `/export/runs/${randomUUID()}/${step}`)).status).toBe(404);
});
