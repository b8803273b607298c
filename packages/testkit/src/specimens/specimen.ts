import type { Door } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import type { EventAdapter, RejectionCode } from '@sluice/events/adapters/event-adapter';
import type { Random } from '../random.ts';

/** What the conformance suite needs to know about a source: how its clients write and send events. */
export interface Specimen {
  readonly adapter: EventAdapter;
  readonly doors: readonly SpecimenDoor[];
  /**
   * JSON text of an event that is accepted, as different from the last one as clients' events can be. Its id, if it has
   * one, is no other event's.
   */
  event(this: void, random: Random): string;
  /** JSON text of the smallest event that is accepted, with this JSON value in it where any value is retained. */
  withValue(this: void, value: string): string;
  /** How many objects and arrays of the event are around that value. */
  readonly levels: number;
  /** Events that are rejected, with the reason. */
  readonly rejected: readonly { readonly event: string; readonly code: RejectionCode }[];
  /** The answer to reading an accepted event, from what was sent and its id. */
  givenBack(this: void, event: Readonly<Record<string, unknown>>, eventId: string): Record<string, unknown>;
}

/** A door and the requests to it. */
export interface SpecimenDoor {
  readonly door: Door;
  /**
   * The request that sends these events. A key goes where the door reads it in the body, if it does; the suite adds
   * it in the other positions.
   *
   * @returns null when the door can't carry such events
   */
  request(this: void, events: readonly string[], key: string | null): DoorRequest | null;
}
