import type { EventWarning, RejectedEvent } from '@sluice/events/adapters/door';
import type { EventAdapter, JsonObject } from '@sluice/events/adapters/event-adapter';
import type { EventSpan } from '@sluice/events/json/locate-events';
import { CHARACTERS_REPLACED, hasUnstorableText, maySpellUnstorableText } from '@sluice/events/json/unstorable-text';
import { validateEvent } from '@sluice/events/validate-event';

/** The result of validation, for a whole batch. */
export interface Verdict {
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
}

/** What validation needs to know about the request. */
export interface ValidationContext {
  readonly adapter: EventAdapter;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly maxEventBytes: number;
  /** The JSON that the events are in. */
  readonly body: Uint8Array;
  /** Finds the events in the body. Called only when one of them may be too large. */
  readonly locate: () => readonly EventSpan[];
}

/**
 * Validates each event of a batch. An invalid event is rejected alone, with its reason.
 *
 * @param text the body's JSON
 * @throws ApiError `tenant_mismatch` for an event that names another tenant: that refuses the whole request
 */
export function validateEvents(events: readonly unknown[], text: string, context: ValidationContext): Verdict {
  const rejected: RejectedEvent[] = [];
  const warnings: EventWarning[] = [];
  const { body, locate } = context;
  const mayNeedReplacing = maySpellUnstorableText(text);
  for (const [index, event] of events.entries()) {
    const rejection = validateEvent(event, {
      ...context,
      bytesAround: body.length,
      json: () => {
        const { start, end } = locate()[index]!;
        return body.subarray(start, end);
      },
      name: `Event ${index}`,
    });
    if (rejection !== null) {
      const id = isObject(event) ? context.adapter.givenId(event) : null;
      rejected.push({ index, event_id: id?.slice(0, MAX_SHOWN_ID_CHARS) ?? null, ...rejection });
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

/** Longest part of a rejected event's id that an answer repeats, in characters. */
const MAX_SHOWN_ID_CHARS = 128;

function isObject(event: unknown): event is JsonObject {
  return typeof event === 'object' && event !== null;
}
