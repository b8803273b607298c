import { expect } from 'vitest';
import { validateEvents } from '@sluice/accept/validate-events';
import { bodyOf } from '@sluice/events/adapters/event-adapter';
import { readBody } from '@sluice/events/json/read-body';
import { forSeeds, type Random, seededRandom } from '../random.ts';
import type { Specimen } from '../specimens/specimen.ts';
import { CLIENT, LIMITS } from './accept-request.ts';

/** The fast way accepts nothing that the long way does not. */
export async function fastWayAgrees(specimen: Specimen): Promise<void> {
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
  // If none were counted, nothing would be compared.
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

/** Bytes that are likely to make a difference. */
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
  '1e308',
  '-1e-307',
  '1E+0308',
  '[1e308,1e308,1e308,1e308,1e308,1e308,1e308]',
  ' ',
  '\n',
  '\u0001',
  'é',
  'null',
  '{}',
]
  .concat('"tenant":"x",', '"__proto__":1,', '\\u0000', '\\ud800', '\\n')
  .concat('\\u00e9', '\\ud83d\\ude00', '\\ude00', '+05:30', '-12:00', '1e99', '2.5E-7')
  .map((piece) => Buffer.from(piece));

/** The body, unchanged in half of all cases, else with bytes inserted, removed or replaced. */
function damaged(random: Random, whole: Buffer): Buffer {
  let body = whole;
  for (let changes = random.int(2) * (1 + random.int(2)); changes > 0; changes -= 1) {
    const at = random.int(body.length);
    body = Buffer.concat([body.subarray(0, at), random.pick(PIECES), body.subarray(at + random.int(3))]);
  }
  return body;
}

/** The number of events that the parser finds in a body, and of objections that validation has. */
function longWay({ adapter }: Specimen, body: Buffer, maxEventBytes: number): { events: number; objections: number } {
  const { bytes, parsed, text } = readBody(body);
  const events = adapter.eventsOf(parsed) ?? [];
  const { rejected, warnings } = validateEvents(events, text, {
    adapter,
    tenant: CLIENT.tenant,
    receivedAt: LIMITS.receivedAt,
    maxEventBytes,
    body: bytes,
    locate: () => adapter.locate(bytes),
  });
  return { events: events.length, objections: rejected.length + warnings.length };
}
