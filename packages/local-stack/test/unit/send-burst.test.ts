import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { batchEvents } from '../../src/batch-events.ts';
import { generateEvents } from '../../src/generate-events.ts';
import { createBatchSender } from '../../src/post-batch.ts';
import { sendBurst } from '../../src/send-burst.ts';

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: object;
  /** Ends the connection without an answer. */
  hangUp?: boolean;
}

/** An ingest API that gives these answers one after the other, then 202 to everything. */
async function ingestThatAnswers(...answers: Answer[]) {
  const received: { ids: string[]; key: string | undefined; type: string | undefined }[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { events } = (await json(request)) as { events: { eventId: string }[] };
    const { 'x-api-key': key, 'content-type': type } = request.headers;
    received.push({ ids: events.map(({ eventId }) => eventId), key: key as string | undefined, type });
    const { status, headers = {}, body = {}, hangUp } = answers.shift() ?? { status: 202 };
    if (hangUp) response.destroy();
    else response.writeHead(status, headers).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, received };
}

async function burst(
  ingestUrl: string,
  { events = 30, size = 10, connections = 1, signal = new AbortController().signal } = {},
) {
  const sender = createBatchSender({ ingestUrl, connections, apiKey: 'secret' });
  onTestFinished(() => sender.close());
  const acked: string[] = [];
  const batches = batchEvents(generateEvents(events), size);
  const result = await sendBurst({ batches, sender, connections, signal, onAcked: (ids) => acked.push(...ids) });
  return { ...result, acked };
}

test('sends every event once, the last batch smaller, with the API key', async () => {
  const { url, received } = await ingestThatAnswers();
  const result = await burst(url, { events: 25, connections: 4 });
  const ids = received.flatMap((batch) => batch.ids);
  expect(received.map((batch) => batch.ids.length).toSorted((a, b) => b - a)).toEqual([10, 10, 5]);
  expect(new Set(ids).size).toBe(25);
  expect(result.acked.toSorted()).toEqual(ids.toSorted());
  expect(received[0]).toMatchObject({ key: 'secret', type: 'application/json' });
  expect(result).toMatchObject({ sent: 25, accepted: 25, rejected: 0, batches: 3, answers: { 202: 3 } });
  expect(result.latenciesMs).toHaveLength(3);
});

test.for([429, 503])('sends a batch again after the Retry-After of a %i', async (status) => {
  const { url, received } = await ingestThatAnswers({ status, headers: { 'Retry-After': '1' } });
  const result = await burst(url);
  expect(received[1]?.ids).toEqual(received[0]?.ids);
  expect(result).toMatchObject({ sent: 30, accepted: 30, answers: { [status]: 1, 202: 3 } });
  expect(result.endedAt - result.startedAt).toBeGreaterThanOrEqual(990);
});

test('sends a batch again when the connection is lost', async () => {
  const { url } = await ingestThatAnswers({ status: 0, hangUp: true });
  expect(await burst(url)).toMatchObject({ accepted: 30, answers: { 'failed connections': 1, 202: 3 } });
});

test('does not count rejected events as acknowledged', async () => {
  const errors = [{ index: 3, code: 'invalid_timestamp' }];
  const all = Array.from({ length: 10 }, (_, index) => ({ index, code: 'event_too_large' }));
  const { url, received } = await ingestThatAnswers(
    { status: 202, body: { errors } },
    { status: 422, body: { errors: all } },
  );
  const result = await burst(url, { events: 20 });
  expect(result).toMatchObject({
    sent: 20,
    accepted: 9,
    rejected: 11,
    rejections: { invalid_timestamp: 1, event_too_large: 10 },
    answers: { 202: 1, 422: 1 },
  });
  expect(result.acked).not.toContain(received[0]?.ids[3]);
});

test('ends with the reason of a refusal that would repeat', async () => {
  const { url } = await ingestThatAnswers({ status: 401, body: { error: { message: 'A key is required.' } } });
  await expect(burst(url)).rejects.toThrow('ingest refuses the batch with 401: A key is required.');
});

test('stops after the requests in flight when its signal aborts', async () => {
  const { url } = await ingestThatAnswers();
  const stopped = new AbortController();
  stopped.abort();
  expect(await burst(url, { signal: stopped.signal })).toMatchObject({ sent: 0, answers: {} });
});
