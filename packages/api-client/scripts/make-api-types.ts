/**
 * Writes `src/api-types.ts`: the types of the query API, made from the OpenAPI document that its server builds from
 * its routes. Run `pnpm api-types` after a change of a route; a test proves that the file is up to date.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import openapiTS, { astToString, COMMENT_HEADER, type OpenAPI3 } from 'openapi-typescript';
import { createLogger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { readQueryConfig } from '@sluice/query-api/config';
import type { QueryContext } from '@sluice/query-api/query-context';
import { buildServer } from '@sluice/query-api/server';

/** Where the types are. */
export const API_TYPES_FILE = resolve(import.meta.dirname, '../src/api-types.ts');

/** The text of the file. */
export async function makeApiTypes(): Promise<string> {
  return `${COMMENT_HEADER}${astToString(await openapiTS(await apiDocument()))}`;
}

/** The query API's document, without the answers to failed requests: the client reads these by themselves. */
async function apiDocument(): Promise<OpenAPI3> {
  const config = readQueryConfig({ DATABASE_URL: 'postgres://nobody/nothing', REQUIRE_KEYS: 'true' });
  // Nothing is asked of the server, so nothing that its routes work with has to be there.
  const server = await buildServer({
    config,
    keys: config.configuredKeys,
    logger: createLogger({ daemon: 'api-types', version: '0', level: 'error' }),
    registry: createMetrics('api-types'),
    checks: [],
    isStopping: () => false,
  } as unknown as QueryContext);
  await server.ready();
  const document = server.swagger() as OpenAPI3;
  await server.close();
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, { responses?: Record<string, unknown> }>)) {
      for (const status of Object.keys(operation.responses ?? {})) {
        if (Number(status) >= 400) delete operation.responses![status];
      }
    }
  }
  return document;
}

if (import.meta.main) writeFileSync(API_TYPES_FILE, await makeApiTypes());
