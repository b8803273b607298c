import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { S3_CREDENTIALS, type S3Server, startS3Server } from '@sluice/testkit/s3-server';

const PATIENCE = { timeout: 180_000, interval: 100 };
const EVENTS = 25;

let operations: Operations;
let s3: S3Server;
beforeAll(async () => {
  s3 = await startS3Server();
  const env = {
    EXPORT_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    EXPORT_ALLOW_PRIVATE: 'true',
  };
  operations = await startOperations({ API_KEY: 'the-key', ...env });
  const { pipeline } = operations;
  await Promise.all([operations.startMaintenance(env), pipeline.startWriter('writer-1')]);
  expect((await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(EVENTS) })).status).toBe(202);
  await pipeline.stored(EVENTS);
});
afterAll(async () => {
  await operations.stop();
  await s3.close();
});
beforeEach(() => operations.pipeline.database.query('TRUNCATE export_configs, export_runs, export_positions'));

const ask = async (method: string, path: string, body?: unknown) => {
  const answer = await operations.ask(method, path, body, 'the-key');
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
};
const at = (bucket: string, credentials: object = S3_CREDENTIALS) => ({
  ...s3.settings('client', 'acme/raw'),
  bucket,
  credentials,
});

describe('POST /export/config/test', () => {
  it('tests both buckets, and leaves nothing there', async () => {
    await ask('PUT', '/export/config', { destination: at('client'), backup: at('backup') });
    expect(await ask('POST', '/export/config/test')).toEqual({
      ok: true,
      destination: { ok: true, label: 's3://client/acme/raw/' },
      backup: { ok: true, label: 's3://backup/acme/raw/' },
    });
    expect([await s3.keys('client'), await s3.keys('backup')]).toEqual([[], []]);
  });

  it.each(['bucket', 'credentials'] as const)(
    'names the problem of a stored configuration whose %s is bad, without a body and with an empty one',
    async (wrong) => {
      const bad =
        wrong === 'bucket' ? at('missing-bucket') : at('client', { access_key_id: 'N', secret_access_key: 'w' });
      await ask('PUT', '/export/config', { destination: bad, backup: at('backup') });
      const code = wrong === 'bucket' ? 'no_bucket' : 'bad_credentials';
      const part = { ok: false, code, message: expect.stringContaining(`s3://${bad.bucket}/acme/raw/: `) as string };
      for (const body of [undefined, {}]) {
        const found = await ask('POST', '/export/config/test', body);
        expect(found).toMatchObject({ ...part, destination: part, backup: { ok: true } });
      }
      // A destination of the body is tested instead of the stored one.
      expect(await ask('POST', '/export/config/test', { destination: at('client') })).toMatchObject({ ok: true });
    },
  );

  it.each([
    ['bad_credentials', () => at('client', { access_key_id: 'NOBODY', secret_access_key: 'wrong' })],
    ['no_bucket', () => at('missing-bucket')],
  ])('says %s', async (code, destination) => {
    const found = await ask('POST', '/export/config/test', { destination: destination() });
    expect(found).toMatchObject({ ok: false, code, message: expect.stringMatching(/\w{3}/) as string, backup: null });
  });
});

/** Asks until it is so: other test files' transactions hold the fence back. */
async function untilRun(state: string): Promise<{ id: string; rows_done: number; error_code: string | null }> {
  return vi.waitFor(async () => {
    await ask('POST', '/api/jobs/queue-exports/runs');
    const { runs } = await ask('GET', `/export/runs?state=${state}`);
    expect(runs).toHaveLength(1);
    return runs[0];
  }, PATIENCE);
}

it('a destination that cannot work is paused, keeps its window, and continues once it is fixed', async () => {
  await ask('PUT', '/export/config', { destination: at('missing-bucket'), schedule: { every_events: 1 } });
  const failed = await untilRun('failed');
  expect(failed.error_code).toBe('no_bucket');
  const status = async () => (await ask('GET', '/export/status?tenant=default')).tenants[0];
  await vi.waitFor(async () => expect((await status()).paused).toMatchObject({ code: 'no_bucket' }), PATIENCE);
  expect(await status()).toMatchObject({ last_error: { code: 'no_bucket', run_id: failed.id }, position: null });
  // Nothing starts while it is paused.
  await ask('POST', '/api/jobs/queue-exports/runs');
  await vi.waitFor(async () => {
    const { runs } = await ask('GET', '/api/jobs/queue-exports/runs');
    expect(runs.every((run: { state: string }) => run.state === 'succeeded')).toBe(true);
  }, PATIENCE);
  expect((await ask('GET', '/export/runs')).runs).toHaveLength(1);

  await ask('PUT', '/export/config', {
    destination: at('client'),
    backup: at('backup'),
    schedule: { every_events: 1 },
  });
  await ask('POST', `/export/runs/${failed.id}/retry`);
  const done = await untilRun('succeeded');
  expect(done).toMatchObject({ id: failed.id, rows_done: EVENTS });
  expect((await status()).paused).toBeNull();
  const keys = await s3.keys('client');
  expect(keys.length).toBeGreaterThanOrEqual(2);
  expect(await s3.keys('backup')).toEqual(keys);
  expect(keys.every((key) => key.startsWith('acme/raw/'))).toBe(true);

  const { id } = await ask('POST', `/export/runs/${done.id}/verify`);
  await vi.waitFor(
    async () =>
      expect(await ask('GET', `/export/verifications/${id}`)).toMatchObject({
        run_id: done.id,
        state: 'succeeded',
        ok: true,
        problems: [],
        rows_done: 2 * EVENTS,
      }),
    PATIENCE,
  );
});
