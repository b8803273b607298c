import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { readExportConfig } from '@sluice/exports/export-config';
import { inUnitOfWork } from '@sluice/store/entities/unit-of-work';
import { bodyOrNull, orNull, tenantName } from '../../http/schemas.ts';
import { tenantOf } from '../../http/tenants.ts';
import type { QueryContext } from '../../query-context.ts';
import { exportConfigSchema, exportTestSchema } from './answers.ts';
import { forgetExportConfig, lockExportConfig, saveExportConfig } from './commands.ts';
import { checkExportConfig, exportConfigInput, type ExportConfigInput } from './inputs.ts';
import { showExportConfig } from './rows.ts';
import { tryDestinations, tryGivenDestinations } from './try-destinations.ts';

const querystring = Type.Object({ tenant: Type.Optional(tenantName) }, { additionalProperties: false });
const PATH = '/export/config';
const shared = { tags: ['exports'] };

/** `GET`, `PUT`, `DELETE /export/config`, and `POST /export/config/test`. */
export function addExportConfigRoutes(server: FastifyInstance, { database, config }: QueryContext): void {
  const settings = config.exports;
  const namedTenant = ({ query, operator }: FastifyRequest): string =>
    tenantOf((query as Static<typeof querystring>).tenant, operator);

  server.get(PATH, {
    config: { scope: 'read' },
    schema: {
      ...shared,
      summary: 'Show the export configuration of a tenant',
      description: "A tenant without its own configuration has that of the server's variables.",
      querystring,
      response: { 200: exportConfigSchema, ...errorResponses('query', 400, 503, 504) },
    },
    handler: async (request) => showExportConfig(database.db, namedTenant(request), settings),
  });

  server.put(PATH, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: 'Set the export configuration of a tenant',
      description:
        'Replaces the whole configuration. Fields that are left out have the values of the variables. Credentials are stored sealed and never shown. Left out, the stored ones stay if bucket and endpoint are the same.',
      querystring,
      body: exportConfigInput,
      response: { 200: exportConfigSchema, ...errorResponses('query', 400, 413, 422, 503, 504) },
    },
    handler: async (request) => {
      const tenant = namedTenant(request);
      const { operator } = request;
      await inUnitOfWork(database, async (unit) => {
        await lockExportConfig(unit.db, tenant);
        const present = await readExportConfig(unit.db, tenant, settings);
        const checked = checkExportConfig(request.body as ExportConfigInput, present, operator, settings);
        await saveExportConfig(unit, tenant, checked, operator, settings.keys);
      });
      return showExportConfig(database.db, tenant, settings);
    },
  });

  server.delete(PATH, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: "Delete a tenant's export configuration and credentials",
      description: 'Exported files stay, and so does the position: a new configuration continues from it.',
      querystring,
      response: { 200: exportConfigSchema, ...errorResponses('query', 400, 404, 503, 504) },
    },
    handler: async (request) => {
      const tenant = namedTenant(request);
      await inUnitOfWork(database, (unit) => forgetExportConfig(unit, tenant, request.operator, settings));
      return showExportConfig(database.db, tenant, settings);
    },
  });

  server.post(`${PATH}/test`, {
    config: { scope: 'admin' },
    schema: {
      ...shared,
      summary: 'Test a configuration: write, read and remove a small file',
      description:
        'Tests the configuration in the body; without a body, or with `{}`, the one that exports use now. `code` and `message` say what is wrong.',
      querystring,
      body: orNull(exportConfigInput),
      response: { 200: exportTestSchema, ...errorResponses('query', 400, 413, 503, 504) },
    },
    preValidation: bodyOrNull,
    handler: async (request) => {
      const db = database.db;
      const present = await readExportConfig(db, namedTenant(request), settings);
      const given = request.body as ExportConfigInput | null;
      // Many clients send `{}` where they mean no body.
      if (given === null || Object.keys(given).length === 0) return tryDestinations(db, present, settings);
      return tryGivenDestinations(checkExportConfig(given, present, request.operator, settings), settings);
    },
  });
}
