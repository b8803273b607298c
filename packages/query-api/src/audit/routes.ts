import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { cursorAfter } from '../http/cursor.ts';
import { pageProperties } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { auditEntrySchema } from './answers.ts';
import { listAuditEntries } from './rows.ts';

const querystring = Type.Object(pageProperties, { additionalProperties: false });

/** `GET /api/audit-log`: what operators did, newest first. */
export function addAuditLogRoute(server: FastifyInstance, { database }: QueryContext): void {
  server.get('/api/audit-log', {
    config: { scope: 'operate' },
    schema: {
      tags: ['audit'],
      summary: 'What operators did, newest first',
      description: 'An operator of one tenant sees what was done with keys of that tenant.',
      querystring,
      response: {
        200: Type.Object({
          entries: Type.Array(auditEntrySchema),
          next_cursor: Type.Union([Type.String(), Type.Null()]),
        }),
        ...errorResponses('query', 400, 401, 503, 504),
      },
    },
    handler: async (request) => {
      const { limit = 50, cursor } = request.query as Static<typeof querystring>;
      const found = await listAuditEntries(database.db, { cursor, limit: limit + 1 }, request.operator);
      const entries = found.slice(0, limit);
      const last = entries.at(-1);
      return {
        entries,
        next_cursor: found.length > limit && last !== undefined ? cursorAfter(last.id, 'desc') : null,
      };
    },
  });
}
