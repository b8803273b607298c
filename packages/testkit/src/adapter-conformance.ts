import { expect } from 'vitest';
import { acceptBatch } from '@sluice/accept/accept-batch';
import { readRequest } from '@sluice/accept/read-request';
import { validateEvents } from '@sluice/accept/validate-events';
import type { Door, ReadBatch } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import { bodyOf, type EventOrigin, type JsonObject } from '@sluice/events/adapters/event-adapter';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { type CanonicalEvent, MAX_NESTING } from '@sluice/events/canonical-event';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { readBody } from '@sluice/events/json/read-body';
import { CHARACTERS_REPLACED, hasUnstorableText, replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { type DecodedEntry, decodeEntry } from '@sluice/store/write/decode-entry';
import {
  decodeEntry as decodeFields,
  type EntryFields,
  MAX_ENTRY_BYTES,
  MAX_ENTRY_EVENTS,
} from '@sluice/stream/stream-entry';
import { forSeeds, type Random, seededRandom } from './random.ts';
import type { Specimen, SpecimenDoor } from './specimens/specimen.ts';

/*
 * What every adapter must hold to: each function here is one promise, and throws where the adapter breaks it. Requests go
 * through the real doors and the real `acceptBatch`; what it would put on the stream is read by the writer's `decodeEntry`.
 */

const RECEIVED_AT = new Date('2026-11-21T09:30:00.000Z');
const LIMITS = { receivedAt: RECEIVED_AT.getTime(), maxEvents: 1_000, maxEventBytes: 64 * 1024 };
const CLIENT = {
  requestId: 'r',
  tenant: 'acme',
  idempotencyKey: null,
  clientIp: '203.0.113.9',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  receivedAt: RECEIVED_AT,
} as const;
const IGNORED = { accepted: () => {}, rejected: () => {}, refused: () => {}, body: () => {} };

/** Each promise of an adapter, by its name. */
export const PROMISES: Readonly<Record<string, (specimen: Specimen) => Promise<void>>> = {
  'the writer stores exactly the accepted events, under the ids they have on their own': storesWhatIsAccepted,
  'an event that is cut out of a batch stands alone': cutEventsStandAlone,
  'the limits of an event hold': limitsOfEventsHold,
  'the limits of a batch hold': limitsOfBatchesHold,
  'the fast way accepts nothing that the long way does not': fastWayAgrees,
  'reading gives back what was sent': readingGivesBack,
  'a key reaches no entry': keysReachNoEntry,
};

/** An event that is sent, and the reason it must be rejected for, if any. */
interface Sent {
  readonly event: string;
  readonly code: string | null;
}

async function storesWhatIsAccepted(specimen: Specimen): Promise<void> {
  for (const door of specimen.doors) {
    let accepted = 0;
    for (let seed = 1; seed <= 24; seed += 1) {
      const sent = randomBatch(specimen, seededRandom(seed), seed);
      const request = requestOf(door, sent);
      if (request !== null) accepted += await expectStored(specimen, door.door, request, sent, `seed ${seed}`);
    }
    expect(accepted, `events that ${door.door.method} ${door.door.path} accepted`).toBeGreaterThan(2);
  }
}

/** Now and then of more events, or of more bytes, than one entry holds. */
function randomBatch(specimen: Specimen, random: Random, seed: number): Sent[] {
  const valid = (): Sent => ({ event: specimen.event(random), code: null });
  if (specimen.adapter.holds === 'one')
    return [random.pick([valid, valid, valid, () => random.pick(specimen.rejected)])()];
  const large = (bytes: number): string => specimen.withValue(`"${'x'.repeat(bytes)}"`);
  const any = (): Sent =>
    random.pick([
      valid,
      valid,
      valid,
      () => random.pick(specimen.rejected),
      () => ({ event: ` ${specimen.event(random)}\n`, code: null }),
      () => ({ event: large(LIMITS.maxEventBytes), code: 'event_too_large' }),
    ])();
  const count = seed % 8 === 0 ? MAX_ENTRY_EVENTS + random.int(MAX_ENTRY_EVENTS) : 1 + random.int(12);
  const sent = Array.from({ length: count }, count > 12 ? valid : any);
  if (seed % 8 === 4) sent.push(...Array.from({ length: 30 }, (): Sent => ({ event: large(50_000), code: null })));
  return sent;
}

/** @returns how many events were accepted, and found in the entries */
async function expectStored(
  specimen: Specimen,
  door: Door,
  request: DoorRequest,
  sent: readonly Sent[],
  note: string,
): Promise<number> {
  const { batch, result, entries } = await accept(door, request);
  expect(
    result.rejected.map(({ index, code }) => ({ index, code })),
    note,
  ).toEqual(sent.flatMap(({ code }, index) => (code === null ? [] : [{ index, code }])));
  const wanted = sent.flatMap(({ event, code }, index) =>
    code === null ? [canonical(specimen, event, { ...originOf(result.batchId, index), envelope: batch.envelope })] : [],
  );
  const decoded = entries.map((fields, at) => decode(specimen, fields, at));
  const stored = decoded.flatMap(({ events }) => events);
  expect(stored.length, `${note}: events in the entries`).toBe(result.accepted);
  // A thousand rows are compared as text in a hundredth of the time; only what differs has to be told apart.
  if (JSON.stringify(stored) !== JSON.stringify(wanted)) expect(stored, note).toEqual(wanted);
  expect(new Set(stored.map(({ eventId }) => eventId)).size, `${note}: ids`).toBe(result.accepted);
  for (const entry of decoded) {
    expect(entry.accepted, `${note}: what the header says`).toBe(entry.events.length);
    expect(entry.events.length, note).toBeLessThanOrEqual(MAX_ENTRY_EVENTS);
    if (entry.events.length > 1) expect(entry.bytes, note).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
  }
  return result.accepted;
}

async function cutEventsStandAlone(specimen: Specimen): Promise<void> {
  const { adapter } = specimen;
  forSeeds((random) => {
    const sent = Array.from({ length: adapter.holds === 'one' ? 1 : 1 + random.int(5) }, () => specimen.event(random));
    for (const door of specimen.doors) {
      const request = requestOf(
        door,
        sent.map((event) => ({ event, code: null })),
      );
      if (request === null) continue;
      const { body } = readRequest(door.door, request, LIMITS);
      const cut = adapter.locate(body).map(({ start, end }) => body.toString('utf8', start, end));
      expect(cut.map((event) => JSON.parse(event) as unknown)).toEqual(
        sent.map((event) => JSON.parse(event) as unknown),
      );
      for (const event of cut)
        expect(adapter.eventsOf(JSON.parse(bodyOf(adapter, event)))).toEqual([JSON.parse(event)]);
      if (adapter.holds === 'one') continue;
      // Rejected events are cut away and leave a null behind.
      const { open, close } = adapter.around;
      const withGap: unknown = JSON.parse(`${open}null,${cut.join(',')}${close}`);
      expect(adapter.eventsOf(withGap)).toEqual([null, ...sent.map((event) => JSON.parse(event) as unknown)]);
    }
  });
  return Promise.resolve();
}

/** JSON text of arrays, so many around each other. */
function deep(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

/** What becomes of one event; null when the door can't carry it. */
async function outcomeOf(
  door: SpecimenDoor,
  event: string,
  maxEventBytes = LIMITS.maxEventBytes,
): Promise<Accepted | null> {
  const request = door.request([event], null);
  return request === null ? null : accept(door.door, request, { ...LIMITS, maxEventBytes });
}

async function limitsOfEventsHold(specimen: Specimen): Promise<void> {
  let bodies = 0;
  for (const door of specimen.doors) {
    for (const { event, code } of specimen.rejected) {
      const outcome = await outcomeOf(door, event);
      if (outcome !== null)
        expect(
          outcome.result.rejected.map((each) => each.code),
          event,
        ).toEqual([code]);
    }
    const event = specimen.withValue('"x"');
    const exact = await outcomeOf(door, event, Buffer.byteLength(event));
    // A door that makes its JSON itself may need more or fewer bytes for it.
    if (exact !== null && exact.batch.body.includes(event)) {
      expect(exact.result.accepted, 'an event as large as it may be').toBe(1);
      const tooSmall = await outcomeOf(door, event, Buffer.byteLength(event) - 1);
      expect(tooSmall?.result.rejected[0]?.code, 'an event that is a byte too large').toBe('event_too_large');
    }
    if ((await outcomeOf(door, specimen.withValue('[]'))) === null) continue;
    bodies += 1;
    const room = MAX_NESTING - specimen.levels;
    expect((await outcomeOf(door, specimen.withValue(deep(room))))?.result.accepted, 'as deep as it may be').toBe(1);
    await expectCode(outcomeOf(door, specimen.withValue(deep(room + 1))), 'nesting_too_deep');
    await expectCode(outcomeOf(door, specimen.withValue('{"__proto__":1}')), 'forbidden_property');
    expect((await outcomeOf(door, specimen.withValue('[1e400]')))?.result.rejected[0]?.code).toBe('invalid_number');
    for (const unstorable of ['"\\u0000"', '{"\\ud800":1}', '["\\udc00x"]']) {
      const { result, entries } = (await outcomeOf(door, specimen.withValue(unstorable)))!;
      expect(
        result.warnings.map(({ code }) => code),
        unstorable,
      ).toEqual([CHARACTERS_REPLACED]);
      const [stored] = decode(specimen, entries[0]!, 0).events;
      expect(stored?.flags, unstorable).toEqual([CHARACTERS_REPLACED]);
      expect(stored?.payload, unstorable).not.toMatch(/\\u0000|\\ud800|\\udc00/);
    }
  }
  expect(bodies, 'doors that carry any value').toBeGreaterThan(0);
}

async function limitsOfBatchesHold(specimen: Specimen): Promise<void> {
  for (const door of specimen.doors) {
    const send = (events: readonly string[], maxEvents: number) => {
      const request = door.request(events, null);
      return request === null ? null : accept(door.door, request, { ...LIMITS, maxEvents });
    };
    if (specimen.adapter.holds === 'one') {
      const list = send(['[]'], 1);
      if (list !== null) await expectCode(list, 'invalid_body');
      continue;
    }
    const [one, two] = [specimen.withValue('1'), specimen.withValue('2')];
    expect((await send([one, two], 2))?.result.accepted).toBe(2);
    await expectCode(send([one, two], 1)!, 'too_many_events');
    await expectCode(send([], 2)!, 'invalid_body');
    const none = await send([specimen.rejected[0]!.event, specimen.rejected[0]!.event], 2);
    expect(none?.result).toMatchObject({ accepted: 0, durability: null });
    expect(none?.entries).toEqual([]);
  }
}

async function fastWayAgrees(specimen: Specimen): Promise<void> {
  const { adapter } = specimen;
  const { countPlain } = adapter;
  if (countPlain === undefined) return;
  const limits = { maxEvents: 5, maxEventBytes: 2_000 };
  const bodyOfAll = (events: readonly string[]): Buffer => Buffer.from(bodyOf(adapter, events.join(',')));
  const count = (body: Buffer): number => countPlain(body, LIMITS.receivedAt, limits);
  const random = seededRandom(1);
  const plain = Array.from({ length: 200 }, () => specimen.event(random)).filter(
    (event) => count(bodyOfAll([event])) === 1,
  );
  // Were none counted, nothing would be compared.
  expect(plain.length, 'events that take the fast way').toBeGreaterThan(20);
  let counted = 0;
  forSeeds((each) => {
    for (let turn = 0; turn < 50; turn += 1) {
      const events = Array.from({ length: 1 + each.int(6) }, () => each.pick(plain));
      const body = damaged(each, bodyOfAll(events));
      const found = count(body);
      if (found === 0) continue;
      counted += 1;
      expect(longWay(specimen, body, limits.maxEventBytes), body.toString()).toEqual({ events: found, objections: 0 });
      expect(found, body.toString()).toBeLessThanOrEqual(limits.maxEvents);
    }
  });
  expect(counted, 'bodies that took the fast way').toBeGreaterThan(1_000);
  return Promise.resolve();
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '0',
  '9',
  '-',
  '.',
  'e9',
  '1e400',
  ' ',
  '\n',
  '\u0001',
  'é',
  'null',
  '{}',
]
  .concat('"tenant":"x",', '"__proto__":1,', '\\u0000', '\\ud800', '\\n')
  .map((piece) => Buffer.from(piece));

/** The body as it is in half of all cases, else with bytes put in, taken out or exchanged. */
function damaged(random: Random, whole: Buffer): Buffer {
  let body = whole;
  for (let changes = random.int(2) * (1 + random.int(2)); changes > 0; changes -= 1) {
    const at = random.int(body.length);
    body = Buffer.concat([body.subarray(0, at), random.pick(PIECES), body.subarray(at + random.int(3))]);
  }
  return body;
}

function longWay({ adapter }: Specimen, body: Buffer, maxEventBytes: number): { events: number; objections: number } {
  const { bytes, parsed, text } = readBody(body);
  const events = adapter.eventsOf(parsed) ?? [];
  const { rejected, warnings } = validateEvents(events, text, {
    adapter,
    tenant: CLIENT.tenant,
    receivedAt: LIMITS.receivedAt,
    maxEventBytes,
    spans: adapter.locate(bytes),
  });
  return { events: events.length, objections: rejected.length + warnings.length };
}

async function readingGivesBack(specimen: Specimen): Promise<void> {
  forSeeds((random) => {
    const json = specimen.event(random);
    const sent = replaceUnstorableText(parseKeepingDigits(json)) as JsonObject;
    const { payload, ...event } = canonical(specimen, json, originOf('0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11', 0));
    const back = specimen.adapter.toWire(rowOf(event), parseKeepingDigits(payload) as JsonObject);
    const wanted = specimen.givenBack(sent, event.eventId);
    expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(wanted)));
  });
  return Promise.resolve();
}

