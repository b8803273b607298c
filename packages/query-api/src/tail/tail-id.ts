import { ApiError } from '@sluice/errors/api-errors';
import type { CommittedEvent } from './committed-events.ts';

/** The parts of a `Last-Event-ID`. */
export interface TailId {
  readonly tx: bigint;
  readonly eventId: string;
  /** When the event was stored, milliseconds since 1970: tells how far back to search for the rest. */
  readonly storedMs: number;
}

const TAIL_ID = /^(\d{1,19})\.(\d{1,14})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The id of an event in a stream. */
export function tailIdOf({ tx, stored_ms: storedMs, event_id: eventId }: CommittedEvent): string {
  return `${tx}.${storedMs}.${eventId}`;
}

/** @throws ApiError `invalid_request` */
export function parseTailId(text: string): TailId {
  const [, tx, storedMs, eventId] = TAIL_ID.exec(text) ?? [];
  if (eventId === undefined) throw new ApiError('invalid_request', 'Last-Event-ID is not one that a stream has given.');
  return { tx: BigInt(tx!), storedMs: Number(storedMs), eventId };
}
