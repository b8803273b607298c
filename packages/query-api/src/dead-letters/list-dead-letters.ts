import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type Kysely, sql } from 'kysely';
import { type Static, Type } from 'typebox';
import { matches } from '@sluice/store/dead-letter-filter';
import { errorResponses } from '@sluice/errors/error-schema';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { checkTenant } from './choose-letters.ts';
import { cursorAfter, type Order } from '../http/cursor.ts';
import { listProperties, pageProperties } from '../http/input-schemas.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import { listLetters, listWholeLetters, type PageOf } from './dead-letter-rows.ts';
import { utc } from '../http/utc.ts';
import type { QueryContext } from '../query-context.ts';
import { letterSchema } from './answer-schemas.ts';

/** Dead letters in one page of a download: with payloads of 256 KiB each, some 25 MB in memory. */
const DOWNLOAD_PAGE = 100;

const listQuery = Type.Object(
  {
    ...listProperties,
    ...pageProperties,
    order: Type.Optional(Type.Unsafe<Order>({ type: 'string', enum: ['asc', 'desc'], default: 'desc' })),
  },
  { additionalProperties: false },
);
const summaryQuery = Type.Object(listProperties, { additionalProperties: false });

const shared = { tags: ['dead letters'] };

/** `GET /api/dead-letters`, as a page or as a download, and `GET /api/dead-letters/summary`. */
export function addListRoutes(server: FastifyInstance, { database, isStopping }: QueryContext): void {
  const holdDownload = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.get('/api/dead-letters', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'What failed, newest first',
      description:
        'With `Accept: application/x-ndjson` the answer is a download of all matches with their payloads, one JSON object a line; `limit` and `cursor` do not count then.',
      querystring: listQuery,
      response: {
        200: Type.Object({
          dead_letters: Type.Array(letterSchema),
          next_cursor: Type.Union([Type.String(), Type.Null()]),
        }),
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { limit = 50, cursor, order = 'desc', ...filter } = request.query as Static<typeof listQuery>;
      checkTenant(filter, request.operator);
      const db = database.db;
      const page = { filter, owner: request.operator.tenant, order, cursor, limit };
      if (request.headers.accept?.includes('application/x-ndjson')) {
        holdDownload(request.operator, reply);
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .header('content-disposition', 'attachment; filename="dead-letters.ndjson"')
          .send(Readable.from(download(db, { ...page, cursor: undefined, limit: DOWNLOAD_PAGE }, isStopping)));
      }
      // One more than asked for tells whether there is a next page.
      const rows = await listLetters(db, { ...page, limit: limit + 1 });
      const letters = rows.slice(0, limit);
      const last = letters.at(-1);
      return {
        dead_letters: letters,
        next_cursor: rows.length > limit && last !== undefined ? cursorAfter(last.id, order) : null,
      };
    },
  });

  server.get('/api/dead-letters/summary', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'How many there are of which kind, by reason, event type and hour',
      querystring: summaryQuery,
      response: {
        200: Type.Object({
          groups: Type.Array(
            Type.Object({
              reason: Type.String(),
              event_type: Type.Union([Type.String(), Type.Null()]),
              hour: Type.String({ format: 'date-time' }),
              count: Type.Integer(),
              first_failed_at: Type.String({ format: 'date-time' }),
              last_failed_at: Type.String({ format: 'date-time' }),
            }),
          ),
          total: Type.Integer(),
        }),
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request) => {
      const filter = request.query as Static<typeof summaryQuery>;
      checkTenant(filter, request.operator);
      const { rows } = await sql<{ count: string }>`
        SELECT reason, event_type, ${utc('hour')}, count, ${utc('first_failed_at')}, ${utc('last_failed_at')}
        FROM (
          SELECT reason, event_type, date_trunc('hour', first_failed_at, 'UTC') AS hour, count(*) AS count,
                 min(first_failed_at) AS first_failed_at, max(last_failed_at) AS last_failed_at
          FROM dead_letters WHERE ${matches(filter, request.operator.tenant)}
          GROUP BY 1, 2, 3
        ) g ORDER BY g.hour DESC, count DESC, reason, event_type`.execute(database.db);
      const groups = rows.map((row) => ({ ...row, count: Number(row.count) }));
      return { groups, total: groups.reduce((sum, { count }) => sum + count, 0) };
    },
  });
}

/** All matches as lines, page by page: the next page is only read when the client has taken the one before. */
async function* download(db: Kysely<unknown>, page: PageOf, isStopping: () => boolean): AsyncGenerator<string> {
  for (let cursor: string | undefined; ;) {
    const from = cursor;
    const read = () => listWholeLetters(db, { ...page, cursor: from });
    // As children of the request's span, all these statements would make a trace that nobody can look at.
    const letters = await (from === undefined ? read() : untraced(read));
    yield letters.map((letter) => `${JSON.stringify(letter)}\n`).join('');
    const last = letters.at(-1);
    if (last === undefined || letters.length < page.limit) return;
    // Cut on purpose: a download that looks whole and is not would be worse.
    if (isStopping()) throw new Error('the query API is stopping');
    cursor = cursorAfter(last.id, page.order);
  }
}
