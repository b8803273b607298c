import { createHash } from 'node:crypto';
import { expect, inject, it, onTestFinished } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function start(env: Record<string, string>): Promise<TestIngest> {
  const ingest = await startIngest(env);
  onTestFinished(() => ingest.stop());
  return ingest;
}

it('without any key it runs open, and says so in the log, in /health and in /docs', async () => {
  const ingest = await start({ COLLECT_SITES: 'docs' });
  await ingest.logged(/INGEST RUNS OPEN/);
  const { body } = await get(`${ingest.url}/health`);
  expect(body).toMatchObject({ status: 'degraded', checks: { authentication: 'failed' } });
  expect(body.details.authentication.warning).toMatch(/runs open/);
  expect((await get(`${ingest.url}/ready`)).status).toBe(200);
  expect((await get(`${ingest.url}/docs/json`)).body.info.description).toMatch(/runs open/);

  expect((await ingest.send({ events: [makeEvent()] })).status).toBe(202);
  expect((await ingest.send({ events: [makeEvent()] }, { 'x-api-key': 'anything' })).status).toBe(202);
  expect((await ingest.collect({ siteId: 'docs' })).status).toBe(202);
  expect((await ingest.collect({ siteId: 'unlisted' })).status).toBe(202);
  expect((await ingest.entries()).map(({ header }) => header.tenant)).toEqual([
    'default',
    'default',
    'docs',
    'default',
  ]);
  expectError(await ingest.send({ events: [makeEvent({ tenant: 'docs' })] }), 'tenant_mismatch');
});

it.each([
  ['API_KEY', { API_KEY: 'k' }],
  ['API_KEYS', { API_KEYS: `acme:${sha256('k')}` }],
])('with %s alone it does not', async (_name, env) => {
  const ingest = await start(env);
  expectError(await ingest.send({ events: [makeEvent()] }), 'unauthorized');
  expectError(await ingest.collect({ siteId: 'docs' }), 'unauthorized');
  expect((await get(`${ingest.url}/health`)).body).toMatchObject({
    status: 'healthy',
    checks: { authentication: 'ok' },
  });
  expect(ingest.daemon.output()).not.toContain('OPEN');
});

it.each([
  ['API_KEY', ''],
  ['API_KEY', ' '],
  ['API_KEY', 'two words'],
  ['API_KEY', 'schlüssel'],
  ['API_KEYS', ''],
  ['API_KEYS', ','],
  ['API_KEYS', 'acme'],
  ['API_KEYS', 'acme:'],
  ['API_KEYS', `:${sha256('k')}`],
  ['API_KEYS', `acme:${sha256('k')},`],
  ['API_KEYS', `acme:${sha256('k').slice(1)}`],
  ['API_KEYS', `acme:${sha256('k')} `],
  ['API_KEYS', `acme:${sha256('k')},rival:${sha256('k')}`],
])('%s=%j is a mistake that ends the start, and not an open ingest', async (name, value) => {
  const started = startTestDaemon('ingest-api', { REDIS_URL: inject('redisUrl'), [name]: value });
  // launchDaemon gives exit code 78 an error of its own.
  await expect(started).rejects.toThrow(
    expect.objectContaining({
      constructor: expect.objectContaining({ name: 'DaemonConfigError' }) as unknown,
      message: expect.stringMatching(new RegExp(`- ${name} `)) as unknown,
    }),
  );
});

it('the key of API_KEY must not be a key of a tenant too', async () => {
  const started = startTestDaemon('ingest-api', { API_KEY: 'k', API_KEYS: `acme:${sha256('k')}` });
  await expect(started).rejects.toThrow(/acme that is also one of default/);
});
