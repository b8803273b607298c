import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { cursorFrom } from '../src/http/list-cursor.ts';

const ID = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';
const TIME = '2026-01-31T09:30:00.000000Z';
const NO_ID = '-'.repeat(36);
/** What has the form of a time, and Postgres refuses. */
const NO_TIMES = ['9999-99-99T99:99:99.999999Z', '2026-02-30T09:30:00.000000Z', '0000-01-01T00:00:00.000000Z'];

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key', RATE_LIMIT_PER_MINUTE: '0' });
});
afterAll(() => operations.stop());

const encoded = (text: string) => Buffer.from(text).toString('base64url');
const page = (path: string, cursor: string) => operations.ask('GET', `${path}?cursor=${cursor}`, undefined, 'the-key');

it('a cursor of events or sessions with the right checksum, and in it what is no time or no id', async () => {
  const positions = [
    ...NO_TIMES.map((time) => ({ time, id: ID })),
    { time: TIME, id: NO_ID },
    { time: TIME, id: '\0' },
  ];
  for (const position of positions) {
    for (const order of ['asc', 'desc'] as const) {
      const cursor = cursorFrom(position, [{ tenant: 'default' }, order]);
      const { status, body } = await operations.ask('POST', '/api/events/query', { order, cursor }, 'the-key');
      expect([status, body.error?.message], JSON.stringify(position)).toEqual([400, expect.stringMatching(/^cursor/)]);
    }
    const ofSessions = await page('/api/sessions', cursorFrom(position, ['sessions', { tenant: 'default' }, 'desc']));
    const isFine = position.id === NO_ID;
    expect(ofSessions.status, JSON.stringify(position)).toBe(isFine ? 200 : 400);
    const ofOne = cursorFrom(position, ['events of a session', 'default', 's', 'asc']);
    expect((await page('/api/sessions/s', ofOne)).status).toBe(400);
  }
  const good = cursorFrom({ time: TIME, id: ID }, [{ tenant: 'default' }, 'desc']);
  expect((await operations.ask('POST', '/api/events/query', { cursor: good }, 'the-key')).status).toBe(200);
});

it('a cursor of runs or replays that holds none of their ids', async () => {
  for (const [path, text] of [
    ['/api/jobs/runs', `${TIME} ${NO_ID}`],
    ...NO_TIMES.map((time) => ['/api/jobs/runs', `${time} ${ID}`] as const),
    ['/export/runs', NO_ID],
    ['/api/dead-letters/replays', NO_ID],
    ['/api/keys', NO_ID],
    ['/api/retention', 'a\0'],
    ['/api/audit-log', `desc:${NO_ID}`],
    ['/api/dead-letters', `desc:${NO_ID}`],
  ] as const) {
    const { status, body } = await page(path, encoded(text));
    expect([status, body.error?.message], `${path} ${text}`).toEqual([400, expect.stringMatching(/^cursor/)]);
  }
});
