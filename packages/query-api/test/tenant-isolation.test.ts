import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { cursorAfter } from '../src/http/paging.ts';
import { KEYS } from '../src/keys/rows.ts';

const ATTACKER = 'attackers-key';
const NO_REPLAY = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';

let operations: Operations;
/** A dead letter of the attacker's tenant, one of the victim's, and one without a tenant. */
let own: string;
let theirs: string;
let nobodys: string;
let theirReplay: string;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      OPERATOR_KEYS: [
        operatorKey('mallory@evil', ATTACKER),
        operatorKey('victor@victim', 'v'),
        operatorKey('olga', 'o'),
      ].join(','),
    },
    { ingest: false },
  );
});
afterAll(() => operations.stop());
beforeEach(async () => {
  const { database } = operations.pipeline;
  await database.query('TRUNCATE dead_letters, replays, audit_log, events, sessions');
  [own] = (await operations.seed(1, { tenant: 'evil' })) as [string];
  [theirs] = (await operations.seed(1, { tenant: 'victim', message: 'secret' })) as [string];
  const [row] = await database.query<{ id: string }>(
    `INSERT INTO dead_letters (reason, message, raw, stream, entry_id, entry_index)
     VALUES ('malformed_header', 'secret', '\\x00', 's', '1-1', -1) RETURNING id`,
  );
  nobodys = row!.id;
  theirReplay = (await operations.ask('POST', '/api/dead-letters/replays', { ids: [theirs] }, 'v')).body.id;
});

const attack = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, ATTACKER);
const snapshot = () =>
  operations.pipeline.database.query('SELECT id, state, payload::text, replay_id FROM dead_letters ORDER BY id');

describe("another tenant's operator", () => {
  it.each(['', '?state=all', '?text=secret', '?order=asc'])('lists only its own: %s', async (query) => {
    const { body } = await attack('GET', `/api/dead-letters${query}`);
    expect(body.dead_letters.map((letter: { id: string }) => letter.id)).toEqual(query.includes('text') ? [] : [own]);
  });

  it('downloads and counts only its own', async () => {
    const answer = await fetch(`${operations.query.url}/api/dead-letters?state=all`, {
      headers: { 'x-api-key': ATTACKER, accept: 'application/x-ndjson' },
    });
    expect((await answer.text()).trimEnd().split('\n')).toHaveLength(1);
    expect((await attack('GET', '/api/dead-letters/summary?state=all')).body.total).toBe(1);
    expect((await attack('GET', '/api/dead-letters/replays')).body.replays).toEqual([]);
    expect((await attack('GET', '/api/audit-log')).body.entries).toEqual([]);
  });

  it('sees no daemons and no writers: why one cannot work may be an event of another tenant', async () => {
    await expect
      .poll(async () => (await operations.ask('GET', '/api/daemons', undefined, 'o')).body.daemons)
      .not.toEqual([]);
    expect((await attack('GET', '/api/daemons')).body).toEqual({ daemons: [] });
    expect((await attack('GET', '/api/queue')).status).toBe(403);
  });

  it('cannot name another tenant', async () => {
    for (const [method, path, body] of [
      ['GET', '/api/dead-letters?tenant=victim', undefined],
      ['GET', '/api/dead-letters/summary?tenant=victim', undefined],
      ['POST', '/api/dead-letters/replays', { filter: { tenant: 'victim' } }],
      ['POST', '/api/dead-letters/replays', { filter: { tenant: 'victim' }, dry_run: true }],
      ['POST', '/api/dead-letters/discards', { filter: { tenant: 'victim' }, reason: 'x' }],
      ['POST', '/export/run?tenant=victim', undefined],
      ['GET', '/export/status?tenant=victim', undefined],
      ['GET', '/export/runs?tenant=victim', undefined],
      ['GET', '/export/config?tenant=victim', undefined],
    ] as const) {
      const answer = await attack(method, path, body);
      expect([answer.status, answer.body.error.code], path).toEqual([403, 'tenant_mismatch']);
    }
  });

  it('gets the same 404 for an id of another tenant as for one that does not exist, and changes nothing', async () => {
    const before = await snapshot();
    for (const id of [theirs, nobodys, '987654321']) {
      for (const [method, path, body] of [
        ['GET', `/api/dead-letters/${id}`, undefined],
        ['PATCH', `/api/dead-letters/${id}`, { payload: { eventType: 'x', timestamp: '2026-01-31T09:30:00Z' } }],
        ['POST', '/api/dead-letters/replays', { ids: [own, id] }],
        ['POST', '/api/dead-letters/replays', { ids: [id], dry_run: true }],
        ['POST', '/api/dead-letters/discards', { ids: [own, id], reason: 'x' }],
      ] as const) {
        const answer = await attack(method, path, body);
        expect([answer.status, answer.body.error.message], `${method} ${path}`).toEqual([
          404,
          `There is no dead letter ${id}.`,
        ]);
      }
    }
    for (const id of [theirReplay, NO_REPLAY]) {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/progress'],
        ['POST', '/pause'],
        ['POST', '/resume'],
        ['POST', '/cancel'],
      ] as const) {
        const answer = await attack(method, `/api/dead-letters/replays/${id}${path}`);
        expect([answer.status, answer.body.error.message], `${method} ${path}`).toEqual([
          404,
          `There is no replay ${id}.`,
        ]);
      }
    }
    expect(await snapshot()).toEqual(before);
    expect((await operations.ask('GET', `/api/dead-letters/replays/${theirReplay}`, undefined, 'v')).body.state).toBe(
      'queued',
    );
  });

  it('reaches only its own with an empty filter: dry run, replay, discard', async () => {
    const tried = await attack('POST', '/api/dead-letters/replays', { filter: {}, dry_run: true });
    expect(tried.body).toMatchObject({ matched: 1, tried: 1, would_store: 1 });
    const replay = await attack('POST', '/api/dead-letters/replays', { filter: {} });
    expect(replay.body).toMatchObject({ matched: 1, requested_by: 'mallory' });
    const [frozen] = await operations.pipeline.database.query('SELECT tenant, upper_id FROM replays WHERE id = $1', [
      replay.body.id,
    ]);
    expect(frozen).toEqual({ tenant: 'evil', upper_id: own });
    expect((await attack('POST', '/api/dead-letters/discards', { filter: {}, reason: 'x' })).body).toMatchObject({
      discarded: 1,
    });
    expect((await operations.ask('GET', `/api/dead-letters/${theirs}`, undefined, 'v')).body.state).toBe('dead');
  });

  it('has its replay take its own dead letters only', async () => {
    const { startMaintenance, replayIn, pipeline } = operations;
    await pipeline.database.query('TRUNCATE replays');
    const { id } = (await attack('POST', '/api/dead-letters/replays', { filter: {} })).body;
    // Even with an upper id beyond everything.
    await pipeline.database.query('UPDATE replays SET upper_id = 1000000000 WHERE id = $1', [id]);
    const daemons = [await startMaintenance(), await pipeline.startWriter('writer-1')];
    await replayIn(id, 'succeeded');
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    expect(await pipeline.database.query('SELECT tenant FROM events')).toEqual([{ tenant: 'evil' }]);
    expect((await snapshot()).map((row) => row['state'])).toEqual(['replayed', 'dead', 'dead']);
  });
});

