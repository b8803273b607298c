import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { insertEvents } from '@sluice/testkit/insert-events';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';
import { EXPORT_RUNS } from '../src/exports/runs/rows.ts';
import { cursorAfter } from '../src/http/paging.ts';

const CREDENTIALS = { access_key_id: 'AKIA', secret_access_key: 'secret' };
const S3 = { kind: 's3', bucket: 'evil-bucket', prefix: '' };

let operations: Operations;
/** A key of the tenant `evil` with every scope, and one that may only read. */
let attacker: string;
let reader: string;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      EXPORT_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
      CLIENT_S3_BUCKET: 'servers-bucket',
    },
    { ingest: false },
  );
  const make = async (scopes: string[]): Promise<string> => {
    const { status, body } = await operations.ask(
      'POST',
      '/api/keys',
      { name: 'mallory', scopes, tenant: 'evil' },
      'the-key',
    );
    expect(status, JSON.stringify(body)).toBeLessThan(300);
    return body.key as string;
  };
  attacker = await make(['read', 'operate', 'admin']);
  reader = await make(['read']);
});
afterAll(() => operations.stop());

let theirRun: string;
let theirVerification: string;
beforeEach(async () => {
  const { database } = operations.pipeline;
  await database.query('TRUNCATE export_configs, export_runs, export_positions, events, job_runs, audit_log');
  await insertEvents(database, 'evil', 'victim');
  const admin = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, 'the-key');
  await admin('PUT', '/export/config?tenant=victim', {
    destination: { ...S3, bucket: 'victims-bucket', credentials: CREDENTIALS },
  });
  theirRun = (await admin('POST', '/export/run?tenant=victim')).body.id as string;
  await database.query(
    `UPDATE export_runs SET state = 'succeeded', manifest = '{"files":[]}', manifest_key = 'm' WHERE id = $1`,
    [theirRun],
  );
  theirVerification = (await admin('POST', `/export/runs/${theirRun}/verify`)).body.id as string;
});

const attack = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, attacker);
const snapshot = () =>
  operations.pipeline.database.query(
    "SELECT (SELECT jsonb_agg(to_jsonb(c)) FROM export_configs c WHERE tenant = 'victim') AS configs, (SELECT jsonb_agg(to_jsonb(r)) FROM export_runs r WHERE tenant = 'victim') AS runs",
  );

