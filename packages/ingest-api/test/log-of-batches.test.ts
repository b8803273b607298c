import { expect, it } from 'vitest';
import { startIngest } from '@sluice/testkit/ingest';
import { makeEvents } from '@sluice/testkit/make-event';

it('each accepted batch has a line at debug, without anything of its events', async () => {
  const ingest = await startIngest({ LOG_LEVEL: 'debug' });
  const body = JSON.stringify({ events: [...makeEvents(2, { newValue: 'of the payload' }), 7] });
  const answer = await ingest.send(body, { 'x-request-id': 'mine-1' });
  const line = await ingest.logged(/"batch accepted"/);
  expect(line).toMatchObject({
    level: 20,
    request_id: 'mine-1',
    batch_id: answer.body.batch_id,
    tenant: 'default',
    source: 'governance-tracker',
    accepted: 2,
    rejected: 1,
    bytes: Buffer.byteLength(body),
  });
  await ingest.collect({ siteId: 'docs' });
  await ingest.logged(/"source":"web-collection".*"batch accepted"/);
  expect(ingest.daemon.output()).not.toContain('of the payload');
  expect((await ingest.send({ events: [7] })).status).toBe(422);
  await ingest.stop();
  expect(ingest.daemon.output().match(/"batch accepted"/g)).toHaveLength(2);
});

it('at info a batch has none', async () => {
  const ingest = await startIngest();
  expect((await ingest.send({ events: makeEvents(1) })).status).toBe(202);
  await ingest.stop();
  expect(ingest.daemon.output()).not.toContain('batch accepted');
});
