import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { deadLetters } from '../src/dead-letters/rows.ts';
import { cursorAfter } from '../src/http/paging.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

let operations: Operations;
/** Ids in the order of their making: 5 of acme, 4 of globex, 3 old ones of acme. */
let ids: string[];
beforeAll(async () => {
  operations = await startOperations(
    { TRACE_URL_TEMPLATE: 'http://localhost:16686/trace/{trace_id}' },
    { ingest: false },
  );
  const { seed } = operations;
  ids = [
    ...(await seed(5, { tenant: 'acme', traceparent: `00-${TRACE}-b7ad6b7169203331-01`, event: { big: 1 } })),
    ...(await seed(4, {
      tenant: 'globex',
      reason: 'too_complex',
      message: 'Far TOO deep',
      event: { eventType: 'Upload' },
    })),
    ...(await seed(3, { tenant: 'acme', firstFailedAt: '2026-01-31T09:59:59.999Z', event: { note: 'Grüße, ÄRGER' } })),
  ];
});
afterAll(() => operations.stop());

const list = async (query: string): Promise<string[]> => {
  const { status, body } = await operations.ask('GET', `/api/dead-letters${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.dead_letters.map((letter: { id: string }) => letter.id);
};

describe('GET /api/dead-letters', () => {
  it('lists what is dead, newest first', async () => {
    const { body } = await operations.ask('GET', '/api/dead-letters');
    expect(body.dead_letters.map((letter: { id: string }) => letter.id)).toEqual(ids.toReversed());
    expect(body.next_cursor).toBeNull();
    expect(body.dead_letters[0]).toEqual({
      id: ids[11],
      tenant: 'acme',
      event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      event_type: 'Poison',
      source: 'governance-tracker',
      reason: 'invalid_value',
      sqlstate: '22023',
      message: 'poisoned',
      state: 'dead',
      attempts: 1,
      trace_id: null,
      first_failed_at: '2026-01-31T09:59:59.999000Z',
      last_failed_at: '2026-01-31T09:59:59.999000Z',
      replay_id: null,
      replay_of: null,
      replay_result: null,
    });
  });

  it.each([
    ['reason=too_complex', [5, 9]],
    ['event_type=Upload', [5, 9]],
    ['tenant=globex', [5, 9]],
    ['tenant=nobody', [0, 0]],
    ['until=2026-01-31T10:00:00Z', [9, 12]],
    ['until=2026-01-31T09:59:59.999Z', [0, 0]],
    ['since=2026-01-31T09:59:59.999Z&until=2026-01-31T12:00:00%2B02:00', [9, 12]],
    ['since=2026-02-01T00:00:00Z', [0, 9]],
    // Postgres knows no such offsets.
    ['since=2026-02-01T20:00:00%2B20:00', [0, 9]],
    ['until=2026-02-01T09:30:00%2B23:30', [9, 12]],
    ['until=2026-01-30T10:01:00-23:59', [9, 12]],
    ['text=too%20DEEP', [5, 9]],
    ['text=%C3%A4rger', [9, 12]],
    ['text=%25', [0, 0]],
    ['text=poisoned&tenant=acme&until=2026-02-01T00:00:00Z', [9, 12]],
    ['state=all', [0, 12]],
    ['state=replayed', [0, 0]],
    ['replay_id=0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11&state=all', [0, 0]],
  ] as [string, [number, number]][])('filters by %s', async (query, [from, to]) => {
    expect(await list(`?${query}&order=asc`)).toEqual(ids.slice(from, to));
  });

  it.each(['asc', 'desc'])('has pages in the order %s, also when the last page is full', async (order) => {
    const wanted = order === 'asc' ? ids : ids.toReversed();
    for (const limit of [1, 5, 6, 11, 12, 13]) {
      const seen: string[] = [];
      let pages = 0;
      for (let cursor = ''; ; pages += 1) {
        const { body } = await operations.ask('GET', `/api/dead-letters?limit=${limit}&order=${order}${cursor}`);
        seen.push(...body.dead_letters.map((letter: { id: string }) => letter.id));
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
      }
      expect(seen).toEqual(wanted);
      expect(pages + 1).toBe(Math.ceil(12 / limit));
    }
  });

  it.each([
    ['colour=red', /colour/],
    ['limit=0', /limit/],
    ['limit=1001', /limit/],
    ['limit=ten', /limit/],
    ['order=up', /order .*asc, desc/],
    ['state=alive', /state .*dead/],
    ['since=yesterday', /since/],
    ['until=2026-02-30T00:00:00Z', /until/],
    ['cursor=abc', /cursor/],
    [`cursor=${cursorAfter(['5'], deadLetters('asc'))}`, /cursor .*asc/],
    ['replay_id=5', /replay_id/],
    ['text=', /text/],
    ['text=%00', /text/],
    ['reason=a&reason=b', /reason/],
  ])('refuses %s by name', async (query, message) => {
    const { status, body } = await operations.ask('GET', `/api/dead-letters?${query}`);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'invalid_request', message: expect.stringMatching(message) as string });
  });
});

const download = (query = '', headers = {}) =>
  fetch(`${operations.query.url}/api/dead-letters${query}`, {
    headers: { accept: 'application/x-ndjson', ...headers },
  });

describe('as a download', () => {
  it('has all matches with their payloads, a line each', async () => {
    const answer = await download('?order=asc&limit=1');
    expect(answer.headers.get('content-type')).toContain('application/x-ndjson');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="dead-letters.ndjson"');
    const lines = (await answer.text()).trimEnd().split('\n');
    const letters = lines.map((line) => JSON.parse(line) as { id: string; payload: object });
    expect(letters.map(({ id }) => id)).toEqual(ids);
    expect(letters[0]!.payload).toMatchObject({ eventType: 'Poison', big: 1 });
  });

  it('spans many pages, and keeps every digit', async () => {
    const { database } = operations.pipeline;
    const more = await operations.seed(450, { tenant: 'bulk' });
    await database.query(
      `UPDATE dead_letters SET payload = jsonb_set(payload, '{exact}', '12345678901234567890.5') WHERE tenant = 'bulk'`,
    );
    const lines = (await (await download('?tenant=bulk')).text()).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(more.toReversed());
    for (const line of lines) expect(line).toContain('"exact":12345678901234567890.5');
    await database.query("DELETE FROM dead_letters WHERE tenant = 'bulk'");
  });

  it('of nothing is empty', async () => {
    expect(await (await download('?tenant=nobody')).text()).toBe('');
  });

  it('is read only as fast as the client takes it', async () => {
    const { database } = operations.pipeline;
    await operations.seed(400, { tenant: 'slow', event: { filler: 'x'.repeat(100_000) } });
    const answer = await download('?tenant=slow', { 'accept-encoding': 'identity' });
    const reader = answer.body!.getReader();
    let received = Buffer.from((await reader.read()).value ?? []).toString();
    // The client takes nothing more: the daemon reads no further pages from Postgres.
    await vi.waitFor(
      async () => {
        const [row] = await database.query(
          "SELECT max(query_start) < now() - interval '500 ms' AS quiet FROM pg_stat_activity WHERE application_name = 'sluice-query'",
        );
        expect(row).toEqual({ quiet: true });
      },
      { timeout: 180_000, interval: 50 },
    );
    await database.query("DELETE FROM dead_letters WHERE tenant = 'slow'");
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      received += decoder.decode(part.value, { stream: true });
    }
    const lines = received.split('\n').length;
    // More than a chunk of 4 MiB.
    expect(lines).toBeGreaterThan(40);
    expect(lines).toBeLessThan(400);
  });

  it('ends when the client hangs up', async () => {
    const { database } = operations.pipeline;
    await operations.seed(400, { tenant: 'gone', event: { filler: 'x'.repeat(100_000) } });
    const reader = (await download('?tenant=gone')).body!.getReader();
    await reader.read();
    await reader.cancel();
    await database.query("DELETE FROM dead_letters WHERE tenant = 'gone'");
    // The daemon keeps working.
    expect(await list('?limit=1')).toEqual([ids[11]]);
  });
});

describe('GET /api/dead-letters/summary', () => {
  it('groups by reason, type and hour', async () => {
    const { body } = await operations.ask('GET', '/api/dead-letters/summary');
    expect(body.total).toBe(12);
    expect(body.groups).toHaveLength(3);
    expect(body.groups[2]).toEqual({
      reason: 'invalid_value',
      event_type: 'Poison',
      hour: '2026-01-31T09:00:00.000000Z',
      count: 3,
      first_failed_at: '2026-01-31T09:59:59.999000Z',
      last_failed_at: '2026-01-31T09:59:59.999000Z',
    });
    expect(body.groups.map(({ count }: { count: number }) => count).toSorted()).toEqual([3, 4, 5]);
  });

  it('takes the same filters as the list', async () => {
    expect((await operations.ask('GET', '/api/dead-letters/summary?reason=too_complex&text=deep')).body.total).toBe(4);
    const { status, body } = await operations.ask('GET', '/api/dead-letters/summary?limit=5');
    expect([status, body.error.code, body.error.message]).toEqual([
      400,
      'invalid_request',
      expect.stringMatching(/limit/),
    ]);
  });
});

describe('GET /api/dead-letters/{id}', () => {
  it('shows everything that is stored, with a link to the trace', async () => {
    const { body } = await operations.ask('GET', `/api/dead-letters/${ids[0]}`);
    expect(body).toMatchObject({
      id: ids[0],
      payload: { eventType: 'Poison', big: 1 },
      original_payload: null,
      raw: null,
      origin: { index: 0, received_at: '2026-01-31T09:30:00.000Z', client_ip: '192.0.2.7' },
      history: [],
      replays: [],
      trace_id: TRACE,
      trace_url: `http://localhost:16686/trace/${TRACE}`,
      version: expect.stringMatching(/^\d+$/) as string,
    });
    expect((await operations.ask('GET', `/api/dead-letters/${ids[5]}`)).body.trace_url).toBeNull();
  });

  it('shows the bytes of an unreadable entry', async () => {
    const [row] = await operations.pipeline.database.query(
      `INSERT INTO dead_letters (reason, message, raw, stream, entry_id, entry_index)
       VALUES ('malformed_header', 'no', '\\x00ff', 's', '1-1', -1) RETURNING id`,
    );
    const { body } = await operations.ask('GET', `/api/dead-letters/${row!['id']}`);
    expect(body).toMatchObject({ payload: null, raw: 'AP8=', tenant: null, event_id: null });
    await operations.pipeline.database.query('DELETE FROM dead_letters WHERE id = $1', [row!['id']]);
  });

  it.each(['0', '01', '-1', 'abc', '9999999999999999999'])('refuses the id %s', async (id) => {
    const { status, body } = await operations.ask('GET', `/api/dead-letters/${id}`);
    expect([status, body.error.code, body.error.message]).toEqual([
      400,
      'invalid_request',
      expect.stringMatching(/id /),
    ]);
  });

  it('answers 404 for one that does not exist', async () => {
    expect((await operations.ask('GET', '/api/dead-letters/999999999999999999')).status).toBe(404);
  });
});
