import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
const ACME = { 'x-api-key': 'acme-key' };
const RIVAL = { 'x-api-key': 'rival-key' };

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest({ API_KEYS: `acme:${hashOf('acme-key')},rival:${hashOf('rival-key')}` });
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

const withoutIds = Array.from({ length: 700 }, () => makeEvent({ eventId: undefined }));

/** The ids under which the events of a batch will be stored. */
async function idsOf(events: unknown[], headers: Record<string, string>): Promise<string[]> {
  await ingest.clear();
  const { body } = await ingest.send({ events }, headers);
  expect(body.accepted).toBe(events.length);
  return (await ingest.queued()).map(
    ({ event, ...origin }) =>
      governanceTracker.project(event, { ...origin, receivedAt: '', clientIp: null, traceId: null }).eventId,
  );
}

it('a resend with the same key gives events without an id the same ids', async () => {
  const headers = { ...ACME, 'idempotency-key': 'batch-7' };
  const first = await idsOf(withoutIds, headers);
  expect(new Set(first).size).toBe(700);
  expect(await idsOf(withoutIds, headers)).toEqual(first);
  expect(await idsOf(withoutIds, { ...ACME, 'idempotency-key': 'batch-8' })).not.toEqual(first);
  expect(await idsOf(withoutIds, { ...RIVAL, 'idempotency-key': 'batch-7' })).not.toEqual(first);
  expect(await idsOf(withoutIds, ACME)).not.toEqual(first);
});

it('an event with its own id keeps it', async () => {
  const event = makeEvent();
  expect(await idsOf([event], { ...ACME, 'idempotency-key': 'batch-7' })).toEqual([event['eventId']]);
});

const hit = () => ingest.collect({}, { ...ACME, 'idempotency-key': 'hit-1' });

it('/collect answers with the same id too', async () => {
  expect((await hit()).body.event_id).toBe((await hit()).body.event_id);
});

it.each([
  ['empty', ''],
  ['with a space', 'two words'],
  ['of 256 characters', 'x'.repeat(256)],
  ['with é', 'caf\u00e9'],
])('a key that is %s is answered with 400', async (_what, key) => {
  expectError(
    await ingest.send({ events: [makeEvent()] }, { ...ACME, 'idempotency-key': key }),
    'invalid_request',
    /Idempotency-Key must be 1 to 255/,
  );
  expect(await ingest.entries()).toEqual([]);
});

it('a key of 255 characters is accepted', async () => {
  expect(await idsOf([makeEvent()], { ...ACME, 'idempotency-key': '~'.repeat(255) })).toHaveLength(1);
});
