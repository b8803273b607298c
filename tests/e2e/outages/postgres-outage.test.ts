import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type OwnServer, ownPostgres } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';

let postgres: OwnServer;
let pipeline: Pipeline;

beforeAll(async () => {
  postgres = await ownPostgres();
  pipeline = await startPipeline({ databaseUrl: postgres.url });
});
afterAll(async () => {
  await pipeline.stop();
  await postgres.remove();
});

async function query(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows as Record<string, unknown>[];
}

it('while Postgres is away ingest answers 202; when it is back everything is stored, once', async () => {
  const { ingest } = pipeline;
  const writer = await pipeline.startWriter('writer-1');
  const send = async (batches: number): Promise<void> => {
    const answers = await Promise.all(
      Array.from({ length: batches }, () => post(`${ingest.url}/api/events`, { events: makeEvents(100) })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: batches }, () => 202));
  };
  await send(10);
  await pipeline.drained();

  // Crashed in the middle of work, as in a failover.
  await Promise.all([send(30), postgres.stop('immediate')]);
  await send(10);
  await expect.poll(async () => (await get(`${writer.url}/ready`)).status, { timeout: 180_000 }).toBe(503);
  expect((await get(`${ingest.url}/ready`)).status).toBe(200);
  expect((await get(`${ingest.url}/health`)).body.status).not.toBe('unhealthy');

  await postgres.start();
  await pipeline.drained();
  expect(await query('SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids FROM events')).toEqual([
    { events: 5_000, ids: 5_000 },
  ]);
  await foldAll({ url: postgres.url, query });
  expect(await query('SELECT sum(event_count)::int AS counted FROM sessions')).toEqual([{ counted: 5_000 }]);
  await expect.poll(async () => (await get(`${writer.url}/ready`)).status, { timeout: 180_000 }).toBe(200);
});

it('a writer that starts while Postgres is away waits for it', async () => {
  await postgres.stop('fast');
  const writer = await pipeline.startWriter('writer-2');
  await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(5, { userName: 'patient' }) });
  await expect
    .poll(() => writer.log().some((line) => line['msg'] === 'database is not ready; retrying'), {
      timeout: 180_000,
    })
    .toBe(true);
  await postgres.start();
  await pipeline.drained();
  expect(await query("SELECT 1 FROM events WHERE actor = 'patient'")).toHaveLength(5);
});