describe("another tenant's operator", () => {
  it('cannot name another tenant, whatever its scopes', async () => {
    const before = await snapshot();
    for (const [method, path, body] of [
      ['POST', '/export/run?tenant=victim', undefined],
      ['GET', '/export/status?tenant=victim', undefined],
      ['GET', '/export/runs?tenant=victim', undefined],
      ['GET', '/export/config?tenant=victim', undefined],
      ['PUT', '/export/config?tenant=victim', { schedule: 'manual' }],
      ['DELETE', '/export/config?tenant=victim', undefined],
      ['POST', '/export/config/test?tenant=victim', undefined],
    ] as const) {
      const answer = await attack(method, path, body);
      expect([answer.status, answer.body.error?.code], `${method} ${path}`).toEqual([403, 'tenant_mismatch']);
    }
    expect(await snapshot()).toEqual(before);
  });

  it('gets the same 404 for a run of another tenant as for one that does not exist, and changes nothing', async () => {
    const before = await snapshot();
    for (const id of [theirRun, randomUUID()]) {
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/retry'],
        ['POST', '/cancel'],
        ['POST', '/verify'],
      ] as const) {
        const answer = await attack(method, `/export/runs/${id}${path}`);
        expect([answer.status, answer.body.error?.message], `${method} ${path}`).toEqual([
          404,
          `There is no export run ${id}.`,
        ]);
      }
    }
    for (const id of [theirVerification, randomUUID()]) {
      const answer = await attack('GET', `/export/verifications/${id}`);
      expect([answer.status, answer.body.error?.message]).toEqual([404, `There is no verification ${id}.`]);
    }
    expect(await snapshot()).toEqual(before);
  });

  it('sees its own only', async () => {
    await attack('POST', '/export/run');
    const { runs } = (await attack('GET', '/export/runs')).body;
    expect(runs.map((run: { tenant: string }) => run.tenant)).toEqual(['evil']);
    const { tenants } = (await attack('GET', '/export/status')).body;
    expect(tenants.map((each: { tenant: string }) => each.tenant)).toEqual(['evil']);
    expect(JSON.stringify((await attack('GET', '/export/config')).body)).not.toContain('victim');
  });

  it('a cursor of another tenant leads nowhere', async () => {
    await attack('POST', '/export/run');
    const { created_at: at } = (await operations.ask('GET', `/export/runs/${theirRun}`, undefined, 'the-key')).body;
    const cursor = cursorAfter([at, theirRun], EXPORT_RUNS);
    expect((await attack('GET', `/export/runs?cursor=${cursor}`)).body.runs).toEqual([]);
  });

  it('may configure its own exports, with its own credentials, but not with the identity of the server', async () => {
    const refused = await attack('PUT', '/export/config', { destination: S3 });
    expect([refused.status, refused.body.error.message]).toEqual([
      400,
      'destination.credentials is missing: only an operator of all tenants may use the identity of this server.',
    ]);
    const inServersBucket = await attack('POST', '/export/config/test', {
      destination: { kind: 's3', bucket: 'servers-bucket', prefix: 'sluice/elsewhere' },
    });
    expect(inServersBucket.status).toBe(400);
    expect((await attack('PUT', '/export/config', { destination: { ...S3, credentials: CREDENTIALS } })).status).toBe(
      200,
    );
    const dropped = await attack('PUT', '/export/config', { destination: { ...S3, credentials: null } });
    expect(dropped.status).toBe(400);
    expect(
      (
        await operations.ask(
          'PUT',
          '/export/config?tenant=evil',
          { destination: { ...S3, credentials: null } },
          'the-key',
        )
      ).status,
    ).toBe(200);
  });

  it('exports to no disk of the server where exports do not go there by default', async () => {
    const { status, body } = await attack('PUT', '/export/config', { destination: { kind: 'local', prefix: 'evil' } });
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(/^destination.kind must be s3/)]);
  });

  it('exports into its own folder where exports go to the disk', async () => {
    const disk = await startTestDaemon('query-api', {
      API_KEY: 'the-key',
      DATABASE_URL: operations.pipeline.database.url,
      REDIS_URL: inject('redisUrl'),
    });
    for (const [prefix, stored] of [
      ['victim', 'evil/victim'],
      ['evil', 'evil'],
      ['evil/x', 'evil/x'],
      ['evilish/x', 'evil/evilish/x'],
      ['', ''],
    ]) {
      const response = await fetch(`${disk.url}/export/config`, {
        method: 'PUT',
        headers: { 'x-api-key': attacker, 'content-type': 'application/json' },
        body: JSON.stringify({ destination: { kind: 'local', prefix } }),
      });
      expect(await response.json()).toMatchObject({ destination: { kind: 'local', prefix: stored } });
    }
    await disk.stop();
  });

  it("its sealed credentials don't open in another tenant's row", async () => {
    await attack('PUT', '/export/config', { destination: { ...S3, credentials: CREDENTIALS } });
    await operations.pipeline.database.query(
      "UPDATE export_configs SET secrets = (SELECT secrets FROM export_configs WHERE tenant = 'victim') WHERE tenant = 'evil'",
    );
    expect((await attack('GET', '/export/config')).body.destination.credentials).toEqual({
      set: true,
      problem: expect.stringMatching(/cannot be opened/) as string,
    });
  });
});

it('each route needs its scope', async () => {
  for (const [method, path, scope] of [
    ['POST', '/export/run', 'operate'],
    ['POST', `/export/runs/${theirRun}/retry`, 'operate'],
    ['POST', `/export/runs/${theirRun}/cancel`, 'operate'],
    ['POST', `/export/runs/${theirRun}/verify`, 'operate'],
    ['PUT', '/export/config', 'admin'],
    ['DELETE', '/export/config', 'admin'],
    ['POST', '/export/config/test', 'admin'],
  ] as const) {
    const answer = await operations.ask(method, path, undefined, reader);
    expect([answer.status, answer.body.error?.code], path).toEqual([403, 'forbidden']);
    expect(answer.body.error.message).toContain(scope);
  }
  for (const path of ['/export/status', '/export/runs', '/export/config']) {
    expect((await operations.ask('GET', path, undefined, reader)).status, path).toBe(200);
    expect((await operations.ask('GET', path)).status, path).toBe(401);
  }
});
