import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

const CREDENTIALS = { access_key_id: 'AKIAEXAMPLEKEY01', secret_access_key: 'the-planted-secret/of+the=tenant' };
const S3 = { kind: 's3', bucket: 'acme-events', prefix: 'raw', region: 'eu-central-1' };
const exportDir = mkdtempSync(join(tmpdir(), 'sluice-exports-'));
const firstKey = `k1:${randomBytes(32).toString('base64')}`;

let operations: Operations;
/** A query API without EXPORT_ENCRYPTION_KEYS, on the same database. */
let keyless: TestDaemon;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      EXPORT_DIR: exportDir,
      EXPORT_ENCRYPTION_KEYS: firstKey,
      EXPORT_SCHEDULE: 'daily',
      EXPORT_FORMAT: 'csv',
    },
    { ingest: false },
  );
  keyless = await startTestDaemon('query-api', { DATABASE_URL: operations.pipeline.database.url });
});
afterAll(() => Promise.all([operations.stop(), keyless.stop()]));
beforeEach(() => operations.pipeline.database.query('TRUNCATE export_configs, export_runs, audit_log'));

const ask = (method: string, body?: unknown, path = '') =>
  operations.ask(method, `/export/config${path}?tenant=acme`, body, 'the-key');
const put = (body: unknown) => ask('PUT', body);
const pause = () =>
  operations.pipeline.database.query(
    "UPDATE export_configs SET paused_at = now(), paused_code = 'no_bucket', paused_reason = 'There is no bucket.'",
  );
const isPaused = async () => (await ask('GET')).body.paused !== null;

describe('GET', () => {
  it('shows the configuration of the variables for a tenant without its own', async () => {
    const { status, body } = await ask('GET');
    expect(status).toBe(200);
    expect(body).toEqual({
      tenant: 'acme',
      source: 'environment',
      // No schedule is set, so no disk fills up.
      enabled: false,
      schedule: { every: 'day', at: '00:00' },
      format: 'csv',
      compression: 'none',
      destination: { kind: 'local', prefix: '' },
      backup: null,
      paused: null,
      next_run_at: null,
      updated_at: null,
      updated_by: null,
    });
  });
});

