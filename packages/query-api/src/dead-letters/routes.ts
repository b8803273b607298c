import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Kysely } from 'kysely';
import { type Static, Type } from 'typebox';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { errorResponses } from '@sluice/errors/error-schema';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { inTransaction } from '@sluice/store/transaction';
import { linesInPieces, openDownload } from '../http/lines.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import { type Order, pageProperties, type Place, placeOf, readPage } from '../http/paging.ts';
import { nextCursor, noteOf, noteProperties, oneOf, requiredNoteOf } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { letterGroupSchema, letterSchema, nothingToDo, wholeLetterSchema } from './answers.ts';
import { discardLetters, editLetter, RejectedPayload } from './commands.ts';
import { choiceProperties, letterParams, listProperties } from './inputs.ts';
import { findNothingToDo } from './nothing-to-do.ts';
import {
  checkTenant,
  chosenLetters,
  deadLetters,
  type LetterPage,
  listLetters,
  listWholeLetters,
  summarizeLetters,
  wholeLetter,
} from './rows.ts';

/** Most dead letters in one read of a download; their payloads together are at most `READ_CHUNK_BYTES`. */
const DOWNLOAD_PAGE = 100;

const listQuery = Type.Object(
  {
    ...listProperties,
    ...pageProperties,
    order: Type.Optional(oneOf<Order>(['asc', 'desc'], { default: 'desc' })),
  },
  { additionalProperties: false },
);
const summaryQuery = Type.Object(listProperties, { additionalProperties: false });

const editBody = Type.Object(
  {
    payload: Type.Unknown({ description: 'The whole event, as a client would send it.' }),
    ...noteProperties,
    version: Type.Optional(
      Type.String({
        maxLength: 20,
        description: 'The `version` that was edited; the edit fails if the dead letter has changed since.',
      }),
    ),
  },
  { additionalProperties: false },
);
const discardBody = Type.Object({ ...choiceProperties, ...noteProperties }, { additionalProperties: false });

const shared = { tags: ['dead letters'] };

/** `/api/dead-letters`: list, download and summary; one of them; fixing and discarding. */
export function addDeadLetterRoutes(server: FastifyInstance, context: QueryContext): void {
  addListRoutes(server, context);
  addShowRoute(server, context);
  addEditRoute(server, context);
  addDiscardRoute(server, context);
}

/** `GET /api/dead-letters`, as a page or as a download, and `GET /api/dead-letters/summary`. */
function addListRoutes(server: FastifyInstance, { database, isStopping }: QueryContext): void {
  const holdDownload = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.get('/api/dead-letters', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List dead letters, newest first',
      description:
        'With `Accept: application/x-ndjson` the answer is a download of all matches with their payloads, one JSON object a line. It ignores `limit` and `cursor`.',
      querystring: listQuery,
      response: {
        200: Type.Object({
          dead_letters: Type.Array(letterSchema),
          next_cursor: nextCursor,
        }),
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { limit, cursor, order = 'desc', ...filter } = request.query as Static<typeof listQuery>;
      checkTenant(filter, request.operator);
      const db = database.db;
      const letters = { filter, owner: request.operator.tenant, order };
      if (request.headers.accept?.includes('application/x-ndjson')) {
        holdDownload(request.operator, reply);
        request.held.require(READ_CHUNK_BYTES);
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .header('content-disposition', 'attachment; filename="dead-letters.ndjson"')
          .send(await openDownload(downloadLetters(db, letters, isStopping)));
      }
      const { rows, next } = await readPage(deadLetters(order), { cursor, limit }, (after, wanted) =>
        listLetters(db, { ...letters, after, limit: wanted }),
      );
      return { dead_letters: rows, next_cursor: next };
    },
  });

  server.get('/api/dead-letters/summary', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Count dead letters by reason, event type and hour',
      querystring: summaryQuery,
      response: {
        200: Type.Object({
          groups: Type.Array(letterGroupSchema),
          total: Type.Integer(),
        }),
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request) => {
      const filter = request.query as Static<typeof summaryQuery>;
      checkTenant(filter, request.operator);
      const groups = await summarizeLetters(database.db, filter, request.operator);
      return { groups, total: groups.reduce((sum, { count }) => sum + count, 0) };
    },
  });
}

