import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { tryWaking } from '@sluice/jobs/try-waking';
import { readStates } from '@sluice/stream/daemon-states';
import { redisUnavailable } from '../http/redis-errors.ts';
import type { QueryContext } from '../query-context.ts';
import { daemonSchema } from './answers.ts';

/** `GET /api/daemons`: every running daemon, whether it can do its work, and why not. */
export function addDaemonsRoute(server: FastifyInstance, { redis, config }: QueryContext): void {
  server.get('/api/daemons', {
    config: { scope: 'operate' },
    schema: {
      tags: ['daemons'],
      summary: 'Every running daemon: whether it can do its work, and why not',
      description:
        'Daemons report every 5 s and after each change; one that has not for 15 s is left out. A key of one tenant sees none.',
      querystring: Type.Object({}, { additionalProperties: false }),
      response: {
        200: Type.Object({ daemons: Type.Array(daemonSchema) }),
        ...errorResponses('query', 400, 401, 503),
      },
    },
    handler: async (request) => {
      if (request.operator.tenant !== null) return { daemons: [] };
      const daemons = await readStates(redis, config.SLUICE_NAMESPACE).catch(redisUnavailable);
      // This one at least runs: where even it has not reported, Redis takes no reports.
      if (daemons.length === 0) await tryWaking(redis, config.SLUICE_NAMESPACE).catch(redisUnavailable);
      return { daemons };
    },
  });
}