/** The row as Postgres gives it. */
function rowOf(event: Omit<CanonicalEvent, 'payload'>): StoredEvent {
  return {
    event_id: event.eventId,
    event_type: event.eventType,
    occurred_at: event.occurredAt.replace(/(?:\.(\d+))?Z$/, (_, digits = '') => `.${String(digits).padEnd(6, '0')}Z`),
    actor: event.actor,
    session_id: event.sessionId,
    correlation_id: event.correlationId,
    resource: event.resource,
    source: event.source,
    payload: '{}',
  };
}

async function keysReachNoEntry(specimen: Specimen): Promise<void> {
  const key = 'key-that-must-not-be-seen';
  let sent = 0;
  for (const door of specimen.doors) {
    for (const count of specimen.adapter.holds === 'one' ? [1] : [1, MAX_ENTRY_EVENTS + 1]) {
      const events = Array.from({ length: count }, (_, at) => specimen.withValue(`"${at}"`));
      const request = door.request(events, key) ?? door.request([flatEvent(specimen)], key);
      if (request === null) continue;
      sent += 1;
      const { batch, entries } = await accept(door.door, withKey(request, door.door, key));
      const inBody = door.door.keys.some((place) => place.in === 'body');
      expect(batch.key, 'the key that the body brings').toBe(inBody ? key : undefined);
      for (const fields of entries) {
        expect(JSON.stringify(decodeFields(bytesOf(fields)))).not.toContain(key);
      }
    }
  }
  expect(sent, 'requests with a key').toBeGreaterThan(0);
}

