import { expect, it } from 'vitest';
import { startIngest } from '@sluice/testkit/ingest';
import { makeEvents } from '@sluice/testkit/make-event';

const CLIENTS = 200;
const BATCHES = 5;

it('200 clients at once: each event that was accepted is in the stream exactly once', async () => {
  // This test is about where events are, not about how fast Redis answers.
  const ingest = await startIngest({ QUEUE_TIMEOUT_MS: '60000' });
  const sent = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const ids: unknown[] = [];
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const events = makeEvents(1 + ((client + batch) % 20), { client });
        const { status, body } = await ingest.send({ events });
        expect(status).toBe(202);
        expect(body).toMatchObject({ accepted: events.length, rejected: 0, durability: 'fsync' });
        ids.push(...events.map(({ eventId }) => eventId));
      }
      return ids;
    }),
  );
  const queued = await ingest.queued();
  expect(await ingest.entries()).toHaveLength(CLIENTS * BATCHES);
  const ids = queued.map(({ event }) => event['eventId']);
  expect(ids).toHaveLength(sent.flat().length);
  expect(new Set(ids)).toEqual(new Set(sent.flat()));
  await ingest.stop();
});