const makeKey = (wanted: object, key = 'the-key') =>
  operations.ask('POST', '/api/keys', { name: 'key', scopes: ['read', 'admin'], ...wanted }, key);

describe("another tenant's administrator", () => {
  it('sees, makes and revokes keys of its own tenant only', async () => {
    const { key: evil, id: evilId } = (await makeKey({ tenant: 'evil' })).body;
    const theirKey = (await makeKey({ tenant: 'victim' })).body;
    const everybodys = (await makeKey({ tenant: null })).body;
    const list = await operations.ask('GET', '/api/keys?revoked=true', undefined, evil);
    expect(list.body.keys.map(({ id }: { id: string }) => id)).toEqual([evilId]);
    for (const { id } of [theirKey, everybodys, { id: '0123456789abcdef' }]) {
      const answer = await operations.ask('DELETE', `/api/keys/${id}`, undefined, evil);
      expect([answer.status, answer.body.error.message]).toEqual([404, `There is no key ${id}.`]);
      expect(
        (
          await operations.ask(
            'GET',
            `/api/keys?cursor=${cursorAfter(['9999-01-01T00:00:00.000000Z', id], KEYS)}`,
            undefined,
            evil,
          )
        ).body.keys,
      ).not.toContainEqual(expect.objectContaining({ id }));
    }
    for (const tenant of ['victim', 'default', null]) {
      expect((await makeKey({ tenant }, evil)).body.error.code).toBe('tenant_mismatch');
    }
    for (const { key } of [theirKey, everybodys]) {
      expect((await operations.ask('GET', '/api/keys', undefined, key)).status).toBe(200);
    }
    const letters = await operations.ask('GET', '/api/dead-letters', undefined, evil);
    expect(letters.body.dead_letters.map((letter: { id: string }) => letter.id)).toEqual([own]);
    expect((await operations.ask('DELETE', `/api/keys/${evilId}`, undefined, evil)).status).toBe(200);
  });
});

/** The parts of the documentation of a path that this test reads. */
interface Documented {
  readonly get?: { readonly security?: unknown; readonly parameters?: readonly { name: string; in: string }[] };
}

