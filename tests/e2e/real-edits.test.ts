import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { post } from '@sluice/testkit/http';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { type Edit, needsRealEdits, readRealEdits, realEditsAreThere } from '@sluice/testkit/real-edits';

describe.skipIf(!realEditsAreThere)('30,000 real edits', needsRealEdits, () => {
  let pipeline: Pipeline;
  let edits: Edit[];
  beforeAll(async () => {
    edits = readRealEdits();
    pipeline = await startPipeline();
    await pipeline.startWriter('writer-1');
  });
  afterAll(() => pipeline.stop());

  async function sendAll(): Promise<number[]> {
    const batches = Array.from({ length: 60 }, (_, at) => edits.slice(at * 500, (at + 1) * 500));
    const statuses: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
          statuses.push((await post(`${pipeline.ingest.url}/api/events`, { events: batch })).status);
        }
      }),
    );
    await pipeline.drained();
    return statuses;
  }

  it('sent as 60 batches by 20 connections are 60 × 202 and 30,000 rows', async () => {
    expect(await sendAll()).toEqual(Array.from({ length: 60 }, () => 202));
    expect(
      await pipeline.database.query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events'),
    ).toEqual([{ events: 30_000, ids: 30_000 }]);
  });

  it('sent again add no rows', async () => {
    expect(await sendAll()).toEqual(Array.from({ length: 60 }, () => 202));
    expect(
      await pipeline.database.query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events'),
    ).toEqual([{ events: 30_000, ids: 30_000 }]);
    await foldAll(pipeline.database);
    const [sessions] = await pipeline.database.query(
      'SELECT sum(event_count)::int AS counted, count(*)::int AS sessions FROM sessions',
    );
    expect(sessions).toEqual({ counted: 30_000, sessions: new Set(edits.map((edit) => edit.sessionId)).size });
  });

  it('are stored as they were sent, property by property', async () => {
    const rows = await pipeline.database.query<Record<string, unknown> & { event_id: string }>(
      'SELECT event_id, event_type, occurred_at, actor, session_id, resource, correlation_id, payload FROM events',
    );
    const byId = new Map(rows.map((row) => [row.event_id, row]));
    for (const { eventId, timestamp, eventType, userName, sessionId, workbookName, correlationId, ...rest } of edits) {
      expect(byId.get(eventId)).toEqual({
        event_id: eventId,
        event_type: eventType,
        occurred_at: new Date(timestamp),
        actor: userName,
        session_id: sessionId,
        resource: workbookName,
        correlation_id: correlationId,
        payload: rest,
      });
    }
  });
});
