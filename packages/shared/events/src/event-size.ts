import type { JsonObject, Rejection, RejectionCode } from './adapters/event-adapter.ts';
import { MAX_EVENT_VALUES } from './canonical-event.ts';
import { hasMoreValues } from './json/byte-limits.ts';
import type { ValueSums } from './json/inspect-values.ts';
import { mostGrowth, writtenOutBytes } from './json/written-out.ts';

/** What the size of an event is checked with. */
export interface SizeContext {
  readonly maxEventBytes: number;
  /** Bytes that the event surely does not exceed: those of the body that it is in. */
  readonly bytesAround: number;
  /** The event's own JSON. It is called only for an event that may exceed a limit. */
  readonly json: () => Uint8Array;
}

/**
 * Returns why an event is too large, or null. Three things are limited: its bytes, its values, and its bytes with all
 * numbers written out, as Postgres returns them.
 */
export function checkSize(event: JsonObject, sums: ValueSums, context: SizeContext): Rejection | null {
  const { maxEventBytes, bytesAround, json } = context;
  if (bytesAround > maxEventBytes) {
    const bytes = json();
    if (bytes.length > maxEventBytes) return tooLarge(`The event has ${bytes.length} bytes`, undefined, maxEventBytes);
    // Of two properties of one name the parsed event has the last. The bytes have both, and the writer reads both.
    if (hasMoreValues(bytes, MAX_EVENT_VALUES)) return tooManyValues(event);
  }
  if (sums.values > MAX_EVENT_VALUES) return tooManyValues(event);
  // Nearly every event ends here.
  if (bytesAround + sums.growth <= maxEventBytes) return null;
  const bytes = json();
  if (bytes.length + sums.growth <= maxEventBytes) return null;
  const written = writtenOutBytes(bytes);
  if (written <= maxEventBytes) return null;
  const field = heaviest(event, (value) => (typeof value === 'number' ? mostGrowth(value) : 0));
  return tooLarge(`With its numbers written out the event has ${written} bytes`, field, maxEventBytes);
}

function tooManyValues(event: JsonObject): Rejection {
  const field = heaviest(event, () => 1);
  return withField('too_many_values', field, `The event has more than ${MAX_EVENT_VALUES} values${mostIn(field)}.`);
}

function tooLarge(size: string, field: string | undefined, limit: number): Rejection {
  return withField('event_too_large', field, `${size}${mostIn(field)}; the limit is ${limit}.`);
}

function withField(code: RejectionCode, field: string | undefined, message: string): Rejection {
  return field === undefined ? { code, message } : { code, field, message };
}

function mostIn(field: string | undefined): string {
  return field === undefined ? '' : `, most of them in ${field}`;
}

/** Longest part of a property's name that a message repeats, in characters. */
const MAX_SHOWN_CHARS = 64;

/** The property that weighs more than all others together; undefined when none does. */
function heaviest(event: JsonObject, weigh: (value: unknown) => number): string | undefined {
  const weights = Object.entries(event).map(([name, value]) => ({ name, weight: sum(value, weigh) }));
  const total = weights.reduce((all, { weight }) => all + weight, 0);
  return weights
    .find(({ weight }) => weight > total / 2)
    ?.name.slice(0, MAX_SHOWN_CHARS)
    .toWellFormed();
}

/** Adds up a value and all values in it. Nesting has been checked. */
function sum(value: unknown, weigh: (value: unknown) => number): number {
  let total = weigh(value);
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) total += sum(inner, weigh);
  return total;
}
