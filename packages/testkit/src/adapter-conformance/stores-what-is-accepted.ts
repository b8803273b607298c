import { expect } from 'vitest';
import type { Door } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import { MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';
import { type Random, seededRandom } from '../random.ts';
import type { Specimen } from '../specimens/specimen.ts';
import { accept, LIMITS } from './accept-request.ts';
import { canonical, decode, originOf } from './decode-rows.ts';

/** The writer stores exactly the accepted events, under the ids they have on their own. */
export async function storesWhatIsAccepted(specimen: Specimen): Promise<void> {
  for (const door of specimen.doors) {
    let accepted = 0;
    for (let seed = 1; seed <= 24; seed += 1) {
      const sent = randomBatch(specimen, seededRandom(seed), seed);
      const request = door.request(
        sent.map(({ event }) => event),
        null,
      );
      if (request !== null) accepted += await expectStored(specimen, door.door, request, sent, `seed ${seed}`);
    }
    expect(accepted, `events that ${door.door.method} ${door.door.path} accepted`).toBeGreaterThan(2);
  }
}

/** An event that is sent, and the code it must be rejected with, if any. */
interface Sent {
  readonly event: string;
  readonly code: string | null;
}

/** A batch of random events; some have more events or more bytes than one entry holds. */
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

/**
 * Sends a request, and compares what the writer reads from its entries with what was sent.
 *
 * @returns the number of accepted events
 */
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
  // Comparing a thousand rows as text takes a hundredth of the time; only a difference is worth the detail.
  if (JSON.stringify(stored) !== JSON.stringify(wanted)) expect(stored, note).toEqual(wanted);
  expect(new Set(stored.map(({ eventId }) => eventId)).size, `${note}: ids`).toBe(result.accepted);
  for (const entry of decoded) {
    expect(entry.accepted, `${note}: the count in the header`).toBe(entry.events.length);
    expect(entry.events.length, note).toBeLessThanOrEqual(MAX_ENTRY_EVENTS);
    if (entry.events.length > 1) expect(entry.bytes, note).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
  }
  return result.accepted;
}
