import type { FastifyInstance } from 'fastify';
import { type SqlBool, sql } from 'kysely';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { beyond, byId, cursorAfter } from '../http/cursor.ts';
import { pageProperties } from '../http/input-schemas.ts';
import { utc } from '../http/utc.ts';
import type { QueryContext } from '../query-context.ts';

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
          entries: Type.Array(
            Type.Object({
              id: Type.String(),
              at: Type.String({ format: 'date-time' }),
              actor: Type.String(),
              tenant: Type.Union([Type.String(), Type.Null()]),
              action: Type.String(),
              affected: Type.Integer(),
              reason: Type.Union([Type.String(), Type.Null()]),
              details: Type.Unknown(),
            }),
          ),
          next_cursor: Type.Union([Type.String(), Type.Null()]),
        }),
        ...errorResponses('query', 400, 401, 503, 504),
      },
    },
    handler: async (request) => {
      const { limit = 50, cursor } = request.query as Static<typeof querystring>;
      const { tenant } = request.operator;
      const owned = tenant === null ? sql<SqlBool>`true` : sql<SqlBool>`tenant = ${tenant}`;
      const { rows } = await sql<{ id: string; affected: string; details: string }>`
        SELECT id, ${utc('at')}, actor, tenant, action, affected, reason, details::text AS details FROM audit_log
        WHERE ${owned} AND ${beyond(cursor, 'desc')} ${byId('desc')} LIMIT ${limit + 1}`.execute(database.db);
      const entries = rows
        .slice(0, limit)
        .map((row) => ({ ...row, affected: Number(row.affected), details: JSON.parse(row.details) as unknown }));
      const last = entries.at(-1);
      return {
        entries,
        next_cursor: rows.length > limit && last !== undefined ? cursorAfter(last.id, 'desc') : null,
      };
    },
  });
}
