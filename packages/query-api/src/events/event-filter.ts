import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { MAX_FUTURE_MS } from '@sluice/events/canonical-event';

/** Selects events. A field that is left out does not restrict. */
export interface EventFilter {
  readonly tenant: string;
  readonly eventTypes?: readonly string[] | undefined;
  readonly actors?: readonly string[] | undefined;
  readonly sessionIds?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly correlationIds?: readonly string[] | undefined;
  /** Occurred at or after, ISO 8601 UTC. */
  readonly start?: string | undefined;
  /** Occurred before, ISO 8601 UTC. */
  readonly end?: string | undefined;
  /** JSON text that the payload must contain. */
  readonly payload?: string | undefined;
}

/** With more values than this the filter is not split: each value costs the planner half a millisecond. */
const MAX_SPLITS = 16;

/** The fields with an index, the most selective first. */
const INDEXED = [
  { column: 'correlation_id', values: (filter: EventFilter) => filter.correlationIds },
  { column: 'session_id', values: (filter: EventFilter) => filter.sessionIds },
  { column: 'resource', values: (filter: EventFilter) => filter.resources },
  { column: 'actor', values: (filter: EventFilter) => filter.actors },
  { column: 'event_type', values: (filter: EventFilter) => filter.eventTypes },
] as const;

/** The filter as one condition on `events`. */
export function matchesFilter(filter: EventFilter): RawBuilder<SqlBool> {
  return allOf([...onFields(filter), ...onTheRest(filter)]);
}

/**
 * The filter as conditions that exclude each other and together equal it: one for each value of its most selective
 * field. An index serves each of them in the order of time. It serves no condition with several values, and the planner
 * may read the whole tenant instead: 282 ms instead of 7 at a million events, for two users without events.
 */
export function splitFilter(filter: EventFilter): readonly RawBuilder<SqlBool>[] {
  const split = INDEXED.find(({ values }) => (values(filter)?.length ?? 0) > 0);
  const values = split === undefined ? [] : [...new Set(split.values(filter))];
  if (split === undefined || values.length === 1 || values.length > MAX_SPLITS) return [matchesFilter(filter)];
  const rest = [...onFields(filter, split.column), ...onTheRest(filter)];
  return values.map((value) => allOf([sql<SqlBool>`${sql.ref(split.column)} = ${value}`, ...rest]));
}

/**
 * Prunes partitions, which are by `stored_at`. The time is computed here and bound as a parameter, so that the planner
 * sees it. An expression would prune only at execution (11.3 ms instead of 1.2).
 *
 * @param start earliest `occurred_at`, ISO 8601
 */
export function storedSince(start: string): RawBuilder<SqlBool> {
  // Ingest refuses events whose own time is further ahead. Nothing was stored before 1970, and Postgres knows no year 0.
  const since = new Date(Math.max(0, Date.parse(start) - MAX_FUTURE_MS));
  return sql<SqlBool>`stored_at >= ${since.toISOString()}::timestamptz`;
}

/** Combines conditions with AND. */
export function allOf(conditions: readonly RawBuilder<SqlBool>[]): RawBuilder<SqlBool> {
  return conditions.length === 0 ? sql<SqlBool>`true` : sql<SqlBool>`${sql.join(conditions, sql` AND `)}`;
}

function onFields(filter: EventFilter, except?: string): RawBuilder<SqlBool>[] {
  return INDEXED.flatMap(({ column, values }) => {
    const wanted = values(filter);
    if (column === except || !wanted || wanted.length === 0) return [];
    return wanted.length === 1
      ? sql<SqlBool>`${sql.ref(column)} = ${wanted[0]}`
      : sql<SqlBool>`${sql.ref(column)} = ANY(${wanted}::text[])`;
  });
}

function onTheRest({ tenant, start, end, payload }: EventFilter): RawBuilder<SqlBool>[] {
  return [
    sql<SqlBool>`tenant = ${tenant}`,
    ...(start === undefined ? [] : [storedSince(start), sql<SqlBool>`occurred_at >= ${start}::timestamptz`]),
    ...(end === undefined ? [] : [sql<SqlBool>`occurred_at < ${end}::timestamptz`]),
    ...(payload === undefined ? [] : [sql<SqlBool>`payload @> ${payload}::jsonb`]),
  ];
}
