import { sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { isoTime } from '@sluice/store/iso-time';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';

/** One row of an export, as Postgres returns it. */
export interface ExportRow extends StoredEvent {
  readonly tenant: string;
  /** ISO 8601 UTC with six decimals, as `occurred_at`. */
  readonly received_at: string;
  readonly stored_at: string;
}

/** The columns of `events` that an export needs. */
export const EXPORT_COLUMNS = sql`${WIRE_COLUMNS}, tenant, ${isoTime('received_at')} AS received_at,
  ${isoTime('stored_at')} AS stored_at`;

/** Turns such a time into microseconds since 1970. */
export function epochMicroseconds(iso: string): bigint {
  return BigInt(Date.parse(`${iso.slice(0, 23)}Z`)) * 1000n + BigInt(iso.slice(23, 26));
}
