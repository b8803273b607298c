import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
  await operations.refusePoison();
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE dead_letters, replays, audit_log, events, sessions'));

const create = (body: object) => operations.ask('POST', '/api/dead-letters/replays', body);

describe('a dry run', () => {
  it('says what would happen by doing it, and changes nothing', async () => {
    const { seed, pipeline } = operations;
    const good = await seed(30, { event: { eventType: 'CellChange' } });
    const bad = await seed(5);
    const [stored] = await seed(1, { event: { eventType: 'CellChange' } });
    await pipeline.database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       SELECT 'default', event_id, 'x', now(), now(), 'governance-tracker', '{}' FROM dead_letters WHERE id = $1`,
      [stored],
    );
    await pipeline.database.query(
      "INSERT INTO dead_letters (reason, message, raw, stream, entry_id, entry_index) VALUES ('malformed_header', 'no', '\\x00', 's', '1-1', -1)",
    );
    const everything = async () =>
      Promise.all(
        ['dead_letters', 'replays', 'audit_log', 'events', 'sessions'].map((table) =>
          pipeline.database.query(`SELECT t::text FROM ${table} t ORDER BY 1`),
        ),
      );
    const before = await everything();
    const { status, body } = await create({ filter: {}, dry_run: true });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toEqual({
      matched: good.length + bad.length + 2,
      tried: good.length + bad.length + 2,
      would_store: good.length,
      would_duplicate: 1,
      would_skip: 1,
      would_fail: bad.map((id) => ({ id, reason: 'invalid_value', message: 'poisoned' })),
      nothing_to_do: [],
    });
    expect(await everything()).toEqual(before);
    expect(await pipeline.redis.xlen(pipeline.stream)).toBe(0);
  });

  it('tries a thousand at most, and says so', async () => {
    await operations.seed(1_050, { event: { eventType: 'CellChange' } });
    expect((await create({ filter: {}, dry_run: true })).body).toMatchObject({
      matched: 1_050,
      tried: 1_000,
      would_store: 1_000,
    });
  });

  it('of nothing finds nothing', async () => {
    expect((await create({ filter: { reason: 'none' }, dry_run: true })).body).toMatchObject({
      matched: 0,
      would_fail: [],
    });
  });
});

describe('POST /api/dead-letters/replays', () => {
  it('answers 202 with the replay and its location, and freezes the upper id', async () => {
    const ids = await operations.seed(3);
    const { status, headers, body } = await create({
      filter: { reason: 'invalid_value' },
      rate_per_second: 7,
      reason: 'fixed',
    });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/dead-letters/replays/${body.id}`);
    expect(body).toMatchObject({
      state: 'queued',
      matched: 3,
      replayed: 0,
      pending: 3,
      rate_per_second: 7,
      requested_by: 'anonymous',
      reason: 'fixed',
      filter: { reason: 'invalid_value' },
      started_at: null,
      finished_at: null,
    });
    const [row] = await operations.pipeline.database.query('SELECT upper_id FROM replays');
    expect(row).toEqual({ upper_id: ids[2] });
    expect((await operations.ask('GET', '/api/audit-log')).body.entries).toMatchObject([
      { action: 'replays.create', affected: 3, reason: 'fixed', details: { replay_id: body.id, rate_per_second: 7 } },
    ]);
  });

  it.each([
    [{}, /either ids or filter/],
    [{ ids: ['1'], filter: {} }, /either ids or filter/],
    [{ filter: {}, rate_per_second: 0 }, /rate_per_second/],
    [{ filter: {}, rate_per_second: 10_001 }, /rate_per_second/],
    [{ filter: {}, rate_per_second: '5' }, /rate_per_second/],
    [{ filter: {}, dry_run: 'yes' }, /dry_run/],
    [{ filter: {}, speed: 1 }, /speed/],
    [{ filter: { colour: 'red' } }, /filter\.colour/],
    [{ filter: [] }, /filter/],
    [{ ids: [1.5] }, /ids\.0/],
    [{ ids: [0] }, /ids\.0/],
    [{ ids: 'all' }, /ids/],
  ])('refuses %j by name', async (body, message) => {
    const answer = await create(body);
    expect([answer.status, answer.body.error.code, answer.body.error.message]).toEqual([
      400,
      'invalid_body',
      expect.stringMatching(message),
    ]);
  });
});

