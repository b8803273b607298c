import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { MAX_EVENT_TYPE_CHARS } from '@sluice/events/canonical-event';
import { indexedText } from '@sluice/events/indexed-text';
import { inspectValues } from '@sluice/events/json/inspect-values';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { nestingError } from '@sluice/events/json/read-body';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { parseTimestamp } from '@sluice/events/timestamp';
import { cursorProperty, type Order } from '../http/paging.ts';
import { oneOf } from '../http/schemas.ts';
import type { EventFilter } from './event-filter.ts';
import type { TotalMethod } from './rows.ts';

/** Most values of one field in a filter. */
const MAX_VALUES = 100;

const value = (maxLength = 2_000) => Type.String({ minLength: 1, maxLength });
const values = (description: string, maxLength?: number) =>
  Type.Optional(Type.Array(value(maxLength), { minItems: 1, maxItems: MAX_VALUES, description }));

/** Whose events; only a key of no tenant may choose. */
export const tenantProperty = {
  tenant: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: "Whose events; by default the key's tenant, or `default`.",
    }),
  ),
};

/** What events can be found by, wherever they are. */
export const fieldProperties = {
  event_types: values('Any of these types.', MAX_EVENT_TYPE_CHARS),
  user_names: values('By any of these users; for web collection, visitors.'),
  session_ids: values('Of any of these sessions.'),
  workbook_names: values('On any of these workbooks; for web collection, paths.'),
  correlation_id: Type.Optional(value()),
};

/** A range of event time. */
export const rangeProperties = {
  start_time: Type.Optional(Type.String({ format: 'date-time', description: 'Occurred at or after.' })),
  end_time: Type.Optional(Type.String({ format: 'date-time', description: 'Occurred before.' })),
};

type Fields = Static<ReturnType<typeof Type.Object<typeof fieldProperties>>>;

/** The fields of a request as the columns hold them: what Postgres can't store replaced, and cut to 512 bytes. */
export function fieldFilter(tenant: string, fields: Fields): EventFilter {
  return {
    tenant,
    eventTypes: fields.event_types?.map(columnText),
    actors: fields.user_names?.map(columnText),
    sessionIds: fields.session_ids?.map(columnText),
    resources: fields.workbook_names?.map(columnText),
    correlationId: fields.correlation_id === undefined ? undefined : columnText(fields.correlation_id),
  };
}

/** A text as the indexed columns hold it. */
export function columnText(text: string): string {
  return indexedText(replaceUnstorableText(text) as string);
}

/**
 * A range in UTC with all decimals.
 *
 * @throws ApiError `invalid_request` when it ends before it begins
 */
export function rangeOf(input: { start_time?: string | undefined; end_time?: string | undefined }): {
  start: string | undefined;
  end: string | undefined;
} {
  const start = input.start_time === undefined ? undefined : parseTimestamp(input.start_time)!;
  const end = input.end_time === undefined ? undefined : parseTimestamp(input.end_time)!;
  if (start !== undefined && end !== undefined && start.ms > end.ms) {
    throw new ApiError('invalid_request', 'end_time lies before start_time.');
  }
  return { start: start?.iso, end: end?.iso };
}

/** Deepest page by `offset`: Postgres reads and throws away all that comes before it. */
const MAX_OFFSET = 10_000;

/** Events on a page when the request does not say. */
export const DEFAULT_EVENTS = 100;

/** What would make a query faster; for `withTimeoutHint`. */
export const TIMEOUT_HINT =
  'give a start_time, and one of session_ids, workbook_names, user_names, event_types or correlation_id; payload has no index and looks at every event that the rest leaves, and an exact total counts them all.';

/** Body of `POST /api/events/query`. */
export const eventQuery = Type.Object(
  {
    ...tenantProperty,
    ...fieldProperties,
    ...rangeProperties,
    payload: Type.Optional(
      Type.Object(
        {},
        {
          minProperties: 1,
          additionalProperties: true,
          description:
            'The event has these properties with these values, among others; not those with a filter of their own. No index: give a start_time with it.',
        },
      ),
    ),
    order: Type.Optional(oneOf<Order>(['asc', 'desc'], { description: 'By event time; `desc` by default.' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description: `${DEFAULT_EVENTS} by default; large events make fewer.`,
      }),
    ),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description: 'Use `cursor` to go deeper.' })),
    cursor: cursorProperty,
    include_total: Type.Optional(
      Type.Unsafe<false | TotalMethod>({
        enum: [false, 'exact', 'estimated'],
        description: '`exact` counts every match; `estimated` asks the statistics of Postgres.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ event_types: ['CellChange'], order: 'desc', limit: 10 }] },
);

export type EventQuery = Static<typeof eventQuery>;

/** What a query asks for, as a filter. */
export function filterOfQuery(query: EventQuery, tenant: string, bodyText: string): EventFilter {
  return { ...fieldFilter(tenant, query), ...rangeOf(query), payload: payloadOf(query, bodyText) };
}

/** The payload as JSON text as it would be stored: all digits of its numbers, and nothing that Postgres refuses. */
function payloadOf(query: EventQuery, bodyText: string): string | undefined {
  if (query.payload === undefined) return undefined;
  const problem = inspectValues(query.payload);
  if (problem === 'nesting') throw nestingError();
  if (problem === 'number') {
    throw new ApiError('invalid_body', 'payload has a number beyond what a 64-bit float can hold.');
  }
  const exact = (parseKeepingDigits(bodyText) as { payload: unknown }).payload;
  return JSON.stringify(replaceUnstorableText(exact));
}

/**
 * Checks a query for a download: it is whole, or it begins at a cursor, and has no other pages.
 *
 * @throws ApiError `invalid_body` naming the property
 */
export function refusePaging(query: EventQuery): void {
  const name = (['limit', 'offset', 'include_total'] as const).find((each) => query[each] !== undefined);
  if (name !== undefined) throw new ApiError('invalid_body', `${name} is for pages; a download has all matches.`);
}
