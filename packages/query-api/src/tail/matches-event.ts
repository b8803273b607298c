import type { EventFilter } from '../events/event-filter.ts';
import type { CommittedEvent } from './committed-events.ts';

/** Applies the fields of a filter to an event in memory; the same as `matchesFilter` in SQL. */
export function matchesEvent(filter: EventFilter, event: CommittedEvent): boolean {
  return (
    event.tenant === filter.tenant &&
    isOneOf(filter.eventTypes, event.event_type) &&
    isOneOf(filter.actors, event.actor) &&
    isOneOf(filter.sessionIds, event.session_id) &&
    isOneOf(filter.resources, event.resource) &&
    isOneOf(filter.correlationIds, event.correlation_id)
  );
}

function isOneOf(wanted: readonly string[] | undefined, value: string | null): boolean {
  return wanted === undefined || (value !== null && wanted.includes(value));
}
