import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { MAX_EVENT_TYPE_CHARS } from '@sluice/events/canonical-event';
import { indexedText } from '@sluice/events/indexed-text';
import { parseTimestamp } from '@sluice/events/timestamp';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import type { EventFilter } from './event-filter.ts';

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