describe('steering', () => {
  it('walks through the states, notes each step, and refuses what a state does not allow', async () => {
    await operations.seed(1);
    const { id } = (await create({ filter: {} })).body;
    const step = async (name: string) => {
      const { status, body } = await operations.ask('POST', `/api/dead-letters/replays/${id}/${name}`);
      return [status, body.state ?? body.error.code];
    };
    expect(await step('resume')).toEqual([409, 'conflict']);
    expect(await step('pause')).toEqual([200, 'paused']);
    expect(await step('pause')).toEqual([409, 'conflict']);
    expect(await step('resume')).toEqual([200, 'queued']);
    expect(await step('cancel')).toEqual([200, 'cancelled']);
    expect(await step('cancel')).toEqual([409, 'conflict']);
    expect(await step('stop')).toEqual([404, 'not_found']);
    const { entries } = (await operations.ask('GET', '/api/audit-log')).body;
    expect(entries.map((entry: { action: string }) => entry.action)).toEqual([
      'replays.cancel',
      'replays.resume',
      'replays.pause',
      'replays.create',
    ]);
    const odd = await operations.ask('POST', `/api/dead-letters/replays/${id}/pause`, { now: true });
    expect([odd.status, odd.body.error.code]).toEqual([400, 'invalid_body']);
  });

  it('lists replays newest first, in pages', async () => {
    const made: string[] = [];
    for (let at = 0; at < 5; at += 1) made.unshift((await create({ filter: {} })).body.id);
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await operations.ask('GET', `/api/dead-letters/replays?limit=2${cursor}`);
      seen.push(...body.replays.map((replay: { id: string }) => replay.id));
      if (body.next_cursor === null) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen).toEqual(made);
    expect((await operations.ask('GET', '/api/dead-letters/replays?cursor=x')).body.error.message).toMatch(/cursor/);
    expect((await operations.ask('GET', '/api/dead-letters/replays/5')).status).toBe(400);
  });
});

describe('GET …/progress', () => {
  it('sends each change as a server-sent event, and ends with the replay', async () => {
    const { seed, startMaintenance, pipeline } = operations;
    await seed(60, { event: { eventType: 'CellChange' } });
    const { id } = (await create({ filter: {}, rate_per_second: 60 })).body;
    const answer = await fetch(`${operations.query.url}/api/dead-letters/replays/${id}/progress`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const daemons = [await pipeline.startWriter('writer-1'), await startMaintenance()];
    const events = (await answer.text())
      .split('\n\n')
      .filter((block) => block.startsWith('event: progress\n'))
      .map((block) => JSON.parse(block.split('\ndata: ')[1]!) as { state: string; replayed: number });
    expect(events[0]).toMatchObject({ state: 'queued', replayed: 0 });
    expect(events.at(-1)).toMatchObject({ state: 'succeeded', replayed: 60 });
    expect(events.map(({ replayed }) => replayed)).toEqual(
      events.map(({ replayed }) => replayed).toSorted((a, b) => a - b),
    );
    await Promise.all(daemons.map((daemon) => daemon.stop()));
  });

  it('of an ended replay is one event; a client that hangs up is noticed', async () => {
    const { id } = (await create({ filter: {} })).body;
    const gone = new AbortController();
    const url = `${operations.query.url}/api/dead-letters/replays/${id}/progress`;
    const open = await fetch(url, { signal: gone.signal });
    await open.body!.getReader().read();
    gone.abort();
    await operations.ask('POST', `/api/dead-letters/replays/${id}/cancel`);
    expect((await (await fetch(url)).text()).match(/^event: progress$/gm)).toHaveLength(1);
  });
});
