import { checkNamedTenant } from '@sluice/access/named-tenant';
import type { EventAdapter, JsonObject, Rejection } from './adapters/event-adapter.ts';
import { inspectValues } from './json/inspect-values.ts';
import { nestingError } from './json/read-body.ts';

/** What the validation of one event needs. */
export interface EventContext {
  readonly adapter: EventAdapter;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly maxEventBytes: number;
  /** Bytes of its JSON; null when it cannot be too large. */
  readonly bytes: number | null;
  /** What messages about the whole request call the event. */
  readonly name: string;
}

/**
 * Returns why an event is rejected, or null for a valid one. The same rules hold for an event of a client and for a dead
 * letter that an operator has edited.
 *
 * @throws ApiError for what refuses the whole request: nesting beyond the limit, another tenant's name
 */
export function validateEvent(event: unknown, context: EventContext): Rejection | null {
  const problem = typeof event === 'object' && event !== null ? inspectValues(event) : null;
  if (problem === 'nesting') throw nestingError();
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { code: 'not_an_object', message: 'An event must be a JSON object.' };
  }
  checkNamedTenant((event as JsonObject)['tenant'], context.tenant, context.name);
  if (problem === 'number') {
    return { code: 'invalid_number', message: 'A number is beyond what a 64-bit float can hold.' };
  }
  const { bytes, maxEventBytes } = context;
  if (bytes !== null && bytes > maxEventBytes) {
    return { code: 'event_too_large', message: `The event has ${bytes} bytes; the limit is ${maxEventBytes}.` };
  }
  return context.adapter.validate(event as JsonObject, context.receivedAt);
}
