import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { answeredPromptly } from '../fixtures/answered-promptly.ts';

let server: OwnServer;
let ingest: TestIngest;

beforeEach(async () => {
  server = await ownRedis();
  ingest = await startIngest({}, { redisUrl: server.url });
});
afterEach(async () => {
  await ingest.stop();
  await server.remove();
});

const send = () => ingest.send({ events: [makeEvent()] });
const accepted = () =>
  vi.waitFor(async () => expect((await send()).body).toMatchObject({ accepted: 1, durability: 'fsync' }), {
    interval: 50,
    timeout: 180_000,
  });

it('a batch is answered with 503 within a second while Redis is gone, and accepted when it is back', async () => {
  await server.stop('immediate');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const answer = await answeredPromptly(send);
    expectError(answer, 'queue_unavailable');
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  }
  expect((await get(`${ingest.url}/ready`)).status).toBe(503);
  await server.start();
  await accepted();
  expect((await get(`${ingest.url}/ready`)).status).toBe(200);
});

it('a batch is answered with 503 within a second while Redis hangs, and accepted when it continues', async () => {
  process.kill(server.pid(), 'SIGSTOP');
  const answers = await Promise.all([1, 2, 3].map(() => answeredPromptly(send)));
  for (const answer of answers) expectError(answer, 'queue_unavailable');
  const ready = await get(`${ingest.url}/ready`);
  expect(ready.body).toMatchObject({ ready: false, failed: ['redis'] });
  process.kill(server.pid(), 'SIGCONT');
  await accepted();
});
