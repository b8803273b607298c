import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngestMetrics } from '@sluice/accept/ingest-metrics';
import { createQuotas } from '@sluice/accept/limits/quotas';
import { createLogger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { decodeEntry, type EntryFields, type EntryHeader } from '@sluice/stream/stream-entry';
import { exampleDoor } from '@sluice/testkit/specimens/example-source';
import { readIngestConfig } from '../../../src/config.ts';
import { createHeldBodies } from '../../../src/doors/held-bodies.ts';
import { buildServer } from '../../../src/server.ts';

/** Events that a key may send. Time does not pass in this test, so no more are allowed. */
const QUOTA = 10;

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

let server: Awaited<ReturnType<typeof buildServer>>;
/** Entries that would have been added to the stream. */
let queued: EntryFields[] = [];

beforeAll(async () => {
  const config = readIngestConfig({ API_KEYS: `acme:${sha256('acme-key')},beta:${sha256('beta-key')}` });
  const registry = createMetrics('ingest-api');
  server = await buildServer(
    {
      config,
      keys: config.configuredKeys,
      quotas: createQuotas(QUOTA, () => 0),
      heldBodies: createHeldBodies(Infinity),
      queue: {
        add: (entries) => {
          queued.push(...entries);
          return Promise.resolve('memory');
        },
        settings: null,
        plan: { level: 'memory', waitAof: null, warning: null },
        settled: () => Promise.resolve(),
        stop: () => Promise.resolve(),
      },
      idempotencyKeys: { claim: () => Promise.resolve() },
      admission: { check: () => {}, backlog: null, added: () => {}, stop: () => Promise.resolve() },
      logger: createLogger({ daemon: 'ingest-api', version: '0', level: 'fatal' }),
      checks: [],
      registry,
      metrics: createIngestMetrics(registry, () => 'memory'),
      isStopping: () => false,
    },
    [exampleDoor],
  );
});
afterAll(() => server.close());

/** @returns the status, the body, and the headers of the entries */
async function send(
  body: object,
  { headers = {}, query = '' } = {},
): Promise<{ status: number; answer: unknown; entries: EntryHeader[] }> {
  queued = [];
  const answer = await server.inject({
    method: 'POST',
    url: `/example${query}`,
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify({ batch: [{ name: 'n' }], ...body }),
  });
  const entries = queued.map((fields) => decodeEntry(fields.map((field) => Buffer.from(field as string))).header);
  return { status: answer.statusCode, answer: answer.json(), entries };
}

it('a key in the body decides the tenant, and the door gives the answer', async () => {
  const { status, answer, entries } = await send({ key: 'acme-key', sentAt: '2026-01-31T09:30:00Z' });
  expect({ status, answer }).toEqual({ status: 200, answer: { success: true } });
  expect(entries.map(({ tenant, envelope }) => ({ tenant, envelope }))).toEqual([
    { tenant: 'acme', envelope: { sentAt: '2026-01-31T09:30:00.000Z' } },
  ]);
  expect(JSON.stringify(entries)).not.toContain('acme-key');
});

it.each([
  ['a user name', { headers: { authorization: `Basic ${Buffer.from('beta-key:').toString('base64')}` } }],
  ['a query parameter', { query: '?key=beta-key' }],
  ['a header', { headers: { 'x-api-key': 'beta-key' } }],
])('a key as %s takes precedence over one in the body', async (_where, request) => {
  const { entries } = await send({ key: 'acme-key' }, request);
  expect(entries.map(({ tenant }) => tenant)).toEqual(['beta']);
});

it.each([
  ['without a key', {}, {}],
  ['with an unknown key in the body', { key: 'other' }, {}],
  [
    'with an unknown key in a header, and a good one in the body',
    { key: 'acme-key' },
    { headers: { 'x-api-key': 'o' } },
  ],
])('a request %s is refused in the words of the door', async (_what, body, request) => {
  const { status, answer, entries } = await send(body, request);
  expect(status).toBe(401);
  expect(answer).toEqual({ success: false, message: expect.stringMatching(/API key/) });
  expect(entries).toEqual([]);
});

it('the quota of a key in the body is enforced', async () => {
  const batch = Array.from({ length: QUOTA }, () => ({ name: 'n' }));
  expect((await send({ key: 'acme-key', batch })).status).toBe(200);
  const { status, entries } = await send({ key: 'acme-key', batch });
  expect(status).toBe(429);
  expect(entries).toEqual([]);
});

it('a batch without events is refused in the words of the door', async () => {
  const nothing = await send({ key: 'beta-key', batch: [] });
  expect(nothing).toEqual({
    status: 400,
    answer: { success: false, message: 'The batch has no events.' },
    entries: [],
  });
});
