import type { FastifyInstance, FastifyReply } from 'fastify';
import { type SqlBool, sql } from 'kysely';
import { type Static, Type } from 'typebox';
import { inTransaction } from '@sluice/store/in-transaction';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { isUuid } from '@sluice/events/event-id';
import { chosenLetters } from '../dead-letters/choose-letters.ts';
import { choiceProperties, pageProperties, reason, replayParams } from '../http/input-schemas.ts';
import { findReplay, readReplays } from './replay-rows.ts';
import { requestReplay } from './request-replay.ts';
import { REPLAY_STEPS, type ReplayStep, steerReplay } from './steer-replay.ts';
import { tryReplay } from './try-replay.ts';
import type { QueryContext } from '../query-context.ts';
import { readConnection } from '../http/read-connection.ts';
import { replaySchema } from '../dead-letters/answer-schemas.ts';

const createBody = Type.Object(
  {
    ...choiceProperties,
    dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Only say what would happen.' })),
    rate_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
    reason: Type.Optional(reason),
  },
  { additionalProperties: false },
);
const listQuery = Type.Object(pageProperties, { additionalProperties: false });
const noBody = Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()]);

const shared = { tags: ['replays'] };
const BASE = '/api/dead-letters/replays';

/** `POST` and `GET /api/dead-letters/replays`, `GET` of one, and pause, resume, cancel. */
export function addReplayRoutes(server: FastifyInstance, context: QueryContext): void {
  const { orm, replayJobs, logger } = context;
  const wake = (id: string, requestId: string) => wakeOrWarn(replayJobs, id, logger, { request_id: requestId });

  server.post(BASE, {
    config: { scope: 'operate' },
    schema: {
      ...shared,
      summary: 'Put dead letters back on the stream, under their original event ids',
      description:
        'Either `ids` or `filter`; an empty filter means all that are dead. `dry_run` tries at most 1,000 of them in a transaction that is rolled back and answers 200.',
      body: createBody,
      response: {
        200: Type.Object({
          matched: Type.Integer(),
          tried: Type.Integer(),
          would_store: Type.Integer(),
          would_duplicate: Type.Integer(),
          would_skip: Type.Integer(),
          would_fail: Type.Array(Type.Object({ id: Type.String(), reason: Type.String(), message: Type.String() })),
        }),
        202: replaySchema,
        ...errorResponses('query', 400, 401, 403, 404, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const {
        dry_run,
        rate_per_second: ratePerSecond = 100,
        reason: why,
        ...choice
      } = request.body as Static<typeof createBody>;
      const { operator } = request;
      const db = readConnection(orm);
      const filter = await chosenLetters(db, choice, operator);
      if (dry_run === true) return tryReplay(orm, filter, operator);
      const id = await inTransaction(orm, (transaction) =>
        requestReplay(transaction, { filter, ratePerSecond, operator, reason: why }),
      );
      await wake(id, request.id);
      return (reply as FastifyReply)
        .code(202)
        .header('location', `${BASE}/${id}`)
        .send(await findReplay(db, id, operator));
    },
  });

  server.get(BASE, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Replays, newest first',
      querystring: listQuery,
      response: {
        200: Type.Object({ replays: Type.Array(replaySchema), next_cursor: Type.Union([Type.String(), Type.Null()]) }),
        ...errorResponses('query', 400, 401, 503, 504),
      },
    },
    handler: async (request) => {
      const { limit = 50, cursor } = request.query as Static<typeof listQuery>;
      const db = readConnection(orm);
      const before =
        cursor === undefined
          ? sql<SqlBool>`true`
          : sql<SqlBool>`(created_at, id) < (SELECT created_at, id FROM replays WHERE id = ${replayIn(cursor)}::uuid)`;
      const rows = await readReplays(db, before, request.operator, limit + 1);
      const last = rows.slice(0, limit).at(-1);
      const more = rows.length > limit && last !== undefined;
      return {
        replays: rows.slice(0, limit),
        next_cursor: more ? Buffer.from(last.id).toString('base64url') : null,
      };
    },
  });

  server.get(`${BASE}/:id`, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'How far a replay is',
      params: replayParams,
      response: { 200: replaySchema, ...errorResponses('query', 400, 401, 404, 503, 504) },
    },
    handler: async (request) =>
      findReplay(readConnection(orm), (request.params as Static<typeof replayParams>).id, request.operator),
  });

  for (const step of REPLAY_STEPS) {
    server.post(`${BASE}/:id/${step}`, {
      config: { scope: 'operate' },
      schema: {
        ...shared,
        summary: SUMMARY[step],
        params: replayParams,
        body: noBody,
        response: { 200: replaySchema, ...errorResponses('query', 400, 401, 404, 409, 503, 504) },
      },
      // No body, or an empty object.
      preValidation: async (request) => {
        request.body ??= null;
      },
      handler: async (request) => {
        const { id } = request.params as Static<typeof replayParams>;
        await inTransaction(orm, (db) => steerReplay(db, id, step, request.operator));
        if (step !== 'pause') await wake(id, request.id);
        return findReplay(readConnection(orm), id, request.operator);
      },
    });
  }
}

const SUMMARY: Readonly<Record<ReplayStep, string>> = {
  pause: 'Let a replay rest: what is on the stream is still stored, nothing more is put there',
  resume: 'Let a paused replay go on',
  cancel: 'End a replay for good: what has not been put on the stream stays dead',
};

function replayIn(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isUuid(id)) throw new ApiError('invalid_request', 'cursor is not one that a list has given.');
  return id;
}
