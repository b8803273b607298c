/**
 * Reads the OpenAPI documents of both APIs, as their servers build them from their routes.
 * No server listens or gets a request, so the routes need neither Postgres nor Redis.
 */
import { createLogger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { readIngestConfig } from '@sluice/ingest-api/config';
import type { IngestContext } from '@sluice/ingest-api/ingest-context';
import { buildServer as buildIngestServer } from '@sluice/ingest-api/server';
import { readQueryConfig } from '@sluice/query-api/config';
import type { QueryContext } from '@sluice/query-api/query-context';
import { buildServer as buildQueryServer } from '@sluice/query-api/server';

type Scalar = string | number | boolean | null;

/** The part of JSON Schema that the routes use. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly Scalar[];
  readonly const?: Scalar;
  readonly default?: Scalar;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** By media type. */
type Content = Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;

export interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** Each element is one way to authenticate: scheme to scopes. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  /** By status. */
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

export interface ApiDocument {
  readonly info: { readonly title: string; readonly description: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  /** By path and method. */
  readonly paths: Readonly<Record<string, Partial<Record<'get' | 'post' | 'put' | 'patch' | 'delete', Operation>>>>;
}

/** Reads the document of ingest-api, then that of query-api. */
export async function readApiDocuments(): Promise<ApiDocument[]> {
  const ingest = readIngestConfig({ REQUIRE_KEYS: 'true' });
  const query = readQueryConfig({ DATABASE_URL: 'postgres://unused/unused', REQUIRE_KEYS: 'true' });
  const unused = {
    logger: createLogger({ daemon: 'api-reference', version: '0', level: 'error' }),
    checks: [],
    metrics: { refused() {} },
    isStopping: () => false,
  };
  return [
    await documentOf(
      await buildIngestServer({
        ...unused,
        config: ingest,
        keys: ingest.configuredKeys,
        registry: createMetrics('ingest-api'),
      } as unknown as IngestContext),
    ),
    await documentOf(
      await buildQueryServer({
        ...unused,
        config: query,
        keys: query.configuredKeys,
        registry: createMetrics('query-api'),
      } as unknown as QueryContext),
    ),
  ];
}

/** @param server a Fastify instance, as far as it is used here */
async function documentOf(server: { ready(): unknown; swagger(): unknown; close(): unknown }): Promise<ApiDocument> {
  await server.ready();
  const document = server.swagger() as ApiDocument;
  await server.close();
  return document;
}
