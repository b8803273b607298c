import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
  await operations.refusePoison();
  await Promise.all([operations.pipeline.startWriter('writer-1'), operations.startMaintenance()]);
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE dead_letters, replays, audit_log, events'));

const ask = (method: string, path: string, body?: unknown) => operations.ask(method, path, body);
const letter = async (id: string) => (await ask('GET', `/api/dead-letters/${id}`)).body;
async function replay(body: object) {
  const { status, body: made } = await ask('POST', '/api/dead-letters/replays', { rate_per_second: 10_000, ...body });
  expect([status, made.outcome]).toEqual([202, null]);
  return operations.replayIn(made.id, 'succeeded');
}
/** Changes the payload of a dead letter. */
async function edit(id: string, change: object): Promise<void> {
  const { payload } = await letter(id);
  expect((await ask('PATCH', `/api/dead-letters/${id}`, { payload: { ...payload, ...change } })).status).toBe(200);
}
/** The dead letter that a replay of this one made. */
const madeOf = async (id: string): Promise<string> => (await letter(id)).replays[0].id;

describe('a replay that has ended says what became of its events', () => {
  it('all are stored', async () => {
    const [id] = await operations.seed(1);
    await edit(id!, { eventType: 'CellChange' });
    expect(await replay({ ids: [id] })).toMatchObject({ outcome: 'all_stored', stored: 1, failed: 0 });
  });

  it('some failed again', async () => {
    const [id] = await operations.seed(2);
    await edit(id!, { eventType: 'CellChange' });
    expect(await replay({ filter: {} })).toMatchObject({ outcome: 'some_failed', stored: 1, failed: 1 });
  });

  it('none is stored: because all failed, or because there was none', async () => {
    await operations.seed(2);
    expect(await replay({ filter: {} })).toMatchObject({ state: 'succeeded', outcome: 'none_stored', failed: 2 });
    expect(await replay({ filter: { reason: 'no_such_reason' } })).toMatchObject({
      outcome: 'none_stored',
      matched: 0,
    });
  });
});

describe('what the client sent', () => {
  it('goes along when a changed payload fails again, as often as it does', async () => {
    const [first] = (await operations.seed(1)) as [string];
    const { payload: sent } = await letter(first);
    await edit(first, { note: 'first try' });
    await replay({ ids: [first] });
    const second = await madeOf(first);
    expect(await letter(second)).toMatchObject({ payload: { note: 'first try' }, original_payload: sent });
    await edit(second, { note: 'second try' });
    await replay({ ids: [second] });
    const third = await letter(await madeOf(second));
    expect(third).toMatchObject({ payload: { note: 'second try' }, original_payload: sent });
    expect(third.replay_chain).toMatchObject([
      { id: first, state: 'replayed', payload_changed: true },
      { id: second, state: 'replayed', payload_changed: true },
    ]);
  });

  it('is found along the chain for dead letters of 0.1.0, which did not have it', async () => {
    const [first] = (await operations.seed(1)) as [string];
    const { payload: sent } = await letter(first);
    await edit(first, { note: 'first try' });
    await replay({ ids: [first] });
    const second = await madeOf(first);
    await operations.pipeline.database.query('UPDATE dead_letters SET original_payload = NULL WHERE id = $1', [second]);
    await edit(second, { note: 'second try' });
    expect((await letter(second)).original_payload).toEqual(sent);
  });

  it('is null where nobody changed it', async () => {
    const [first] = (await operations.seed(1)) as [string];
    await replay({ ids: [first] });
    expect(await letter(await madeOf(first))).toMatchObject({ original_payload: null, replay_chain: [{ id: first }] });
  });
});

describe('a dead letter that is not dead any more', () => {
  it('is told of, with who did it and when, by replays, dry runs and discards', async () => {
    const [dead, discarded, replayed] = (await operations.seed(3)) as [string, string, string];
    await ask('POST', '/api/dead-letters/discards', { ids: [discarded], reason: 'test data' });
    await replay({ ids: [replayed] });
    const nothing = [
      { id: discarded, state: 'discarded', since: (await letter(discarded)).settled_at, by: 'anonymous' },
      { id: replayed, state: 'replayed', since: (await letter(replayed)).settled_at, by: 'anonymous' },
    ];
    const ids = [replayed, discarded, dead];
    for (const [path, body, changed] of [
      ['/api/dead-letters/replays', { ids, dry_run: true }, { matched: 1 }],
      ['/api/dead-letters/discards', { ids, reason: 'x' }, { discarded: 1 }],
      ['/api/dead-letters/replays', { ids: [discarded, replayed] }, { matched: 0 }],
    ] as const) {
      expect((await ask('POST', path, body)).body).toMatchObject({ ...changed, nothing_to_do: nothing });
    }
  });

  it('that a filter discarded is told of by its own discard, not by another', async () => {
    const [one] = (await operations.seed(1, { reason: 'too_complex' })) as [string];
    const [other] = (await operations.seed(1)) as [string];
    await ask('POST', '/api/dead-letters/discards', { filter: { reason: 'too_complex' }, reason: 'x' });
    await operations.pipeline.database.query("UPDATE audit_log SET actor = 'ada'");
    await ask('POST', '/api/dead-letters/discards', { ids: [other], reason: 'x' });
    const { body } = await ask('POST', '/api/dead-letters/discards', { ids: [one, other], reason: 'x' });
    expect(body.nothing_to_do.map(({ by }: { by: string }) => by)).toEqual(['ada', 'anonymous']);
  });
});
