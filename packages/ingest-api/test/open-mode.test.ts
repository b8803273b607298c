import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { makeEvent } from '@sluice/testkit/make-event';
import { type RawAnswer, sendRaw } from '@sluice/testkit/raw-http';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { testNamespace } from '@sluice/testkit/test-namespace';

let open: TestDaemon;
beforeAll(async () => {
  open = await startTestDaemon('ingest-api', { REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: testNamespace() });
});
afterAll(() => open.stop());

const BODY = JSON.stringify({ events: [makeEvent()] });
const post = (...headers: string[]): Promise<RawAnswer> =>
  sendRaw(
    open.url,
    [
      'POST /api/events HTTP/1.1',
      ...headers,
      'Content-Type: application/json',
      `Content-Length: ${BODY.length}`,
      '',
      BODY,
    ].join('\r\n'),
  );

it('takes batches under its own names only', async () => {
  expect((await post('Host: localhost')).status).toBe(202);
  const answer = await post('Host: evil.example');
  expect(answer).toMatchObject({ status: 421, body: expect.stringContaining('misdirected_request') as string });
});

it('takes no batches from pages of other sites', async () => {
  for (const header of ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site']) {
    const answer = await post('Host: localhost', header);
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('cross_site_request') as string });
  }
});

it('takes hits of pages, which are for every site, under any name', async () => {
  const query = '?siteId=x&eventType=PageView';
  for (const path of ['/collect', '/pixel.gif']) {
    const request = [
      `GET ${path}${query} HTTP/1.1`,
      'Host: t.example',
      'Sec-Fetch-Site: cross-site',
      'Origin: https://x.example',
      '',
      '',
    ];
    const { status } = await sendRaw(open.url, request.join('\r\n'));
    expect([path, status < 300]).toEqual([path, true]);
  }
});
