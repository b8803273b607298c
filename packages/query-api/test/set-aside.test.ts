import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

const PATIENCE = { timeout: 180_000 };

let operations: Operations;
let writer: TestDaemon;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key', OPERATOR_KEYS: operatorKey('ada@acme', 'a') });
  const { database } = operations.pipeline;
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Closed' THEN RAISE EXCEPTION 'period is closed' USING ERRCODE = '23514'; END IF;
      RETURN NEW;
    END $$`);
  await database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
  writer = await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());

const ask = (method: string, path: string, body?: unknown) => operations.ask(method, path, body, 'the-key');
const stalled = async () => (await ask('GET', '/api/queue/stalled')).body.stalled;
const send = (count: number, eventType: string) =>
  post(`${operations.pipeline.ingest.url}/api/events`, { events: makeEvents(count, { eventType }) });

it('an operator sets aside what stalls the writer: dead letters with the note, an audit entry, and the rest is stored', async () => {
  expectError(await ask('POST', '/api/queue/set-aside', { reason: 'nothing is stalled' }), 'conflict');
  await send(2, 'Closed');
  await expect
    .poll(stalled, PATIENCE)
    .toMatchObject([{ shard: 0, code: '23514', message: 'period is closed', consumer: 'writer-1' }]);
  const [{ id }] = await stalled();
  expect((await get(`${writer.url}/ready`)).status).toBe(503);
  await send(3, 'Open');

  expectError(await ask('POST', '/api/queue/set-aside', { ids: ['1-1', id], reason: 'x' }), 'conflict', /1-1/);
  expectError(await ask('POST', '/api/queue/set-aside', {}), 'invalid_body', /note/);
  expectError(await operations.ask('POST', '/api/queue/set-aside', { reason: 'x' }, 'a'), 'forbidden', /one tenant/);
  expectError(await operations.ask('GET', '/api/queue/stalled', undefined, 'a'), 'forbidden', /one tenant/);
  const answer = await ask('POST', '/api/queue/set-aside', { ids: [id], reason: 'May is closed' });
  expect(answer).toMatchObject({ status: 202, body: { set_aside: [{ shard: 0, id }] } });

  const { pipeline } = operations;
  await pipeline.drained();
  expect(await pipeline.database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 3 }]);
  const { dead_letters: letters } = (await ask('GET', '/api/dead-letters?reason=set_aside')).body;
  expect(letters).toHaveLength(2);
  expect(letters[0]).toMatchObject({ message: 'May is closed', sqlstate: '23514', event_type: 'Closed' });
  const { entries: log } = (await ask('GET', '/api/audit-log')).body;
  expect(log).toMatchObject([
    { action: 'queue.set_aside', affected: 1, reason: 'May is closed', details: { entries: [{ id }] } },
  ]);
  expect((await get(`${writer.url}/ready`)).status).toBe(200);
  expect(await stalled()).toEqual([]);
  await expect
    .poll(() => pipeline.redis.exists(`${pipeline.stream}:stalled`, `${pipeline.stream}:set-aside`), PATIENCE)
    .toBe(0);
});

it('an entry that is stored before the writer learns that it was set aside is stored, and no dead letter', async () => {
  const { pipeline } = operations;
  const before = await pipeline.database.query('SELECT count(*)::int AS dead FROM dead_letters');
  await send(2, 'Closed');
  await expect.poll(async () => (await stalled()).length, PATIENCE).toBe(1);
  const [{ id }] = await stalled();
  await pipeline.database.query('DROP TRIGGER refuse ON events');
  await pipeline.drained();
  expect(await stalled()).toEqual([]);
  expectError(await ask('POST', '/api/queue/set-aside', { ids: [id], reason: 'too late' }), 'conflict', new RegExp(id));
  expect(await pipeline.database.query('SELECT count(*)::int AS dead FROM dead_letters')).toEqual(before);
  expect(await pipeline.database.query('SELECT count(*)::int AS events FROM events')).toEqual([{ events: 5 }]);
});
