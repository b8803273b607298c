import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { noteProperties, orNull, requiredNoteOf, time } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { listStalled, setEntriesAside, toAnswer } from './set-aside.ts';

/** Most entries in one request. */
const MAX_IDS = 1_000;

const stalledEntry = Type.Object({
  shard: orNull(Type.Integer()),
  id: Type.String(),
  code: Type.String({ description: 'SQLSTATE, or `unknown`.' }),
  message: Type.String(),
  since: time,
  consumer: Type.String({ description: 'The writer that holds it.' }),
});

const setAsideBody = Type.Object(
  {
    ids: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9]{1,20}-[0-9]{1,20}$' }), {
        minItems: 1,
        maxItems: MAX_IDS,
        description: 'Entries, by id; left out, all that stall a writer.',
      }),
    ),
    ...noteProperties,
  },
  { additionalProperties: false },
);

/** `GET /api/queue/stalled` and `POST /api/queue/set-aside`: what stalls the writers, and how to get past it. */
export function addSetAsideRoutes(server: FastifyInstance, { redis, database, config }: QueryContext): void {
  const queue = { redis, namespace: config.SLUICE_NAMESPACE, shards: config.STREAM_SHARDS };
  server.get('/api/queue/stalled', {
    config: { scope: 'operate' },
    schema: {
      tags: ['queue'],
      summary: 'The entries that stall a writer, and why',
      querystring: Type.Object({}, { additionalProperties: false }),
      response: {
        200: Type.Object({ stalled: Type.Array(stalledEntry) }),
        ...errorResponses('query', 400, 401, 403, 503),
      },
    },
    handler: async (request) => {
      requireAllTenants(request.operator);
      const stalled = await listStalled(queue);
      return { stalled: stalled.map((entry) => toAnswer(entry, queue.namespace)) };
    },
  });

  server.post('/api/queue/set-aside', {
    config: { scope: 'operate' },
    schema: {
      tags: ['queue'],
      summary: 'Set entries aside that stall a writer, with a note',
      description:
        'The writer that holds them makes dead letters of their events within a second, with the reason `set_aside` and this note as their message, and continues. They can be fixed and replayed. An entry that was stored meanwhile is left out of the answer.',
      body: setAsideBody,
      response: {
        202: Type.Object({ set_aside: Type.Array(stalledEntry) }),
        ...errorResponses('query', 400, 401, 403, 409, 413, 503, 504),
      },
    },
    handler: async (request, reply) => {
      requireAllTenants(request.operator);
      const { ids, ...why } = request.body as Static<typeof setAsideBody>;
      const reason = requiredNoteOf(why);
      const marked = await setEntriesAside(database, queue, { ids, reason, operator: request.operator });
      return reply.code(202).send({ set_aside: marked });
    },
  });
}

/** An entry is a batch of any tenant. */
function requireAllTenants({ tenant }: Principal): void {
  if (tenant === null) return;
  throw new ApiError('forbidden', 'Entries may hold events of any tenant; this key is of one tenant.');
}
