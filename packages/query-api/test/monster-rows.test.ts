import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

/** A payload of 12 KB in Postgres that is 13 MB as text: `1e308` is written out with 309 digits. */
const MONSTER = "jsonb_build_object('n', to_jsonb(array_fill(1e308::numeric, ARRAY[43000])))";
const MARK = { _truncated: true, _bytes: expect.any(Number) as number };
const MONSTERS = 40;

let operations: Operations;
let letters: string[];
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key' }, { ingest: false });
  const { database } = operations.pipeline;
  await database.query(`
    INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, session_id, source, payload)
    SELECT 'default', gen_random_uuid(), 'BIGNUM', now() - n * interval '1 s', now(), 'big', 'governance-tracker', ${MONSTER}
    FROM generate_series(1, ${MONSTERS}) AS n`);
  await database.query(`
    INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, session_id, source, payload)
    VALUES ('default', gen_random_uuid(), 'Small', now() - interval '1 h', now(), 'big', 'governance-tracker', '{"x":1}')`);
  await database.query(`
    INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count)
    VALUES ('default', 'big', now() - interval '2 h', now(), now(), ${MONSTERS + 1})`);
  letters = await operations.seed(3);
  await database.query(`UPDATE dead_letters SET payload = payload || ${MONSTER}, original_payload = ${MONSTER}
                        WHERE id = ${letters[1]}`);
});
afterAll(() => operations.stop());

const ask = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, 'the-key');
const download = async (method: string, path: string): Promise<Record<string, unknown>[]> => {
  const response = await fetch(`${operations.query.url}${path}`, {
    method,
    headers: { 'x-api-key': 'the-key', accept: 'application/x-ndjson', 'content-type': 'application/json' },
    body: method === 'POST' ? '{}' : null,
  });
  expect(response.status).toBe(200);
  const lines = (await response.text()).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
};

describe('an event that is far larger when read than when sent', () => {
  it.each(['/api/events/recent', '/events/recent', '/api/events/recent?by=stored', '/api/sessions/big'])(
    'is a mark in %s, and the others are whole',
    async (path) => {
      const { status, body } = await ask('GET', path);
      expect(status).toBe(200);
      expect(body.events).toHaveLength(MONSTERS + 1);
      const big = body.events.filter(({ eventType }: { eventType: string }) => eventType === 'BIGNUM');
      expect(big).toHaveLength(MONSTERS);
      for (const event of big) expect(event).toMatchObject(MARK);
      expect(big[0]['_bytes']).toBeGreaterThan(400_000);
      expect(body.events.find(({ eventType }: { eventType: string }) => eventType === 'Small')).toMatchObject({ x: 1 });
    },
  );

  it('is a mark on a page, and by its id', async () => {
    const { status, body } = await ask('POST', '/api/events/query', { event_types: ['BIGNUM'], limit: 1_000 });
    expect([status, body.events.length, body.next_cursor]).toEqual([200, MONSTERS, null]);
    const one = await ask('GET', `/api/events/${body.events[0].eventId}`);
    expect(one).toMatchObject({ status: 200, body: { eventId: body.events[0].eventId, ...MARK } });
  });

  it('is a mark in a download, which ends', async () => {
    const lines = await download('POST', '/api/events/query');
    expect(lines).toHaveLength(MONSTERS + 1);
    expect(lines.filter((line) => line['_truncated'] === true)).toHaveLength(MONSTERS);
  });
});

describe('such a dead letter', () => {
  it('is shown with the mark, in place of each payload that is too long', async () => {
    const { status, body } = await ask('GET', `/api/dead-letters/${letters[1]}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ payload: MARK, original_payload: MARK });
  });

  it('is a mark in a download, and the others are whole', async () => {
    const lines = await download('GET', '/api/dead-letters?order=asc');
    expect(lines.map(({ id }) => id)).toEqual(letters);
    expect(lines[1]).toMatchObject({ payload: MARK });
    expect(lines[2]).toMatchObject({ payload: { eventType: 'Poison' } });
  });

  it('shortens a message that quotes it', async () => {
    await operations.pipeline.database.query(`UPDATE dead_letters SET message = repeat('é', 300000) WHERE id = $1`, [
      letters[0],
    ]);
    const listed = await ask('GET', '/api/dead-letters?order=asc');
    expect(listed.body.dead_letters[0].message).toBe(`${'é'.repeat(2_000)}…`);
    expect((await ask('GET', `/api/dead-letters/${letters[0]}`)).body.message).toHaveLength(300_000);
  });
});

describe('rows that are large but not too long', () => {
  const BIG = 90;
  beforeAll(async () => {
    // 90 of 250 KB, which no compression makes smaller.
    await operations.pipeline.database.query(`
      INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
      SELECT 'default', gen_random_uuid(), 'Big', now(), now(), 'governance-tracker',
             jsonb_build_object('n', n, 'text', (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 7800) AS i))
      FROM generate_series(1, ${BIG}) AS n`);
  });

  it.each(['asc', 'desc'])('make pages of at most 8 MiB, whose cursors lead through all of them: %s', async (order) => {
    const seen: number[] = [];
    let pages = 0;
    for (let cursor: string | undefined; ; pages += 1) {
      const query = { event_types: ['Big'], order, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) };
      const { status, body } = await ask('POST', '/api/events/query', query);
      expect(status).toBe(200);
      expect(JSON.stringify(body).length).toBeLessThan(8.1 * 1024 * 1024);
      seen.push(...body.events.map(({ n }: { n: number }) => n));
      if (body.next_cursor === null) break;
      cursor = body.next_cursor;
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: BIG }, (_, at) => at + 1));
    expect(pages).toBeGreaterThan(1);
  });

  it('are all in a download', async () => {
    const lines = await download('POST', '/api/events/query');
    expect(lines.filter(({ eventType }) => eventType === 'Big')).toHaveLength(BIG);
  });

  it('a list of actions that name thousands of dead letters has short pages, too', async () => {
    await operations.pipeline.database.query(`
      INSERT INTO audit_log (actor, action, affected, details)
      SELECT 'ada', 'dead_letters.discard', 0,
             jsonb_build_object('ids', (SELECT jsonb_agg((1e17 + i)::bigint::text) FROM generate_series(1, 10000) AS i))
      FROM generate_series(1, 60)`);
    let entries = 0;
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await ask('GET', `/api/audit-log?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(JSON.stringify(body).length).toBeLessThan(5 * 1024 * 1024);
      entries += body.entries.length;
      cursor = body.next_cursor;
    }
    expect(entries).toBe(60);
  });
});
