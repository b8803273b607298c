import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline();
});
afterAll(() => pipeline.stop());

const HEADER = {
  s: 'governance-tracker',
  t: 'acme',
  i: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
  n: 1,
  r: '2026-01-31T09:30:00.000Z',
};
const deadLetters = () =>
  pipeline.database.query('SELECT reason, entry_id, payload, state FROM dead_letters ORDER BY entry_id');

describe('what cannot be stored becomes a dead letter, and the writer continues:', () => {
  it('garbage, a newer version, a cut body, an unknown source and a value that Postgres refuses', async () => {
    const { redis, stream, ingest } = pipeline;
    const add = (...fields: (string | Buffer)[]) => redis.xadd(stream, '*', ...fields) as Promise<string>;
    const [event] = makeEvents(1);
    const ids = [
      await add('v', '1', 'h', 'garbage', 'b', '{}'),
      await add('v', '3', 'h', JSON.stringify(HEADER), 'b', '{}'),
      await add('v', '1', 'h', JSON.stringify(HEADER), 'z', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01])),
      await add('v', '1', 'h', JSON.stringify({ ...HEADER, s: 'smoke-signals' }), 'b', '{}'),
      await add('v', '1', 'h', JSON.stringify(HEADER), 'b', '{"events":[5]}'),
      await add(
        ...encodeEntry(
          {
            source: 'governance-tracker',
            tenant: 'acme',
            batchId: HEADER.i,
            firstIndex: 0,
            accepted: 1,
            rejected: [],
            clientIp: 'nowhere',
            receivedAt: HEADER.r,
            traceparent: null,
          },
          Buffer.from(JSON.stringify({ events: [event] })),
        ),
      ),
    ];
    await post(`${ingest.url}/api/events`, { events: makeEvents(20) });
    const writer = await pipeline.startWriter('writer-1');
    await pipeline.stored(20);
    await pipeline.drained();
    expect(await deadLetters()).toEqual([
      { reason: 'malformed_header', entry_id: ids[0], payload: null, state: 'dead' },
      { reason: 'unknown_version', entry_id: ids[1], payload: null, state: 'dead' },
      { reason: 'malformed_body', entry_id: ids[2], payload: null, state: 'dead' },
      { reason: 'malformed_header', entry_id: ids[3], payload: null, state: 'dead' },
      { reason: 'malformed_body', entry_id: ids[4], payload: null, state: 'dead' },
      { reason: 'invalid_value', entry_id: ids[5], payload: event, state: 'dead' },
    ]);
    expect((await get(`${writer.url}/health`)).body.details.consumer).toMatchObject({
      dead_letters: 6,
      stored_events: 20,
      stalled: null,
    });
    await writer.stop();
  });
});

describe('an entry that kills its reader', () => {
  // Stands for a defect of the decoder: reading such an entry ends the process.
  const deadly = {
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'fixtures/die-of-marked-entries.ts')}`,
    DELIVERY_LIMIT: '2',
  };

  it('is run alone after too many deliveries, and becomes a dead letter only when it kills again', async () => {
    const { redis, stream, ingest, database } = pipeline;
    await database.query('TRUNCATE dead_letters, events, event_ids, sessions');
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });
    const id = await redis.xadd(
      stream,
      '*',
      'v',
      '1',
      'h',
      JSON.stringify(HEADER),
      'b',
      JSON.stringify({ events: makeEvents(1, { marker: 'deadly entry' }) }),
    );
    await post(`${ingest.url}/api/events`, { events: makeEvents(5) });

    let deaths = 0;
    for (;;) {
      const writer = await pipeline.startWriter('writer-1', deadly).catch((error: Error) => {
        // It may die before it is ready. Any other failure to start is one of the test.
        expect(error.message).toMatch(/^writer-worker ended before it was ready/);
        return null;
      });
      const died =
        writer === null
          ? true
          : await Promise.race([writer.exited.then(() => true), pipeline.drained().then(() => false)]);
      if (!died) {
        await writer?.stop();
        break;
      }
      deaths += 1;
      expect(deaths).toBeLessThan(8);
    }
    // Deliveries 1 and 2 may be anybody's fault, 3 is the trial; the writer after it knows.
    expect(deaths).toBe(3);
    await pipeline.stored(10);
    expect(await deadLetters()).toEqual([{ reason: 'kills_reader', entry_id: id, payload: null, state: 'dead' }]);
    expect(await redis.hlen(`${stream}:trials`)).toBe(0);
  });

  it('is not one that was only delivered often, as after many restarts in an outage', async () => {
    const { redis, stream, ingest, database } = pipeline;
    await database.query('TRUNCATE dead_letters, events, event_ids, sessions');
    for (let batch = 0; batch < 12; batch += 1) await post(`${ingest.url}/api/events`, { events: makeEvents(3) });
    await redis.xreadgroup('GROUP', 'writers', 'writer-1', 'STREAMS', stream, '>');
    for (let restart = 0; restart < 5; restart += 1)
      await redis.xreadgroup('GROUP', 'writers', 'writer-1', 'STREAMS', stream, '0');
    const writer = await pipeline.startWriter('writer-1', deadly);
    await pipeline.stored(36);
    await pipeline.drained();
    expect(await deadLetters()).toEqual([]);
    expect(writer.log().filter((line) => String(line['msg']).includes('it is run alone'))).toHaveLength(12);
    await writer.stop();
  });
});
