import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Kysely } from 'kysely';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { isUuid } from '@sluice/events/event-id';
import { inspectValues } from '@sluice/events/json/inspect-values';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import { nestingError } from '@sluice/events/json/read-body';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { type UntilGone, untilGone } from '../http/client-gone.ts';
import type { Order } from '../http/cursor.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { fieldFilter, fieldProperties, rangeOf, rangeProperties, tenantProperty } from './event-input.ts';
import { cursorFrom, positionOf } from '../http/list-cursor.ts';
import { countEvents, type TotalMethod } from './count-events.ts';
import type { EventFilter } from './event-filter.ts';
import { type EventList, placeOf, readEventPage, readEvents } from './event-page.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import type { QueryContext } from '../query-context.ts';
import { readingTenant } from '../http/reading-tenant.ts';
import { nextCursor, wireEventSchema } from './event-schemas.ts';

/** Deepest page by `offset`: Postgres reads and throws away all that comes before it. */
const MAX_OFFSET = 10_000;

const DEFAULT_LIMIT = 100;

/** Events read at once for a download: 25 MB of the largest. */
const DOWNLOAD_EVENTS = 100;

const TIMEOUT_HINT =
  'give a start_time, and one of session_ids, workbook_names, user_names, event_types or correlation_id; payload has no index and looks at every event that the rest leaves, and an exact total counts them all.';

const body = Type.Object(
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
    order: Type.Optional(
      Type.Unsafe<Order>({ type: 'string', enum: ['asc', 'desc'], description: 'By event time; `desc` by default.' }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description: `${DEFAULT_LIMIT} by default; large events make fewer.`,
      }),
    ),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description: 'Use `cursor` to go deeper.' })),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: '`next_cursor` of the page before.' }),
    ),
    include_total: Type.Optional(
      Type.Unsafe<false | TotalMethod>({
        enum: [false, 'exact', 'estimated'],
        description: '`exact` counts every match; `estimated` asks the statistics of Postgres.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ event_types: ['CellChange'], order: 'desc', limit: 10 }] },
);

type Query = Static<typeof body>;

/** `POST /api/events/query`: events by filter, as pages or as a download of all. */
export function addQueryEventsRoute(server: FastifyInstance, { readDatabase, isStopping }: QueryContext): void {
  const holdDownload = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.post('/api/events/query', {
    config: { scope: 'read' },
    schema: {
      tags: ['events'],
      summary: 'Events by filter, newest first',
      description:
        'Fields are combined with AND, values of one field with OR; times are `start_time` ≤ event < `end_time`. With `Accept: application/x-ndjson` the answer is a download of all matches from `cursor` on, one event a line; it has no `limit`; one key may have 10 of them open.',
      body,
      response: {
        200: Type.Object({
          events: Type.Array(wireEventSchema),
          next_cursor: nextCursor,
          total: Type.Optional(Type.Integer()),
          total_method: Type.Optional(Type.Unsafe<TotalMethod>({ type: 'string', enum: ['exact', 'estimated'] })),
        }),
        ...errorResponses('query', 400, 401, 403, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const query = request.body as Query;
      const filter = filterOf(query, readingTenant(query.tenant, request.operator), request.bodyText);
      const { order = 'desc', limit = DEFAULT_LIMIT, offset, cursor, include_total: method = false } = query;
      const list = [filter, order];
      if (cursor !== undefined && offset !== undefined) {
        throw new ApiError('invalid_body', 'Give either cursor or offset.');
      }
      const after = cursor === undefined ? undefined : positionOf(cursor, list, isUuid);
      const db = readDatabase.db;
      const gone = untilGone(reply);
      if (request.headers.accept?.includes('application/x-ndjson')) {
        refusePaging(query);
        holdDownload(request.operator, reply);
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .send(Readable.from(download(db, { filter, order, after }, gone, isStopping)));
      }
      return withTimeoutHint(TIMEOUT_HINT, async () => {
        const { events, more } = await readEventPage(db, { filter, order, after }, { limit, offset }, gone);
        return {
          events: events.map(toWire),
          next_cursor: more ? cursorFrom(placeOf(events.at(-1)!), list) : null,
          ...(method === false ? {} : { total: await countEvents(db, filter, method, gone), total_method: method }),
        };
      });
    },
  });
}

function filterOf(query: Query, tenant: string, bodyText: string): EventFilter {
  return { ...fieldFilter(tenant, query), ...rangeOf(query), payload: payloadOf(query, bodyText) };
}

/** The payload as JSON text as it would be stored: all digits of its numbers, and nothing that Postgres refuses. */
function payloadOf(query: Query, bodyText: string): string | undefined {
  if (query.payload === undefined) return undefined;
  const problem = inspectValues(query.payload);
  if (problem === 'nesting') throw nestingError();
  if (problem === 'number') {
    throw new ApiError('invalid_body', 'payload has a number beyond what a 64-bit float can hold.');
  }
  const exact = (parseKeepingDigits(bodyText) as { payload: unknown }).payload;
  return JSON.stringify(replaceUnstorableText(exact));
}

/** A download is whole, or it begins at a cursor: it has no other pages. */
function refusePaging(query: Query): void {
  const name = (['limit', 'offset', 'include_total'] as const).find((each) => query[each] !== undefined);
  if (name !== undefined) throw new ApiError('invalid_body', `${name} is for pages; a download has all matches.`);
}

/**
 * All matches as lines, chunk by chunk: the next is read when the client has taken the one before, and between two
 * no connection and no snapshot is held.
 */
async function* download(
  db: Kysely<unknown>,
  list: EventList,
  gone: UntilGone,
  isStopping: () => boolean,
): AsyncGenerator<string> {
  for (let after = list.after; ;) {
    const from = after;
    const read = (): Promise<readonly StoredEvent[]> =>
      withTimeoutHint(TIMEOUT_HINT, () => readEvents(db, { ...list, after: from }, { limit: DOWNLOAD_EVENTS }, gone));
    // As children of the request's span, thousands of statements would make a trace that nobody can look at.
    const events = await (from === list.after ? read() : untraced(read));
    if (events.length > 0) yield events.map((event) => `${JSON.stringify(toWire(event))}\n`).join('');
    if (events.length < DOWNLOAD_EVENTS) return;
    // Cut on purpose: a download that looks whole and is not would be worse.
    if (isStopping()) throw new Error('the query API is stopping');
    after = placeOf(events.at(-1)!);
  }
}