/** `GET /api/dead-letters/{id}`. */
function addShowRoute(server: FastifyInstance, { database, config }: QueryContext): void {
  server.get('/api/dead-letters/:id', {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show one dead letter with payload, history, replays and trace',
      params: letterParams,
      response: { 200: wholeLetterSchema, ...errorResponses('query', 400, 401, 404, 503, 504) },
    },
    handler: async (request) => {
      const { id } = request.params as Static<typeof letterParams>;
      return wholeLetter(database.db, id, request.operator, config.TRACE_URL_TEMPLATE);
    },
  });
}

/** `PATCH /api/dead-letters/{id}`: fixes the payload, so that a replay can succeed. */
function addEditRoute(server: FastifyInstance, { database, config }: QueryContext): void {
  server.patch('/api/dead-letters/:id', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Fix the payload of a dead letter',
      description:
        'The new payload is validated as ingest validates it. It must give the event the same id. `original_payload` keeps what the client sent.',
      params: letterParams,
      body: editBody,
      response: { 200: wholeLetterSchema, ...errorResponses('query', 400, 401, 403, 404, 409, 413, 422, 503, 504) },
    },
    handler: async (request, reply) => {
      const { id } = request.params as Static<typeof letterParams>;
      const { payload, version, ...why } = request.body as Static<typeof editBody>;
      const reason = noteOf(why);
      const { payload: exact } = parseKeepingDigits(request.bodyText) as { payload: unknown };
      try {
        return await inTransaction(database, async (db) => {
          await editLetter(
            db,
            { id, payload, exact, reason, version, operator: request.operator },
            config.MAX_EVENT_BYTES,
          );
          return wholeLetter(db, id, request.operator, config.TRACE_URL_TEMPLATE);
        });
      } catch (error) {
        if (!(error instanceof RejectedPayload)) throw error;
        const { code, message, statusCode, rejection } = error;
        return (reply as FastifyReply)
          .code(statusCode)
          .send({ error: { code, message, request_id: request.id }, errors: [rejection] });
      }
    },
  });
}

/** `POST /api/dead-letters/discards`: discards dead letters, which stay readable. */
function addDiscardRoute(server: FastifyInstance, { database }: QueryContext): void {
  server.post('/api/dead-letters/discards', {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Discard dead letters, with a note',
      description:
        'Send either `ids` or `filter`; an empty filter selects all that are dead. Discarded dead letters stay readable.',
      body: discardBody,
      response: {
        200: Type.Object({ discarded: Type.Integer(), nothing_to_do: nothingToDo }),
        ...errorResponses('query', 400, 401, 403, 404, 413, 503, 504),
      },
    },
    handler: async (request) => {
      const { note, reason: formerly, ...choice } = request.body as Static<typeof discardBody>;
      const reason = requiredNoteOf({ note, reason: formerly });
      const { operator } = request;
      const filter = await chosenLetters(database.db, choice, operator);
      const nothing = await findNothingToDo(database.db, filter, operator);
      const discarded = await discardLetters(database, { filter, operator, reason });
      return { discarded, nothing_to_do: nothing };
    },
  });
}

/** Yields all matches as lines, in pieces. The next page is read once the client has taken the one before. */
async function* downloadLetters(
  db: Kysely<unknown>,
  letters: Pick<LetterPage, 'filter' | 'owner' | 'order'>,
  isStopping: () => boolean,
): AsyncGenerator<string> {
  for (let after: Place | undefined; ;) {
    const from = after;
    const read = () => listWholeLetters(db, { ...letters, after: from, limit: DOWNLOAD_PAGE });
    // Only the first statement is a child of the request's span: a trace with thousands could not be read.
    const { rows, cut } = await (from === undefined ? read() : untraced(read));
    yield* linesInPieces(rows, (letter) => letter);
    if (!cut && rows.length < DOWNLOAD_PAGE) return;
    // Breaks the answer off on purpose: a partial download must not look complete.
    if (isStopping()) throw new Error('the query API is stopping');
    after = placeOf(rows.at(-1)!, deadLetters(letters.order));
  }
}
