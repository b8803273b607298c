import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { pageProperties, readPage } from '../http/paging.ts';
import { nextCursor } from '../http/schemas.ts';
import type { QueryContext } from '../query-context.ts';
import { auditEntrySchema } from './answers.ts';
import { AUDIT_LOG, listAuditEntries } from './rows.ts';

const querystring = Type.Object(pageProperties, { additionalProperties: false });

/** `GET /api/audit-log`: actions of operators, newest first. */
export function addAuditLogRoute(server: FastifyInstance, { database }: QueryContext): void {
  server.get('/api/audit-log', {
    config: { scope: 'operate' },
    schema: {
      tags: ['audit'],
      summary: 'List the actions of operators, newest first',
      description: 'A key of one tenant sees the actions of keys of that tenant.',
      querystring,
      response: {
        200: Type.Object({
          entries: Type.Array(auditEntrySchema),
          next_cursor: nextCursor,
        }),
        ...errorResponses('query', 400, 401, 503, 504),
      },
    },
    handler: async (request) => {
      const { rows, next } = await readPage(AUDIT_LOG, request.query as Static<typeof querystring>, (after, limit) =>
        listAuditEntries(database.db, { after, limit }, request.operator),
      );
      return { entries: rows, next_cursor: next };
    },
  });
}