/** The first event of the specimen that is nothing but texts. */
function flatEvent(specimen: Specimen): string {
  const random = seededRandom(1);
  for (;;) {
    const event = specimen.event(random);
    const values = Object.values(JSON.parse(event) as object);
    if (values.every((value) => typeof value === 'string' && value.isWellFormed())) return event;
  }
}

/** The request with the key at all places where its door looks, but for the body. */
function withKey(request: DoorRequest, { keys }: Door, key: string): DoorRequest {
  const headers: Record<string, string> = {};
  const query: Record<string, unknown> = {};
  for (const place of keys) {
    if (place.in === 'header') headers[place.name] = key;
    if (place.in === 'query') query[place.name] = key;
    if (place.in === 'bearer') headers['authorization'] = `Bearer ${key}`;
    if (place.in === 'basic') headers['authorization'] = `Basic ${Buffer.from(`${key}:`).toString('base64')}`;
  }
  return { ...request, headers: { ...request.headers, ...headers }, query: { ...request.query, ...query } };
}

interface Accepted {
  readonly batch: ReadBatch;
  readonly result: Awaited<ReturnType<typeof acceptBatch>>;
  readonly entries: readonly EntryFields[];
}

/** What ingest makes of a request, and would put on the stream. */
async function accept(door: Door, request: DoorRequest, limits = LIMITS): Promise<Accepted> {
  const batch = readRequest(door, request, limits);
  let entries: readonly EntryFields[] = [];
  const queue = {
    add: (added: readonly EntryFields[]) => {
      entries = added;
      return Promise.resolve('memory' as const);
    },
    settings: null,
    plan: { level: 'memory', waitAof: null, warning: null },
    settled: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  } as const;
  const result = await acceptBatch(
    { ...batch, ...CLIENT, maxEventBytes: limits.maxEventBytes },
    { queue, metrics: IGNORED },
  );
  return { batch, result, entries };
}