describe('events, statistics and sessions', () => {
  const ids: Record<string, string> = {
    evil: '11111111-0000-4000-8000-000000000000',
    victim: '22222222-0000-4000-8000-000000000000',
  };
  beforeEach(async () => {
    for (const [tenant, id] of Object.entries(ids)) {
      await operations.pipeline.database.query(
        `WITH event AS (
           INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id,
                               resource, source, payload)
           SELECT t.tenant, $2::uuid, 'A', now(), now(), 'who', 'same session', 'c', 'w', 'governance-tracker',
                  jsonb_build_object('secret', t.tenant)
           FROM (VALUES ($1::text)) t (tenant) RETURNING *
         )
         INSERT INTO sessions (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
         SELECT tenant, session_id, actor, occurred_at, occurred_at, stored_at, 1 FROM event`,
        [tenant, id],
      );
    }
    await operations.pipeline.database.query(
      `INSERT INTO sessions SELECT 'victim', 'theirs', actor, started_at, last_event_at, last_seen_at, 1
       FROM sessions WHERE tenant = 'victim'`,
    );
  });
  const filters: object[] = [
    {},
    { event_types: ['A', 'B'] },
    { user_names: ['who'] },
    { user_names: ['who', 'nobody'], session_ids: ['same session', 'theirs'] },
    { session_ids: ['same session'] },
    { workbook_names: ['w'] },
    { correlation_id: 'c' },
    { start_time: '2020-01-01T00:00:00Z', order: 'asc' },
    { payload: { secret: 'victim' } },
  ];

  it.each(filters)('a query finds its own only: %j', async (filter) => {
    const { body } = await attack('POST', '/api/events/query', { ...filter, include_total: 'exact' });
    const expected = 'payload' in filter ? [] : [ids['evil']];
    expect([body.events.map((event: { eventId: string }) => event.eventId), body.total]).toEqual([
      expected,
      expected.length,
    ]);
    const download = await fetch(`${operations.query.url}/api/events/query`, {
      method: 'POST',
      headers: { 'x-api-key': ATTACKER, accept: 'application/x-ndjson', 'content-type': 'application/json' },
      body: JSON.stringify(filter),
    });
    expect(await download.text()).not.toContain('victim');
  });

  it("no other tenant can be named, and another's cursor, event or session is of no use", async () => {
    for (const [method, path, body] of [
      ['POST', '/api/events/query', { tenant: 'victim' }],
      ['GET', '/api/events/statistics?tenant=victim', undefined],
      ['GET', '/api/events/recent?tenant=victim', undefined],
      ['GET', '/events/recent?tenant=victim', undefined],
      ['GET', `/api/events/${ids['victim']}?tenant=victim`, undefined],
      ['GET', '/api/events/stream?tenant=victim', undefined],
      ['GET', '/api/sessions?tenant=victim', undefined],
      ['GET', '/api/sessions/theirs?tenant=victim', undefined],
    ] as const) {
      const answer = await attack(method, path, body);
      expect([answer.status, answer.body.error.code], path).toEqual([403, 'tenant_mismatch']);
    }
    expect((await attack('GET', `/api/events/${ids['victim']}`)).status).toBe(404);
    expect((await attack('GET', '/api/sessions/theirs')).status).toBe(404);
    await operations.pipeline.database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       VALUES ('victim', gen_random_uuid(), 'A', now(), now(), 'governance-tracker', '{}')`,
    );
    const { next_cursor: cursor } = (await operations.ask('POST', '/api/events/query', { limit: 1 }, 'v')).body;
    expect(cursor).not.toBeNull();
    expect((await attack('POST', '/api/events/query', { limit: 1, cursor })).status).toBe(400);
  });

  it('counts, newest events and sessions are its own', async () => {
    const one = { total_events: 1, events_by_type: { A: 1 }, unique_users: 1, unique_sessions: 1, unique_workbooks: 1 };
    for (const more of ['', '?interval=hour', '?distinct=approximate', '?start_time=2020-01-01T00:00:00Z']) {
      expect((await attack('GET', `/api/events/statistics${more}`)).body).toMatchObject(one);
    }
    const recent = (await attack('GET', '/events/recent')).body.events;
    expect(recent.map((event: { secret: string }) => event.secret)).toEqual(['evil']);
    for (const more of ['', '?user_name=who', '?state=open', '?order=asc']) {
      const { sessions } = (await attack('GET', `/api/sessions${more}`)).body;
      expect(sessions.map((each: { session_id: string }) => each.session_id)).toEqual(['same session']);
    }
    const { events } = (await attack('GET', '/api/sessions/same%20session')).body;
    expect(events.map((event: { secret: string }) => event.secret)).toEqual(['evil']);
  });

  it('no documented GET shows another tenant, whatever its path holds, nor when that tenant is named', async () => {
    const { paths } = (await operations.ask('GET', '/docs/json')).body as { paths: Record<string, Documented> };
    const reads = Object.entries(paths).flatMap(([path, { get }]) =>
      get?.security === undefined ? [] : { path, get },
    );
    expect(reads.length).toBeGreaterThan(20);
    for (const { path, get } of reads) {
      const filled = path
        .replace('{event_id}', ids['victim']!)
        .replace('{session_id}', 'theirs')
        .replace('{tenant}', 'victim')
        .replace('{name}', 'fold-rollups')
        .replace('{id}', path.includes('replays') ? theirReplay : path.includes('dead') ? theirs : NO_REPLAY);
      // It would never end.
      if (!path.endsWith('/stream'))
        expect(JSON.stringify((await attack('GET', filled)).body), path).not.toMatch(/victim/);
      if (get.parameters?.some(({ name, in: where }) => name === 'tenant' && where === 'query') !== true) continue;
      const named = await attack('GET', `${filled}?tenant=victim`);
      expect([named.status, named.body.error.code], path).toEqual([403, 'tenant_mismatch']);
    }
  });

  it('a key of no tenant reads `default`, or the one that it names', async () => {
    expect((await operations.ask('POST', '/api/events/query', {}, 'o')).body.events).toEqual([]);
    const { body } = await operations.ask('POST', '/api/events/query', { tenant: 'victim' }, 'o');
    expect(body.events.map((event: { eventId: string }) => event.eventId)).toEqual([ids['victim']]);
  });
});

describe('an operator of all tenants', () => {
  it.each(['o', 'the-key'])('sees everything, and may choose a tenant: key %s', async (key) => {
    const all = await operations.ask('GET', '/api/dead-letters', undefined, key);
    expect(all.body.dead_letters).toHaveLength(3);
    const some = await operations.ask('GET', '/api/dead-letters?tenant=victim', undefined, key);
    expect(some.body.dead_letters.map((letter: { id: string }) => letter.id)).toEqual([theirs]);
    expect((await operations.ask('GET', '/api/audit-log', undefined, key)).body.entries[0]).toMatchObject({
      actor: 'victor',
      tenant: 'victim',
      action: 'replays.create',
    });
  });
});

describe('without a known key', () => {
  it.each([undefined, 'wrong', '', operatorKey('x', ATTACKER).slice(2)])('nothing is answered: %s', async (key) => {
    for (const [method, path] of [
      ['GET', '/api/dead-letters'],
      ['GET', '/api/dead-letters/summary'],
      ['GET', `/api/dead-letters/${own}`],
      ['PATCH', `/api/dead-letters/${own}`],
      ['POST', '/api/dead-letters/replays'],
      ['GET', '/api/dead-letters/replays'],
      ['GET', `/api/dead-letters/replays/${theirReplay}`],
      ['GET', `/api/dead-letters/replays/${theirReplay}/progress`],
      ['POST', `/api/dead-letters/replays/${theirReplay}/cancel`],
      ['POST', '/api/dead-letters/discards'],
      ['GET', '/api/queue'],
      ['GET', '/api/queue/stalled'],
      ['POST', '/api/queue/set-aside'],
      ['GET', '/api/audit-log'],
      ['POST', '/api/events/query'],
      ['GET', '/api/events/statistics'],
      ['GET', '/api/events/recent'],
      ['GET', '/events/recent'],
      ['GET', '/api/events/stream'],
      ['GET', `/api/events/${NO_REPLAY}`],
      ['GET', '/api/sessions'],
      ['GET', '/api/sessions/1'],
      ['POST', '/export/run'],
      ['GET', '/export/status'],
      ['GET', '/export/runs'],
      ['GET', `/export/runs/${NO_REPLAY}`],
      ['POST', `/export/runs/${NO_REPLAY}/verify`],
      ['GET', '/export/config'],
      ['PUT', '/export/config'],
      ['DELETE', '/export/config'],
      ['POST', '/export/config/test'],
      ['GET', '/api/jobs'],
      ['GET', '/api/jobs/runs'],
      ['GET', '/api/jobs/rotate-segments/runs'],
      ['POST', '/api/jobs/rotate-segments/runs'],
      ['GET', `/api/jobs/runs/${NO_REPLAY}`],
      ['POST', `/api/jobs/runs/${NO_REPLAY}/cancel`],
      ['GET', '/api/keys'],
      ['POST', '/api/keys'],
      ['DELETE', '/api/keys/0123456789abcdef'],
    ] as const) {
      const answer = await operations.ask(method, path, undefined, key);
      expect([answer.status, answer.body.error.code], `${method} ${path}`).toEqual([401, 'unauthorized']);
    }
  });

  it('a bearer token is a key too, and health needs none', async () => {
    const { url } = operations.query;
    const headers = { authorization: `Bearer ${ATTACKER}` };
    expect((await fetch(`${url}/api/dead-letters`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
