import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { parseTimestamp } from '@sluice/events/timestamp';

/** Selects dead letters. A field that is not given matches all. A replay stores it as JSON. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[];
  readonly reason?: string;
  readonly event_type?: string;
  readonly tenant?: string;
  /** First failure at or after this time, ISO 8601. */
  readonly since?: string;
  /** First failure before this time, ISO 8601. */
  readonly until?: string;
  /** Part of the message or of the payload's text; case does not matter. */
  readonly text?: string;
  /** `all` for every state. */
  readonly state?: string;
  readonly replay_id?: string;
}

/**
 * JSON text of the event that a dead letter holds; null for an unreadable entry. The collation is named because
 * convert_from() has the collation "C", in which lower() knows ASCII only.
 */
export const EVENT_JSON = sql<string | null>`
  coalesce(payload::text, CASE WHEN entry_index >= 0 AND raw IS NOT NULL
                               THEN convert_from(raw, 'UTF8') COLLATE "default" END)`;

/**
 * The filter as a condition on `dead_letters`.
 *
 * @param owner the caller's tenant: nothing of other tenants ever matches; null for all tenants
 */
export function matches(filter: DeadLetterFilter, owner: string | null): RawBuilder<SqlBool> {
  const state = filter.state ?? 'dead';
  const conditions = [
    // A literal, so that the planner sees that the partial index on dead ones fits.
    state === 'dead' ? sql<SqlBool>`state = 'dead'` : state === 'all' ? null : sql<SqlBool>`state = ${state}`,
    owner === null ? null : sql<SqlBool>`tenant = ${owner}`,
    filter.ids === undefined ? null : sql<SqlBool>`id = ANY(${filter.ids}::bigint[])`,
    filter.reason === undefined ? null : sql<SqlBool>`reason = ${filter.reason}`,
    filter.event_type === undefined ? null : sql<SqlBool>`event_type = ${filter.event_type}`,
    filter.tenant === undefined ? null : sql<SqlBool>`tenant = ${filter.tenant}`,
    filter.since === undefined ? null : sql<SqlBool>`first_failed_at >= ${inUtc(filter.since)}::timestamptz`,
    filter.until === undefined ? null : sql<SqlBool>`first_failed_at < ${inUtc(filter.until)}::timestamptz`,
    filter.replay_id === undefined ? null : sql<SqlBool>`replay_id = ${filter.replay_id}::uuid`,
    filter.text === undefined
      ? null
      : sql<SqlBool>`(strpos(lower(message), lower(${filter.text})) > 0
                      OR strpos(lower(${EVENT_JSON}), lower(${filter.text})) > 0)`,
  ].filter((each) => each !== null);
  return conditions.length === 0 ? sql<SqlBool>`true` : sql.join(conditions, sql` AND `);
}

/** Postgres knows no offset above 15:59, RFC 3339 all up to 23:59. */
function inUtc(time: string): string {
  return parseTimestamp(time)?.iso ?? time;
}