describe('PUT', () => {
  it('stores a configuration, and describes credentials without showing them', async () => {
    const { status, body } = await put({
      schedule: { every: 'day', at: '02:00', time_zone: 'Europe/Berlin' },
      format: 'json',
      compression: 'gzip',
      destination: { ...S3, credentials: CREDENTIALS },
      backup: { kind: 'local', prefix: 'backup' },
    });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toEqual({
      tenant: 'acme',
      source: 'tenant',
      enabled: true,
      schedule: { every: 'day', at: '02:00', time_zone: 'Europe/Berlin' },
      format: 'json',
      compression: 'gzip',
      destination: { ...S3, credentials: { set: true, access_key_id: 'AKIA…EY01' } },
      backup: { kind: 'local', prefix: 'backup' },
      paused: null,
      next_run_at: expect.stringMatching(/T0[01]:00:00.000Z$/) as string,
      updated_at: expect.any(String) as string,
      updated_by: 'api-key',
    });
    expect((await ask('GET')).body).toEqual(body);
    expect(await operations.pipeline.database.query('SELECT action, affected, details FROM audit_log')).toMatchObject([
      {
        action: 'exports.configure',
        affected: '1',
        details: { tenant: 'acme', destination: S3, credentials_kept: true },
      },
    ]);
  });

  it('fills in missing fields from the variables', async () => {
    expect((await put({})).body).toMatchObject({
      enabled: true,
      schedule: { every: 'day', at: '00:00' },
      format: 'csv',
      destination: { kind: 'local', prefix: '' },
      backup: null,
    });
  });

  it('keeps the credentials for the same bucket and server, and no others', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS } });
    const kept = await put({ destination: { ...S3, prefix: 'other' }, schedule: 'hourly' });
    expect(kept.body.destination).toMatchObject({ prefix: 'other', credentials: { set: true } });
    for (const place of [
      { ...S3, bucket: 'another' },
      { ...S3, endpoint: 'https://evil.example' },
    ]) {
      const { status, body } = await put({ destination: place });
      expect([status, body.error.message]).toEqual([
        400,
        'destination.credentials must be sent again (or be null), because the bucket or the endpoint is another one.',
      ]);
    }
    expect((await put({ destination: { ...S3, credentials: null } })).body.destination.credentials).toEqual({
      set: false,
    });
  });

  it('destination and backup have their own credentials', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS }, backup: { ...S3, bucket: 'backup' } });
    expect((await ask('GET')).body).toMatchObject({
      destination: { credentials: { set: true } },
      backup: { credentials: { set: false } },
    });
  });

  it('another destination or other credentials end a pause; any other change leaves it', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS } });
    await pause();
    expect((await ask('GET')).body).toMatchObject({
      paused: { code: 'no_bucket', reason: 'There is no bucket.', since: expect.any(String) as string },
      next_run_at: null,
    });
    await put({ destination: S3, schedule: 'hourly' });
    expect(await isPaused()).toBe(true);
    await put({ destination: { ...S3, prefix: 'fixed' } });
    expect(await isPaused()).toBe(false);
    await pause();
    await put({ destination: { ...S3, prefix: 'fixed', credentials: CREDENTIALS } });
    expect(await isPaused()).toBe(false);
  });

  it('waiting runs go to the new destination', async () => {
    const { database } = operations.pipeline;
    for (const state of ['queued', 'running', 'succeeded']) {
      await database.query(
        `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by, next_attempt_at)
         VALUES (gen_random_uuid(), 'acme', 'request', $1, 'csv', 'none', '{"kind":"local","prefix":"old"}', 'ada', now())`,
        [state],
      );
    }
    const places = async () =>
      Object.fromEntries(
        (
          await database.query<{ state: string; destination: { prefix: string } }>(
            'SELECT state, destination FROM export_runs',
          )
        ).map((run) => [run.state, run.destination.prefix]),
      );
    await put({ destination: { kind: 'local', prefix: 'new' } });
    expect(await places()).toEqual({ queued: 'new', running: 'old', succeeded: 'old' });
    await ask('DELETE');
    expect(await places()).toEqual({ queued: '', running: 'old', succeeded: 'old' });
  });

  it.each([
    [{ format: 'xml' }, /format must be one of/],
    [{ compression: 'rar' }, /compression must be one of/],
    [{ format: 'parquet', compression: 'gzip' }, /compression must be none for parquet/],
    [{ schedule: 'weekly' }, /schedule must be hourly/],
    [{ schedule: { cron: '60 * * * *' } }, /schedule has a cron line that cannot be read/],
    [{ schedule: { every: 'day', time_zone: 'Mars/Base' } }, /schedule has a time_zone/],
    [{ schedule: null }, /schedule must be/],
    [{ enabled: 'yes' }, /enabled must be boolean/],
    [{ colour: 'red' }, /colour/],
    [{ destination: { kind: 'ftp' } }, /destination.kind must be one of s3, local/],
    [{ destination: { kind: 's3' } }, /destination.bucket is missing/],
    [{ destination: { kind: 'local', bucket: 'x' } }, /destination.bucket is for destinations of kind s3/],
    [{ destination: { kind: 'local', prefix: '../etc' } }, /destination.prefix must have no/],
    [{ destination: { kind: 'local', prefix: '/etc' } }, /destination.prefix must be relative/],
    [{ destination: { ...S3, prefix: 'a/../../b' } }, /destination.prefix must have no/],
    [{ destination: { ...S3, prefix: 'a\u0000b' } }, /destination.prefix must have no control characters/],
    [{ destination: { ...S3, bucket: 'Not A Bucket' } }, /destination.bucket must have 3 to 63/],
    [{ destination: { ...S3, endpoint: 'gopher://x' } }, /destination.endpoint must start with/],
    [{ destination: { ...S3, endpoint: 'https://u:p@s3.example.com' } }, /destination.endpoint must have no user name/],
    [{ destination: { ...S3, endpoint: 'http://169.254.169.254' } }, /destination.endpoint must lie in the public/],
    [{ destination: { ...S3, endpoint: 'http://localhost:9000' } }, /destination.endpoint must lie in the public/],
    [
      { destination: { ...S3, credentials: { access_key_id: 'x' } } },
      /destination.credentials.secret_access_key is missing/,
    ],
    [{ destination: { ...S3, credentials: { ...CREDENTIALS, token: 'x' } } }, /destination.credentials.token/],
    [{ destination: { ...S3, credentials: { ...CREDENTIALS, access_key_id: 'a b' } } }, /access_key_id/],
    [{ backup: { kind: 'local', prefix: '..' } }, /backup.prefix must have no/],
    [{ backup: { kind: 's3' } }, /backup.bucket is missing/],
  ])('%j is 400 and names the field', async (body, message) => {
    const answer = await put(body);
    expect([answer.status, answer.body.error?.message]).toEqual([400, expect.stringMatching(message)]);
    expect(await operations.pipeline.database.query('SELECT FROM export_configs')).toEqual([]);
  });

  it('credentials that no key can seal are refused, with the name of what is missing', async () => {
    const response = await fetch(`${keyless.url}/export/config?tenant=acme`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ destination: { ...S3, credentials: CREDENTIALS } }),
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      error: { code: 'no_encryption_key', message: expect.stringContaining('EXPORT_ENCRYPTION_KEYS') as string },
    });
  });

  it('a missing sealing key is reported, and the credentials can be sent again', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS } });
    const seen = (await (await fetch(`${keyless.url}/export/config?tenant=acme`)).json()) as {
      destination: { credentials: unknown };
    };
    expect(seen.destination.credentials).toEqual({
      set: true,
      problem: expect.stringMatching(/acme are sealed with the key k1/) as string,
    });
  });

  it('two at once leave one of the two, whole', async () => {
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((prefix) => put({ destination: { ...S3, prefix, credentials: CREDENTIALS } })),
    );
    const { body } = await ask('GET');
    expect(['a', 'b', 'c', 'd']).toContain(body.destination.prefix);
    expect(body.destination.credentials.set).toBe(true);
  });
});

