import { createHash } from 'node:crypto';
import { ApiError } from '@sluice/errors/api-errors';
import { parseTimestamp } from '@sluice/events/timestamp';

/** Where a page ended: a time with microseconds and, for equal times, an id. */
export interface Position {
  /** ISO 8601 UTC with six decimals, as Postgres writes it. */
  readonly time: string;
  readonly id: string;
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/**
 * The opaque text behind which the next page starts. It belongs to one list: the same tenant, filter and order.
 *
 * @param list what the cursor belongs to, in any form that says it whole
 */
export function cursorFrom({ time, id }: Position, list: unknown): string {
  return Buffer.from(JSON.stringify([time, id, checksum(time, id, list)])).toString('base64url');
}

/**
 * @param isId whether a text can be an id of this list: anybody can work the checksum out
 * @throws ApiError `invalid_request` for a cursor that is not one, was changed, or belongs to another list
 */
export function positionOf(cursor: string, list: unknown, isId: (id: string) => boolean): Position {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw notOne();
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw notOne();
  const [time, id, sum] = parts as unknown[];
  if (typeof time !== 'string' || typeof id !== 'string') throw notOne();
  if (!TIME.test(time) || parseTimestamp(time) === null || !isId(id)) throw notOne();
  if (sum !== checksum(time, id, list)) {
    throw new ApiError('invalid_request', 'cursor was changed, or belongs to a list with another filter or order.');
  }
  return { time, id };
}

/** Not a secret: a cursor opens nothing that its filter does not. It catches mistakes before they look like data. */
function checksum(time: string, id: string, list: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([time, id, list]))
    .digest('base64url')
    .slice(0, 12);
}

function notOne(): ApiError {
  return new ApiError('invalid_request', 'cursor is not one that a list has given.');
}
