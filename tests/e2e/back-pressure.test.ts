import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

const CLIENTS = 20;
const BATCHES_EACH = 8;
const MIB = 1024 * 1024;

let pipeline: Pipeline;
beforeAll(async () => {
  // One wave of all clients fits; several do not.
  pipeline = await startPipeline({ env: { QUEUE_MAX_BYTES: String(4 * MIB) } });
});
afterAll(() => pipeline.stop());

it('clients that obey Retry-After need at most one retry, and everything is stored once', async () => {
  const { ingest, database } = pipeline;
  /** Refusals of each batch until it was accepted. */
  const refusals: number[] = [];
  const writer = await pipeline.startWriter('writer-1');
  // zstd cannot compress it below 75 KB: 150 KB of random hex. Made beforehand: making them takes longer than storing.
  const bodies = Array.from({ length: CLIENTS * BATCHES_EACH }, () => ({
    events: [makeEvent({ newValue: randomBytes(75_000).toString('hex') })],
  }));

  // However slow the machine is: the writer stores nothing before the queue is full.
  process.kill(writer.pid, 'SIGSTOP');
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (const body of bodies.slice(client * BATCHES_EACH, (client + 1) * BATCHES_EACH)) {
        for (let refused = 0; ; refused += 1) {
          const answer = await post(`${ingest.url}/api/events`, body);
          if (answer.status === 202) {
            refusals.push(refused);
            break;
          }
          expect(answer).toMatchObject({ status: 429, body: { error: { code: 'queue_full' } } });
          process.kill(writer.pid, 'SIGCONT');
          await delay(Number(answer.headers.get('retry-after')) * 1_000);
        }
      }
    }),
  );
  await pipeline.drained();
  expect(
    await database.query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events'),
  ).toEqual([{ events: CLIENTS * BATCHES_EACH, ids: CLIENTS * BATCHES_EACH }]);
  expect(refusals.some((refused) => refused > 0)).toBe(true);
  expect(Math.max(...refusals)).toBeLessThanOrEqual(1);
});
