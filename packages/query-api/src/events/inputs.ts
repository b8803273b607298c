import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { MAX_EVENT_TYPE_CHARS } from '@sluice/events/canonical-event';
import { indexedText } from '@sluice/events/indexed-text';
import { inspectValues } from '@sluice/events/json/inspect-values';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { parseTimestamp } from '@sluice/events/timestamp';
import { cursorProperty, type Order } from '../http/paging.ts';
import { oneOf, words } from '../http/schemas.ts';
import type { TotalMethod } from './count-events.ts';
import type { EventFilter } from './event-filter.ts';

/** Most values of one field in a filter. */
const MAX_VALUES = 100;

const value = (maxLength = 2_000) => Type.String({ minLength: 1, maxLength });
const values = (description: string, maxLength?: number) =>
  Type.Optional(Type.Array(value(maxLength), { minItems: 1, maxItems: MAX_VALUES, description }));

/** The tenant of the events. Only a key of all tenants may choose. */
export const tenantProperty = {
  tenant: Type.Optional(words(64, 'The tenant of the events; by default that of the key, or `default`.')),
};

/** The fields that every reader of events can filter by. */
export const fieldProperties = {
  event_types: values('Any of these types.', MAX_EVENT_TYPE_CHARS),
  user_names: values('By any of these users; for web collection, visitors.'),
  session_ids: values('Of any of these sessions.'),
  workbook_names: values('On any of these workbooks; for web collection, paths.'),
  correlation_ids: values('With any of these correlation ids.'),
  correlation_id: Type.Optional(value()),
};

/** A range of event time. */
export const rangeProperties = {
  start_time: Type.Optional(Type.String({ format: 'date-time', description: 'Occurred at or after.' })),
  end_time: Type.Optional(Type.String({ format: 'date-time', description: 'Occurred before.' })),
};

type Fields = Static<ReturnType<typeof Type.Object<typeof fieldProperties>>>;

/**
 * The fields of a request as the columns hold them: unstorable characters replaced, cut to 512 bytes.
 *
 * @throws ApiError `invalid_request` for two filters of one field
 */
export function fieldFilter(tenant: string, fields: Fields): EventFilter {
  const { correlation_id: correlationId, correlation_ids: correlationIds } = fields;
  if (correlationId !== undefined && correlationIds !== undefined) {
    throw new ApiError('invalid_request', 'Give either correlation_id or correlation_ids.');
  }
  return {
    tenant,
    eventTypes: fields.event_types?.map(columnText),
    actors: fields.user_names?.map(columnText),
    sessionIds: fields.session_ids?.map(columnText),
    resources: fields.workbook_names?.map(columnText),
    correlationIds: (correlationId === undefined ? correlationIds : [correlationId])?.map(columnText),
  };
}

/** A text as the indexed columns hold it. */
export function columnText(text: string): string {
  return indexedText(replaceUnstorableText(text) as string);
}

/**
 * Reads a range of time, in UTC with all decimals.
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
    throw new ApiError('invalid_request', 'end_time is earlier than start_time.');
  }
  return { start: start?.iso, end: end?.iso };
}

/** Largest `offset`: Postgres reads and discards everything before it. */
const MAX_OFFSET = 10_000;

/** Events on a page by default. */
export const DEFAULT_EVENTS = 100;

/** Tells how to make a query faster; for `withTimeoutHint`. */
export const TIMEOUT_HINT =
  'give a start_time, and one of session_ids, workbook_names, user_names, event_types or correlation_ids; payload has no index, so every event that the other fields leave is read; an exact total counts them all.';

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
            'Properties and values that the event contains, among others. Properties with their own filter are not found this way. There is no index: send a start_time too.',
        },
      ),
    ),
    order: Type.Optional(oneOf<Order>(['asc', 'desc'], { description: 'By event time; `desc` by default.' })),
    order_by: Type.Optional(oneOf(['timestamp'], { description: 'Events are always in the order of their own time.' })),
    order_desc: Type.Optional(Type.Boolean({ description: 'The same as `order`: true for `desc`, false for `asc`.' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description: `${DEFAULT_EVENTS} by default. A page with large events has fewer.`,
      }),
    ),
    offset: Type.Optional(
      Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description: 'For deeper pages use `cursor`.' }),
    ),
    cursor: cursorProperty,
    include_total: Type.Optional(
      Type.Unsafe<boolean | TotalMethod>({
        enum: [false, true, 'exact', 'estimated'],
        description: '`true` or `exact` counts every match; `estimated` uses the statistics of Postgres.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ event_types: ['CellChange'], order: 'desc', limit: 10 }] },
);

export type EventQuery = Static<typeof eventQuery>;

/**
 * The order of a query.
 *
 * @throws ApiError `invalid_body` when its two properties contradict each other
 */
export function orderOfQuery({ order, order_desc: descending }: EventQuery): Order {
  const wanted = descending === undefined ? order : descending ? 'desc' : 'asc';
  if (order !== undefined && order !== wanted) {
    throw new ApiError('invalid_body', `order is ${order}, but order_desc is ${descending}.`);
  }
  return wanted ?? 'desc';
}

/** How a query wants its total; null for no total. */
export function totalMethodOf({ include_total: wanted = false }: EventQuery): TotalMethod | null {
  return wanted === true ? 'exact' : wanted === false ? null : wanted;
}

/** The filter of a query. */
export function filterOfQuery(query: EventQuery, tenant: string, bodyText: string): EventFilter {
  return { ...fieldFilter(tenant, query), ...rangeOf(query), payload: payloadOf(query, bodyText) };
}

/** The payload as JSON text, as it would be stored: with all digits, without what Postgres refuses. */
function payloadOf(query: EventQuery, bodyText: string): string | undefined {
  if (query.payload === undefined) return undefined;
  if (inspectValues(query.payload) === 'number') {
    throw new ApiError('invalid_body', 'payload has a number beyond the range of a 64-bit float.');
  }
  const exact = (parseKeepingDigits(bodyText) as { payload: unknown }).payload;
  return JSON.stringify(replaceUnstorableText(exact));
}

/**
 * Checks the query of a download. It may begin at a cursor; everything else about pages is refused.
 *
 * @throws ApiError `invalid_body` naming the property
 */
export function refusePaging(query: EventQuery): void {
  const name = (['limit', 'offset', 'include_total'] as const).find((each) => query[each] !== undefined);
  if (name !== undefined) throw new ApiError('invalid_body', `${name} is for pages; a download has all matches.`);
}
