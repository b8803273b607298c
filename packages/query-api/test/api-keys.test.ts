import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import type { Answer } from '@sluice/testkit/http';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { secretOf } from '@sluice/testkit/stored-keys';

const IN_AN_HOUR = new Date(Date.now() + 3_600_000).toISOString();
const IN_A_DAY = new Date(Date.now() + 86_400_000).toISOString();

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      OPERATOR_KEYS: operatorKey('ada', 'a'),
      LOG_LEVEL: 'trace',
      KEY_REFRESH_MS: '100',
    },
    { ingest: false },
  );
});
afterAll(() => operations.stop());

const ask = (method: string, path: string, body?: unknown, key = 'the-key') => operations.ask(method, path, body, key);
const create = (body: object, key?: string): Promise<Answer> =>
  ask('POST', '/api/keys', { name: 'test', scopes: ['read'], ...body }, key);
async function created(body: object, key?: string): Promise<{ id: string; key: string }> {
  const answer = await create(body, key);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as { id: string; key: string };
}
const rows = (id: string) => operations.pipeline.database.query('SELECT *, digest FROM api_keys WHERE id = $1', [id]);

describe('a key', () => {
  it('is shown once, works at once, and is stored as its hash alone', async () => {
    const answer = await create({ name: 'reports', scopes: ['read', 'ingest'], tenant: 'acme', expires_at: IN_A_DAY });
    const { key, ...listed } = answer.body;
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(key).toMatch(/^slk_[0-9a-f]{16}_[\w-]{43}$/);
    expect(listed).toEqual({
      id: key.slice(4, 20),
      name: 'reports',
      scopes: ['ingest', 'read'],
      tenant: 'acme',
      requests_per_minute: null,
      events_per_second: null,
      created_by: 'api-key',
      created_at: expect.stringMatching(/Z$/) as string,
      expires_at: IN_A_DAY.replace('Z', '000Z'),
      last_used_at: null,
      revoked_at: null,
    });
    expect((await ask('GET', '/api/dead-letters', undefined, key)).status).toBe(200);
    const bearer = await fetch(`${operations.query.url}/api/dead-letters`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(bearer.status).toBe(200);

    const secret = secretOf(key);
    const [row] = await rows(listed.id);
    expect(row!['digest']).toEqual(createHash('sha256').update(key).digest());
    const everything = await operations.pipeline.database.query(
      'SELECT (SELECT json_agg(k) FROM api_keys k)::text || (SELECT json_agg(a) FROM audit_log a)::text AS text',
    );
    const list = await ask('GET', '/api/keys?revoked=true');
    for (const text of [JSON.stringify(everything), JSON.stringify(list.body), operations.query.output()]) {
      expect(text).not.toContain(secret);
    }
    expect(list.body.keys.map(({ id }: { id: string }) => id)).toContain(listed.id);
    expect(JSON.stringify(list.body)).not.toContain((row!['digest'] as Buffer).toString('hex'));
  });

  it.each([
    ['its secret is another', (key: string) => `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`],
    ['its id is another', (key: string) => key.replace(/_[0-9a-f]{16}_/, '_0123456789abcdef_')],
    ['something is behind it', (key: string) => `${key}A`],
    ['a part is missing', (key: string) => key.slice(0, -1)],
  ])('is not known when %s', async (_what, change) => {
    const { key } = await created({});
    expectError(await ask('GET', '/api/dead-letters', undefined, change(key)), 'unauthorized');
  });

  it('stops at once where it is revoked, stays listed as revoked, and is revoked once', async () => {
    const { id, key } = await created({});
    const revoked = await ask('DELETE', `/api/keys/${id}`);
    expect(revoked.status).toBe(200);
    expect(revoked.body).toMatchObject({ id, revoked_at: expect.stringMatching(/Z$/) as string });
    expectError(await ask('GET', '/api/dead-letters', undefined, key), 'unauthorized');
    expect((await ask('DELETE', `/api/keys/${id}`)).body).toEqual(revoked.body);
    const ids = async (query: string) =>
      (await ask('GET', `/api/keys${query}`)).body.keys.map((each: { id: string }) => each.id);
    expect(await ids('')).not.toContain(id);
    expect(await ids('?revoked=true')).toContain(id);
    const { entries } = (await ask('GET', '/api/audit-log')).body;
    const about = entries.filter((entry: { details: { key_id?: string } }) => entry.details.key_id === id);
    expect(about.map((entry: { action: string; actor: string }) => [entry.action, entry.actor])).toEqual([
      ['keys.revoke', 'api-key'],
      ['keys.create', 'api-key'],
    ]);
  });

  it('ends an answer that is still open when it is revoked', async () => {
    const { id, key } = await created({});
    await operations.seed(1);
    // No worker runs it, so its progress stream stays open.
    const replay = (await ask('POST', '/api/dead-letters/replays', { filter: {} })).body;
    const follow = async (by: string) => {
      const answer = await fetch(`${operations.query.url}/api/dead-letters/replays/${replay.id}/progress`, {
        headers: { 'x-api-key': by },
      });
      const reader = answer.body!.getReader();
      await reader.read();
      return reader;
    };
    const [revoked, untouched] = [await follow(key), await follow('the-key')];
    const ended = revoked.read().then(
      () => 'it continued',
      (error: Error) => error.message,
    );
    await ask('DELETE', `/api/keys/${id}`);
    expect(await ended).toBe('terminated');
    await ask('POST', `/api/dead-letters/replays/${replay.id}/cancel`);
    expect(new TextDecoder().decode((await untouched.read()).value)).toContain('cancelled');
    await untouched.cancel();
  });

  it('ends a live tail when it is revoked, which says why', async () => {
    const { id, key } = await created({});
    const answer = await fetch(`${operations.query.url}/api/events/stream`, { headers: { 'x-api-key': key } });
    const text = answer.text();
    await ask('DELETE', `/api/keys/${id}`);
    expect(await text).toMatch(/^event: revoked$/m);
  });

  it('stops when it expires', async () => {
    const { id, key } = await created({ expires_at: IN_AN_HOUR });
    expect((await ask('GET', '/api/dead-letters', undefined, key)).status).toBe(200);
    await operations.pipeline.database.query(
      "UPDATE api_keys SET expires_at = now() + interval '300 ms' WHERE id = $1",
      [id],
    );
    await vi.waitFor(async () => expectError(await ask('GET', '/api/dead-letters', undefined, key), 'unauthorized'), {
      timeout: 180_000,
      interval: 50,
    });
  });

  it('notes when it was used last', async () => {
    const { id, key } = await created({});
    await ask('GET', '/api/dead-letters', undefined, key);
    await vi.waitFor(async () => expect((await rows(id))[0]!['last_used_at']).not.toBeNull(), { timeout: 180_000 });
  });

  it('acts in the audit log under its name and id', async () => {
    const maker = await created({ name: 'ada', scopes: ['admin', 'operate'] });
    const made = await create({ scopes: ['operate'] }, maker.key);
    expect(made.body.created_by).toBe(`ada (${maker.id})`);
  });
});

describe('the list', () => {
  it('has pages, newest first', async () => {
    const made = [await created({}), await created({}), await created({})].map(({ id }) => id).toReversed();
    const first = (await ask('GET', '/api/keys?limit=2')).body;
    expect(first.keys.map(({ id }: { id: string }) => id)).toEqual(made.slice(0, 2));
    const second = (await ask('GET', `/api/keys?limit=1&cursor=${first.next_cursor}`)).body;
    expect(second.keys[0].id).toBe(made[2]);
    expectError(await ask('GET', '/api/keys?cursor=x'), 'invalid_request');
  });
});

describe('no key can give more than it has', () => {
  it.each([
    ['operate', { scopes: ['operate'] }],
    ['ingest', { scopes: ['read', 'ingest'] }],
  ])('another scope: %s', async (scope, wanted) => {
    const { key } = await created({ scopes: ['read', 'admin'] });
    expectError(await create(wanted, key), 'forbidden', new RegExp(`"${scope}"`));
  });

  it('a later end; without one it gives its own', async () => {
    const { key } = await created({ scopes: ['read', 'admin'], expires_at: IN_AN_HOUR });
    expectError(await create({ expires_at: IN_A_DAY }, key), 'forbidden', /longer than itself/);
    expect((await create({}, key)).body.expires_at).toBe(IN_AN_HOUR.replace('Z', '000Z'));
  });

  it('another tenant, all tenants, or limits, when it belongs to one tenant', async () => {
    const { key } = await created({ scopes: ['read', 'admin'], tenant: 'acme' });
    expectError(await create({ tenant: 'rival' }, key), 'tenant_mismatch', /acme/);
    expectError(await create({ tenant: null }, key), 'tenant_mismatch', /acme/);
    expectError(await create({ requests_per_minute: 0 }, key), 'forbidden', /limits/);
    expectError(await create({ events_per_second: 5 }, key), 'forbidden', /limits/);
    expect((await create({}, key)).body.tenant).toBe('acme');
    expect((await create({ tenant: 'acme' }, key)).body.tenant).toBe('acme');
  });

  it('an operator of OPERATOR_KEYS makes none', async () => {
    expectError(await create({}, 'a'), 'forbidden', /"admin"/);
  });
});

it.each([
  [{ name: '' }, /name/],
  [{ name: 'x'.repeat(65) }, /name/],
  [{ name: 'line\nbreak' }, /name/],
  [{ scopes: [] }, /scopes/],
  [{ scopes: ['root'] }, /scopes.0 must be one of ingest, read, operate, admin/],
  [{ scopes: ['read', 'read'] }, /scopes/],
  [{ scopes: 'read' }, /scopes/],
  [{ tenant: '' }, /tenant/],
  [{ tenant: "x' OR 1=1 --" }, /tenant/],
  [{ tenant: 7 }, /tenant/],
  [{ expires_at: 'tomorrow' }, /expires_at/],
  [{ expires_at: '2020-01-01T00:00:00Z' }, /expires_at .* future/],
  [{ requests_per_minute: -1 }, /requests_per_minute/],
  [{ events_per_second: 1.5 }, /events_per_second/],
  [{ id: 'mine' }, /called id/],
  [{ digest: 'mine' }, /called digest/],
])('%j is refused', async (wanted, message) => {
  expectError(await create(wanted), 'invalid_body', message);
});

it('a key that does not exist cannot be revoked', async () => {
  expectError(await ask('DELETE', '/api/keys/0123456789abcdef'), 'not_found');
  expectError(await ask('DELETE', '/api/keys/1'), 'invalid_request');
});