function requestOf(door: SpecimenDoor, sent: readonly Sent[]): DoorRequest | null {
  return door.request(
    sent.map(({ event }) => event),
    null,
  );
}

/** The entry as a writer reads it. */
function decode({ adapter }: Specimen, fields: EntryFields, at: number): DecodedEntry {
  const decoded = decodeEntry({ key: 'stream', id: `1-${at}`, fields: bytesOf(fields) }, (source) =>
    source === adapter.source ? adapter : undefined,
  );
  if (decoded.unreadable !== null) throw decoded.unreadable;
  return decoded;
}

/** The fields as Redis gives them back. */
function bytesOf(fields: EntryFields): Buffer[] {
  return fields.map((field) => Buffer.from(field as string));
}

/** The row that an event alone becomes. */
function canonical({ adapter }: Specimen, json: string, origin: EventOrigin): CanonicalEvent {
  const event = parseKeepingDigits(json);
  const replaced = hasUnstorableText(event);
  const stored = (replaced ? replaceUnstorableText(event) : event) as JsonObject;
  const projected = adapter.project(stored, origin);
  const flags = [...(replaced ? [CHARACTERS_REPLACED] : []), ...(projected.flags ?? [])];
  return { ...projected, flags: flags.length === 0 ? null : flags };
}

function originOf(batchId: string, index: number): EventOrigin {
  const { tenant, clientIp, traceparent, receivedAt } = CLIENT;
  const traceId = traceparent.split('-')[1]!;
  return { tenant, batchId, index, clientIp, traceId, receivedAt: receivedAt.toISOString() };
}

async function expectCode(work: Promise<unknown>, code: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ code });
}
