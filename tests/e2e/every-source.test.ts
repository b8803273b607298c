import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Door } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import type { JsonObject } from '@sluice/events/adapters/event-adapter';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { batchDigest, batchIdFromKey } from '@sluice/events/event-id';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { seededRandom } from '@sluice/testkit/random';
import type { Specimen } from '@sluice/testkit/specimens/specimen';
import { SPECIMENS } from '@sluice/testkit/specimens/specimens';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.startWriter('writer-1');
});
afterAll(() => pipeline.stop());

const LIMITS = { receivedAt: Date.now(), maxEvents: 1_000, maxEventBytes: 256 * 1024 };

/** Events of one request. Where a body can hold several: more than an entry holds, one of them rejected. */
function batchesOf({ adapter, event, rejected }: Specimen): { event: string; isRejected: boolean }[][] {
  const random = seededRandom(17);
  const valid = () => ({ event: event(random), isRejected: false });
  if (adapter.holds === 'one') return Array.from({ length: 30 }, () => [valid()]);
  const bad = rejected.map((each) => ({ event: each.event, isRejected: true }));
  return [[valid()], [...Array.from({ length: 300 }, valid), ...bad, ...Array.from({ length: 300 }, valid)]];
}

async function send(door: Door, { body, headers, query }: DoorRequest, idempotencyKey: string): Promise<number> {
  const parameters = new URLSearchParams(query as Record<string, string>).toString();
  const answer = await fetch(`${pipeline.ingest.url}${door.path}${parameters === '' ? '' : `?${parameters}`}`, {
    method: door.method,
    headers: {
      ...(headers as Record<string, string>),
      'idempotency-key': idempotencyKey,
      ...(door.method === 'POST' ? { 'content-type': door.mediaTypes[0]! } : {}),
    },
    ...(door.method === 'POST' ? { body } : {}),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** What a read must return for an event, under its id. */
function wanted({ adapter, givenBack }: Specimen, json: string, batchId: string, index: number): [string, unknown] {
  const event = replaceUnstorableText(parseKeepingDigits(json)) as JsonObject;
  const origin = { tenant: 'default', batchId, index, receivedAt: '', clientIp: null, traceId: null };
  const { eventId } = adapter.project(event, origin);
  return [eventId, JSON.parse(JSON.stringify(givenBack(event, eventId)))];
}

const DOORS = SPECIMENS.flatMap((specimen) =>
  specimen.doors.map((each) => [`${each.door.method} ${each.door.path}`, specimen, each] as const),
);

describe.each(DOORS)('%s', (name, specimen, { door, request }) => {
  it('every accepted event is in Postgres once, under its id, and comes back as it was sent', async () => {
    const expected = new Map<string, unknown>();
    for (const [number, batch] of batchesOf(specimen).entries()) {
      const asked = request(
        batch.map(({ event }) => event),
        null,
      );
      if (asked === null) continue;
      const key = `${name.replace(/\W/g, '-')}-${number}`;
      expect(await send(door, asked, key)).toBeLessThan(300);
      const { body, envelope } = door.read(asked, LIMITS);
      const digest = batchDigest(body, envelope);
      const batchId = batchIdFromKey({ tenant: 'default', route: `${door.method} ${door.path}`, key, digest });
      for (const [index, { event, isRejected }] of batch.entries()) {
        if (!isRejected) expected.set(...wanted(specimen, event, batchId, index));
      }
    }
    expect(expected.size).toBeGreaterThan(specimen.adapter.holds === 'one' ? 3 : 600);
    await pipeline.drained();
    const rows = await pipeline.database.query<StoredEvent & { source: string }>(
      `SELECT event_id::text, event_type, actor, session_id, correlation_id, resource, source, payload::text,
         to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred_at
       FROM events WHERE source = $1 AND event_id = ANY($2)`,
      [specimen.adapter.source, [...expected.keys()]],
    );
    expect(rows).toHaveLength(expected.size);
    for (const row of rows) {
      expect(JSON.parse(JSON.stringify(toWire(row))), row.event_id).toEqual(expected.get(row.event_id));
    }
  });
});

it('nothing else was stored, and nothing became a dead letter', async () => {
  const [count] = await pipeline.database.query<{ dead: string; sources: string[] }>(
    'SELECT (SELECT count(*) FROM dead_letters) AS dead, (SELECT array_agg(DISTINCT source ORDER BY source) FROM events) AS sources',
  );
  expect(count).toEqual({ dead: '0', sources: SPECIMENS.map(({ adapter }) => adapter.source).toSorted() });
});
