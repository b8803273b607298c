import { checkNamedTenant } from '@sluice/access/named-tenant';
import type { EventAdapter, JsonObject, Rejection, RejectionCode } from './adapters/event-adapter.ts';
import { MAX_NESTING } from './canonical-event.ts';
import { checkSize, type SizeContext } from './event-size.ts';
import { inspectValues, type ValueProblem } from './json/inspect-values.ts';

/** What the validation of one event needs. */
export interface EventContext extends SizeContext {
  readonly adapter: EventAdapter;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  /** What messages about the whole request call the event. */
  readonly name: string;
}

/**
 * Returns why an event is rejected, or null for a valid one. The same rules hold for an event of a client and for a dead
 * letter that an operator has edited.
 *
 * @throws ApiError `tenant_mismatch` for an event that names another tenant: that refuses the whole request
 */
export function validateEvent(event: unknown, context: EventContext): Rejection | null {
  // The event itself is a value.
  const sums = { values: 1, growth: 0 };
  const problem = typeof event === 'object' && event !== null ? inspectValues(event, 1, sums) : null;
  if (problem === 'nesting' || problem === 'property') return rejectionFor(problem, event as JsonObject);
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { code: 'not_an_object', message: 'An event must be a JSON object.' };
  }
  checkNamedTenant((event as JsonObject)['tenant'], context.tenant, context.name);
  if (problem !== null) return rejectionFor(problem, event as JsonObject);
  const tooLarge = checkSize(event as JsonObject, sums, context);
  if (tooLarge !== null) return tooLarge;
  return context.adapter.validate(event as JsonObject, context.receivedAt);
}

/** What is said about each problem of a value. */
const PROBLEMS: Readonly<Record<ValueProblem, { readonly code: RejectionCode; readonly message: string }>> = {
  nesting: {
    code: 'nesting_too_deep',
    message: `Objects and arrays may be nested ${MAX_NESTING} deep inside an event.`,
  },
  property: { code: 'forbidden_property', message: 'The event has a property called __proto__.' },
  number: { code: 'invalid_number', message: 'A number is beyond what a 64-bit float can hold.' },
};

/** Longest part of a property's name that an answer repeats, in characters. */
const MAX_SHOWN_CHARS = 64;

function rejectionFor(problem: ValueProblem, event: JsonObject): Rejection {
  const { code, message } = PROBLEMS[problem];
  if (Array.isArray(event)) return { code, message };
  const name = Object.keys(event).find((each) => inspectValues({ [each]: event[each] }) === problem);
  return name === undefined
    ? { code, message }
    : { code, field: name.slice(0, MAX_SHOWN_CHARS).toWellFormed(), message };
}
