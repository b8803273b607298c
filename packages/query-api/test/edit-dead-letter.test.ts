import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type WireEvent, makeEvent } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
let id: string;
let event: WireEvent;
beforeAll(async () => {
  operations = await startOperations({ MAX_EVENT_BYTES: '2000' }, { ingest: false });
});
afterAll(() => operations.stop());
beforeEach(async () => {
  [id] = (await operations.seed(1)) as [string];
  event = (await operations.ask('GET', `/api/dead-letters/${id}`)).body.payload;
});

const patch = (body: unknown) => operations.ask('PATCH', `/api/dead-letters/${id}`, body);

describe('PATCH /api/dead-letters/{id}', () => {
  it('changes the payload and keeps what the client sent, over several changes', async () => {
    const first = await patch({ payload: { ...event, eventType: 'CellChange' }, reason: 'wrong type' });
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      event_type: 'CellChange',
      payload: { eventType: 'CellChange' },
      original_payload: event,
    });
    const second = await patch({ payload: { ...event, eventType: 'RowDelete' } });
    expect(second.body).toMatchObject({ event_type: 'RowDelete', original_payload: event });
  });

  it('keeps the digits of large numbers and replaces what Postgres cannot hold', async () => {
    await patch(`{"payload":${JSON.stringify({ ...event, odd: 'a\0b' }).slice(0, -1)},"big":12345678901234567890123}}`);
    const [row] = await operations.pipeline.database.query(
      "SELECT payload->>'big' AS big, payload->>'odd' AS odd FROM dead_letters WHERE id = $1",
      [id],
    );
    expect(row).toEqual({ big: '12345678901234567890123', odd: 'a\uFFFDb' });
  });

  it.each([
    ['no object', () => [1], 'not_an_object', undefined],
    ['a missing type', () => ({ ...event, eventType: '' }), 'missing_field', 'eventType'],
    ['a wrong type', () => ({ ...event, userName: 7 }), 'invalid_type', 'userName'],
    ['a bad time', () => ({ ...event, timestamp: 'noon' }), 'invalid_timestamp', 'timestamp'],
    ['too many bytes', () => ({ ...event, note: 'x'.repeat(2_000) }), 'event_too_large', undefined],
    [
      'too many bytes with its numbers written out',
      () => ({ ...event, n: Array(7).fill(1e308) }),
      'event_too_large',
      'n',
    ],
  ])('refuses a payload that ingest would not take: %s', async (_, payload, code, field) => {
    const { status, body } = await patch({ payload: payload() });
    expect(status).toBe(422);
    expect(body.error.code).toBe('event_rejected');
    expect(body.errors).toEqual([
      { code, ...(field === undefined ? {} : { field }), message: expect.any(String) as string },
    ]);
    expect((await operations.ask('GET', `/api/dead-letters/${id}`)).body).toMatchObject({
      payload: event,
      original_payload: null,
    });
  });

  it('refuses a number that no float can hold', async () => {
    const { status, body } = await patch(`{"payload":${JSON.stringify(event).slice(0, -1)},"n":1e400}}`);
    expect([status, body.errors?.[0].code]).toEqual([422, 'invalid_number']);
  });

  it('refuses another event id, also a derived one', async () => {
    const other = await patch({ payload: makeEvent() });
    expect([other.status, other.body.error.code]).toEqual([422, 'event_id_changed']);
    const { eventId: _, ...without } = event;
    expect((await patch({ payload: without })).body.error.code).toBe('event_id_changed');
  });

  it('refuses the name of another tenant', async () => {
    const { status, body } = await patch({ payload: { ...event, tenant: 'other' } });
    expect([status, body.error.code]).toEqual([403, 'tenant_mismatch']);
  });

  it('is refused when somebody else changed the dead letter first', async () => {
    const { version } = (await operations.ask('GET', `/api/dead-letters/${id}`)).body;
    expect((await patch({ payload: { ...event, note: 1 }, version })).status).toBe(200);
    const late = await patch({ payload: { ...event, note: 2 }, version });
    expect([late.status, late.body.error.code]).toEqual([409, 'conflict']);
    expect(late.body.error.message).toContain(version);
  });

  it('is refused for one that is not dead, and for an unreadable entry', async () => {
    const { database } = operations.pipeline;
    await database.query("UPDATE dead_letters SET state = 'discarded' WHERE id = $1", [id]);
    expect((await patch({ payload: event })).body.error).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/discarded/) as string,
    });
    const [row] = await database.query<{ id: string }>(
      `INSERT INTO dead_letters (reason, message, raw, stream, entry_id, entry_index)
       VALUES ('malformed_header', 'no', '\\x00', $1, '1-1', -1) RETURNING id`,
      [randomUUID()],
    );
    expect((await operations.ask('PATCH', `/api/dead-letters/${row!.id}`, { payload: event })).status).toBe(409);
  });

  it.each([
    [{}, /payload is missing/],
    [{ payload: {}, colour: 'red' }, /colour/],
    [{ payload: {}, reason: '' }, /reason/],
    [{ payload: {}, reason: 5 }, /reason/],
    [[], /body/],
  ])('refuses the body %j by name', async (body, message) => {
    const answer = await patch(body);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({
      code: 'invalid_body',
      message: expect.stringMatching(message) as string,
    });
  });

  it('is in the audit log', async () => {
    await patch({ payload: { ...event, note: 1 }, reason: 'typing error' });
    const [entry] = (await operations.ask('GET', '/api/audit-log?limit=1')).body.entries;
    expect(entry).toMatchObject({
      actor: 'anonymous',
      action: 'dead_letters.edit',
      affected: 1,
      reason: 'typing error',
      details: { id, event_id: event['eventId'] },
    });
  });
});
