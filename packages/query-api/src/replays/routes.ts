import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { inTransaction } from '@sluice/store/transaction';
import { choiceProperties } from '../dead-letters/inputs.ts';
import { findNothingToDo } from '../dead-letters/nothing-to-do.ts';
import { chosenLetters } from '../dead-letters/rows.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import { pageProperties, readPage } from '../http/paging.ts';
import { bodyOrNull, nextCursor, noBody, noteOf, noteProperties, uuidParams } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { dryRunSchema, replaySchema, requestedReplaySchema } from './answers.ts';
import { REPLAY_STEPS, type ReplayStep, requestReplay, steerReplay } from './commands.ts';
import { followReplay } from './follow-replay.ts';
import { findReplay, listReplays, REPLAYS } from './rows.ts';
import { tryReplay } from './try-replay.ts';

const createBody = Type.Object(
  {
    ...choiceProperties,
    dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Only tell what would happen.' })),
    rate_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
    ...noteProperties,
  },
  { additionalProperties: false },
);
const listQuery = Type.Object(pageProperties, { additionalProperties: false });

const shared = { tags: ['replays'] };
const BASE = '/api/dead-letters/replays';

/** `/api/dead-letters/replays`: request, list, show and follow replays; pause, resume and cancel them. */
export function addReplayRoutes(server: FastifyInstance, context: QueryContext): void {
  const { database, replayJobs, logger } = context;
  addProgressRoute(server, context);
  const wake = (id: string, requestId: string) => wakeOrWarn(replayJobs, id, logger, { request_id: requestId });

  server.post(BASE, {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Put dead letters back on the stream, under their original event ids',
      description:
        'Send either `ids` or `filter`; an empty filter selects all that are dead. `dry_run` tries at most 1,000 of them, in a transaction that is rolled back, and answers 200.',
      body: createBody,
      response: {
        200: dryRunSchema,
        202: requestedReplaySchema,
        ...errorResponses('query', 400, 401, 403, 404, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const {
        dry_run,
        rate_per_second: ratePerSecond = 100,
        note,
        reason: formerly,
        ...choice
      } = request.body as Static<typeof createBody>;
      const reason = noteOf({ note, reason: formerly });
      const { operator } = request;
      const db = database.db;
      const filter = await chosenLetters(db, choice, operator);
      const nothing = { nothing_to_do: await findNothingToDo(db, filter, operator) };
      if (dry_run === true) return { ...(await tryReplay(database, filter, operator)), ...nothing };
      const id = await inTransaction(database, (transaction) =>
        requestReplay(transaction, { filter, ratePerSecond, operator, reason }),
      );
      await wake(id, request.id);
      return (reply as FastifyReply)
        .code(202)
        .header('location', `${BASE}/${id}`)
        .send({ ...(await findReplay(db, id, operator)), ...nothing });
    },
  });

  server.get(BASE, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'List replays, newest first',
      querystring: listQuery,
      response: {
        200: Type.Object({ replays: Type.Array(replaySchema), next_cursor: nextCursor }),
        ...errorResponses('query', 400, 401, 503, 504),
      },
    },
    handler: async (request) => {
      const { rows, next } = await readPage(REPLAYS, request.query as Static<typeof listQuery>, (after, limit) =>
        listReplays(database.db, { after, limit }, request.operator),
      );
      return { replays: rows, next_cursor: next };
    },
  });

  server.get(`${BASE}/:id`, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show the state and progress of a replay',
      params: uuidParams,
      response: { 200: replaySchema, ...errorResponses('query', 400, 401, 404, 503, 504) },
    },
    handler: async (request) =>
      findReplay(database.db, (request.params as Static<typeof uuidParams>).id, request.operator),
  });

  for (const step of REPLAY_STEPS) {
    server.post(`${BASE}/:id/${step}`, {
      config: { scope: 'operate' },
      schema: {
        ...shared,
        summary: SUMMARY[step],
        params: uuidParams,
        body: noBody,
        response: { 200: replaySchema, ...errorResponses('query', 400, 401, 404, 409, 503, 504) },
      },
      preValidation: bodyOrNull,
      handler: async (request) => {
        const { id } = request.params as Static<typeof uuidParams>;
        await inTransaction(database, (db) => steerReplay(db, id, step, request.operator));
        if (step !== 'pause') await wake(id, request.id);
        return findReplay(database.db, id, request.operator);
      },
    });
  }
}

const SUMMARY: Readonly<Record<ReplayStep, string>> = {
  pause: 'Pause a replay: entries on the stream are still stored, no more are added',
  resume: 'Resume a paused replay',
  cancel: 'Cancel a replay: dead letters that are not on the stream yet stay dead',
};

/** `GET /api/dead-letters/replays/{id}/progress`: server-sent events until the replay ends. */
function addProgressRoute(server: FastifyInstance, { database, isStopping }: QueryContext): void {
  const holdStream = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.get(`${BASE}/:id/progress`, {
    config: { scope: 'read' },
    compress: false,
    schema: {
      ...shared,
      summary: 'Follow a replay, as server-sent events',
      description: 'Sends an event `progress` with the replay as JSON at each change. The stream ends with the replay.',
      params: uuidParams,
      response: {
        200: {
          description: 'Events of type progress.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
        ...errorResponses('query', 400, 401, 404, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params as Static<typeof uuidParams>;
      const db = database.db;
      const read = () => findReplay(db, id, request.operator);
      const first = await read();
      holdStream(request.operator, reply);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      return (reply as FastifyReply)
        .type('text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(followReplay(first, read, () => gone.signal.aborted || isStopping(), gone.signal)));
    },
  });
}
