import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { AUDIT_LOG } from '../src/audit/rows.ts';
import { deadLetters } from '../src/dead-letters/rows.ts';
import { eventList } from '../src/events/read-events.ts';
import { EXPORT_RUNS } from '../src/exports/runs/rows.ts';
import { EXPORTING_TENANTS } from '../src/exports/status/rows.ts';
import { cursorAfter, type List } from '../src/http/paging.ts';
import { JOB_RUNS } from '../src/jobs/rows.ts';
import { KEYS } from '../src/keys/rows.ts';
import { REPLAYS } from '../src/replays/rows.ts';
import { RETENTION } from '../src/retention/rows.ts';
import { sessionsBy } from '../src/sessions/rows.ts';

const ID = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';
const TIME = '2026-01-31T09:30:00.000000Z';
const NO_ID = '-'.repeat(36);
/** What has the form of a time, and Postgres refuses. */
const NO_TIMES = ['9999-99-99T99:99:99.999999Z', '2026-02-30T09:30:00.000000Z', '0000-01-01T00:00:00.000000Z'];

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: 'the-key', RATE_LIMIT_PER_MINUTE: '0' }, { ingest: false });
});
afterAll(() => operations.stop());

const encoded = (text: string) => Buffer.from(text).toString('base64url');
const page = (path: string, cursor: string) => operations.ask('GET', `${path}?cursor=${cursor}`, undefined, 'the-key');

it('a cursor of events or sessions with the right checksum, and in it what is no time or no id', async () => {
  const positions = [...NO_TIMES.map((time) => [time, ID] as const), [TIME, NO_ID] as const, [TIME, '\0'] as const];
  for (const position of positions) {
    for (const order of ['asc', 'desc'] as const) {
      const cursor = cursorAfter(position, eventList({ tenant: 'default' }, order));
      const { status, body } = await operations.ask('POST', '/api/events/query', { order, cursor }, 'the-key');
      expect([status, body.error?.message], JSON.stringify(position)).toEqual([400, expect.stringMatching(/^cursor/)]);
    }
    const ofSessions = await page('/api/sessions', cursorAfter(position, sessionsBy({ tenant: 'default' }, 'desc')));
    const isFine = position[1] === NO_ID;
    expect(ofSessions.status, JSON.stringify(position)).toBe(isFine ? 200 : 400);
    const ofOne = cursorAfter(position, eventList(['events of a session', 'default', 's'], 'asc'));
    expect((await page('/api/sessions/s', ofOne)).status).toBe(400);
  }
  const good = cursorAfter([TIME, ID], eventList({ tenant: 'default' }, 'desc'));
  expect((await operations.ask('POST', '/api/events/query', { cursor: good }, 'the-key')).status).toBe(200);
});

it('a cursor of runs or replays that holds none of their ids', async () => {
  for (const [path, list, ...places] of [
    ['/api/jobs/runs', JOB_RUNS, [TIME, NO_ID], ...NO_TIMES.map((time) => [time, ID])],
    ['/export/runs', EXPORT_RUNS, [TIME, NO_ID], ...NO_TIMES.map((time) => [time, ID])],
    ['/api/dead-letters/replays', REPLAYS, [TIME, NO_ID], ...NO_TIMES.map((time) => [time, ID])],
    ['/api/keys', KEYS, [TIME, '\0'], ...NO_TIMES.map((time) => [time, 'k'])],
    ['/api/retention', RETENTION, ['a\0'], ['a', 'b'], []],
    ['/export/status', EXPORTING_TENANTS, ['a\0'], ['a', 'b'], []],
    ['/api/audit-log', AUDIT_LOG, [NO_ID], ['0'], ['9'.repeat(19)]],
    ['/api/dead-letters', deadLetters('desc'), [NO_ID], ['0'], ['9'.repeat(19)]],
  ] as const satisfies (readonly [string, List, ...(readonly string[])[]])[]) {
    for (const place of places as readonly (readonly string[])[]) {
      const { status, body } = await page(path, cursorAfter(place, list));
      expect([status, body.error?.message], `${path} ${place.join(' ')}`).toEqual([
        400,
        expect.stringMatching(/^cursor/),
      ]);
    }
  }
});

it.each([
  ['/api/jobs/runs', JOB_RUNS, [TIME, ID]],
  ['/export/runs', EXPORT_RUNS, [TIME, ID]],
  ['/api/dead-letters/replays', REPLAYS, [TIME, ID]],
  ['/api/keys', KEYS, [TIME, '0123456789abcdef']],
  ['/api/retention', RETENTION, ['acme']],
  ['/export/status', EXPORTING_TENANTS, ['acme']],
  ['/api/audit-log', AUDIT_LOG, ['5']],
  ['/api/dead-letters', deadLetters('desc'), ['5']],
] satisfies [string, List, string[]][])(
  '%s takes a cursor of its own, also when its row is gone, and none of another list or version',
  async (path, list, place) => {
    const cursor = cursorAfter(place, list);
    expect((await page(path, cursor)).status).toBe(200);
    const [version, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [number, ...string[]];
    for (const other of [
      cursorAfter(place, { ...list, of: 'another list' }),
      encoded(JSON.stringify([version + 1, ...rest])),
      encoded(JSON.stringify(rest)),
      encoded(JSON.stringify([version, ...rest.slice(0, -1), ''])),
    ]) {
      const { status, body } = await page(path, other);
      expect([status, body.error?.code, body.error?.message], other).toEqual([
        400,
        'invalid_request',
        expect.stringMatching(/^cursor/),
      ]);
    }
  },
);

it('a cursor of version 0.1.0 is refused as one that no list has given', async () => {
  for (const [path, text] of [
    ['/api/jobs/runs', `${TIME} ${ID}`],
    ['/export/runs', ID],
    ['/api/dead-letters/replays', ID],
    ['/api/keys', '0123456789abcdef'],
    ['/api/retention', 'acme'],
    ['/export/status', 'acme'],
    ['/api/audit-log', 'desc:5'],
    ['/api/dead-letters', 'desc:5'],
    ['/api/sessions', JSON.stringify([TIME, 's', 'YWJjZGVmZ2hp'])],
  ] as const) {
    const { status, body } = await page(path, encoded(text));
    expect([status, body.error?.message], path).toEqual([
      400,
      'cursor is not one that a list of this version has given.',
    ]);
  }
});
