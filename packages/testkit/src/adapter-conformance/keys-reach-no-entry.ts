import { expect } from 'vitest';
import type { Door } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import { decodeEntry, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';
import { seededRandom } from '../random.ts';
import type { Specimen } from '../specimens/specimen.ts';
import { accept } from './accept-request.ts';
import { bytesOf } from './decode-rows.ts';

/** A key reaches no entry. */
export async function keysReachNoEntry(specimen: Specimen): Promise<void> {
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
      expect(batch.key, 'the key of the body').toBe(inBody ? key : undefined);
      for (const fields of entries) {
        expect(JSON.stringify(decodeEntry(bytesOf(fields)))).not.toContain(key);
      }
    }
  }
  expect(sent, 'requests with a key').toBeGreaterThan(0);
}

/** The first event of the specimen in which every value is a text. */
function flatEvent(specimen: Specimen): string {
  const random = seededRandom(1);
  for (;;) {
    const event = specimen.event(random);
    const values = Object.values(JSON.parse(event) as object);
    if (values.every((value) => typeof value === 'string' && value.isWellFormed())) return event;
  }
}

/** The request with the key at each place where its door looks, except the body. */
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