describe('DELETE', () => {
  it('deletes the configuration, and shows that of the variables', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS } });
    expect((await ask('DELETE')).body).toMatchObject({ source: 'environment', destination: { kind: 'local' } });
    expect(await operations.pipeline.database.query('SELECT FROM export_configs')).toEqual([]);
    const answer = await ask('DELETE');
    expect([answer.status, answer.body.error.message]).toEqual([404, 'tenant "acme" has no export configuration.']);
  });
});

const test = (body?: unknown) => ask('POST', body, '/test');

describe('POST test', () => {
  it('writes, reads and removes a file where exports go', async () => {
    await put({ destination: { kind: 'local', prefix: 'tried' } });
    const { status, body } = await test();
    expect([status, body]).toEqual([
      200,
      { ok: true, destination: { ok: true, label: join(exportDir, 'tried') }, backup: null },
    ]);
    expect(readdirSync(join(exportDir, 'tried'))).toEqual([]);
  });

  it('takes {} as no body: it tests where exports go, not what the variables say', async () => {
    await put({ destination: { ...S3, endpoint: 'https://s3.invalid', credentials: CREDENTIALS } });
    const [without, empty] = [(await test()).body, (await test({})).body];
    expect(without).toMatchObject({ ok: false, destination: { ok: false } });
    expect(empty).toEqual(without);
  });

  it('tests the configuration in the body, and stores nothing', async () => {
    const { body } = await test({
      destination: { ...S3, endpoint: 'https://s3.invalid', credentials: CREDENTIALS },
      backup: { kind: 'local', prefix: 'tried' },
    });
    expect(body).toMatchObject({
      ok: false,
      code: body.destination.code,
      destination: { ok: false },
      backup: { ok: true },
    });
    expect(['unreachable', 'bad_destination']).toContain(body.code);
    expect(body.message).toBe(body.destination.message);
    expect(JSON.stringify(body)).not.toContain(CREDENTIALS.secret_access_key);
    expect(await operations.pipeline.database.query('SELECT FROM export_configs')).toEqual([]);
  });

  it('says what is wrong with the stored configuration', async () => {
    await put({ destination: { ...S3, credentials: CREDENTIALS } });
    await operations.pipeline.database.query("UPDATE export_configs SET key_id = 'lost'");
    expect((await test()).body).toMatchObject({
      ok: false,
      code: 'bad_credentials',
      message: expect.stringMatching(/sealed with the key lost/) as string,
    });
  });

  it('a body that is wrong is 400, as in a PUT', async () => {
    const answer = await test({ destination: { kind: 's3', bucket: 'x' } });
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringMatching(/destination.bucket/)]);
  });
});
