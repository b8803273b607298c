import { ApiError } from '@sluice/shared/errors/api-errors';
import { MAX_NESTING } from '@sluice/shared/events/canonical-event';
import type { EventAdapter, JsonObject, Rejection } from '@sluice/shared/events/event-adapter';
import { inspectValues } from '@sluice/shared/events/inspect-values';
import type { EventSpan } from '@sluice/shared/events/locate-events';
import { CHARACTERS_REPLACED, hasUnstorableText, maySpellUnstorableText } from '@sluice/shared/events/unstorable-text';
import { checkNamedTenant } from './authenticate.ts';

/** One line of `errors` in the answer. */
export interface RejectedEvent extends Rejection {
  readonly index: number;
  readonly event_id: string | null;
}

/** One line of `warnings`: an event that is taken, but not quite as it was sent. */
export interface EventWarning {
  readonly index: number;
  readonly code: typeof CHARACTERS_REPLACED;
  readonly message: string;
}

/** What became of a batch. */
export interface Verdict {
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
}

/** What validation needs to know of the request. */
export interface ValidationContext {
  readonly adapter: EventAdapter;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly maxEventBytes: number;
  /** Where each event stands in the body; null when none of them can be too large. */
  readonly spans: readonly EventSpan[] | null;
}

/**
 * Looks at each event of a batch. An event that can't be taken is rejected with its reason, the others are
 * not affected by it.
 *
 * @param text the body's JSON
 * @throws ApiError for what condemns the whole request: nesting beyond the limit, another tenant's name
 */
export function validateEvents(events: readonly unknown[], text: string, context: ValidationContext): Verdict {
  const rejected: RejectedEvent[] = [];
  const warnings: EventWarning[] = [];
  const mayNeedReplacing = maySpellUnstorableText(text);
  for (const [index, event] of events.entries()) {
    const rejection = validateEvent(event, index, context);
    if (rejection !== null) {
      const id = (event as JsonObject | null)?.['eventId'];
      rejected.push({ index, event_id: typeof id === 'string' ? id.slice(0, 128) : null, ...rejection });
    } else if (mayNeedReplacing && hasUnstorableText(event)) {
      warnings.push({
        index,
        code: CHARACTERS_REPLACED,
        message: 'Characters that PostgreSQL cannot store (U+0000, lone surrogates) are stored as U+FFFD.',
      });
    }
  }
  return { rejected, warnings };
}

function validateEvent(event: unknown, index: number, context: ValidationContext): Rejection | null {
  const problem = typeof event === 'object' && event !== null ? inspectValues(event) : null;
  if (problem === 'nesting') throw nestingError();
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { code: 'not_an_object', message: 'An event must be a JSON object.' };
  }
  checkNamedTenant((event as JsonObject)['tenant'], context.tenant, `Event ${index}`);
  if (problem === 'number') {
    return { code: 'invalid_number', message: 'A number is beyond what a 64-bit float can hold.' };
  }
  const span = context.spans?.[index];
  if (span !== undefined && span.end - span.start > context.maxEventBytes) {
    return {
      code: 'event_too_large',
      message: `The event has ${span.end - span.start} bytes; the limit is ${context.maxEventBytes}.`,
    };
  }
  return context.adapter.validate(event as JsonObject, context.receivedAt);
}

/** The answer to a body that is nested too deep, inside an event or around it. */
export function nestingError(): ApiError {
  return new ApiError('nesting_too_deep', `Objects and arrays may be nested ${MAX_NESTING} deep inside an event.`);
}
