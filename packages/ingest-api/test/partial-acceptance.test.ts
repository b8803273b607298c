import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

it('only the valid events of a batch are queued, under their own indices', async () => {
  const good = makeEvents(3);
  const { status, body } = await ingest.send({ events: [7, good[0], {}, good[1], null, good[2], [good[0]]] });
  expect(status).toBe(202);
  expect(body).toMatchObject({ accepted: 3, rejected: 4 });
  expect(body.errors.map((each: { index: number }) => each.index)).toEqual([0, 2, 4, 6]);
  const queued = await ingest.queued();
  expect(queued.map(({ index, event }) => [index, event])).toEqual([
    [1, good[0]],
    [3, good[1]],
    [5, good[2]],
  ]);
  expect(new Set(queued.map(({ batchId }) => batchId))).toEqual(new Set([body.batch_id]));
});

it('a batch that fits one entry is queued byte for byte', async () => {
  const text = `{ "note" : "é",\n "events" : [ ${JSON.stringify(makeEvent())} , 1 ] }`;
  expect((await ingest.send(text)).status).toBe(202);
  expect((await ingest.entries()).map(({ body }) => body)).toEqual([text]);
});

it('indices stay right when a batch with bad events is cut into entries', async () => {
  const events = Array.from({ length: 1_000 }, (_, place) =>
    place % 3 === 0 ? makeEvent({ timestamp: 'never' }) : makeEvent({ place }),
  );
  const { body } = await ingest.send({ events });
  expect(body).toMatchObject({ accepted: 666, rejected: 334 });
  const queued = await ingest.queued();
  expect(await ingest.entries()).toHaveLength(2);
  expect(queued).toHaveLength(666);
  for (const { index, event } of queued) expect(event).toEqual(events[index]);
});

it('a batch without one valid event is answered with 422 and every reason, and queues nothing', async () => {
  const answer = await ingest.send({ events: [makeEvent({ eventType: null }), 'text'] });
  expectError(answer, 'no_valid_events');
  expect(answer.body).toMatchObject({
    accepted: 0,
    rejected: 2,
    errors: [
      { index: 0, code: 'missing_field', field: 'eventType' },
      { index: 1, code: 'not_an_object' },
    ],
  });
  expect(answer.body).not.toHaveProperty('durability');
  expect(await ingest.entries()).toEqual([]);
});

it('a batch with an event that names another tenant is answered with 403 and queues nothing', async () => {
  expectError(
    await ingest.send({ events: [makeEvent(), makeEvent({ tenant: 'other' })] }),
    'tenant_mismatch',
    /Event 1 .*default/,
  );
  expect(await ingest.entries()).toEqual([]);
});
