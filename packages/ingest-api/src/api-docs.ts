import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { VERSION } from '@sluice/shared/runtime/version';
import type { IngestConfig } from './config.ts';

/** Serves OpenAPI 3.1 as a page at `/docs` and as JSON at `/docs/json`. */
export async function addApiDocs(server: FastifyInstance, config: IngestConfig): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice ingest API',
        version: VERSION,
        description: config.keys.open
          ? 'Queues events. **This instance runs open: it takes requests without a key.**'
          : 'Queues events. Requests need an API key, as `X-API-Key` or as bearer token.',
      },
      tags: [
        { name: 'ingest', description: 'Batches of events' },
        { name: 'collect', description: 'Single events of web pages' },
        { name: 'health', description: 'For operators and orchestrators' },
      ],
      components: {
        securitySchemes: {
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      },
    },
  });
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // Over plain HTTP on a host that is not this one, it would make the page ask for its own parts over HTTPS.
    transformStaticCSP: (header) => header.replace(/\s*upgrade-insecure-requests;?/, ''),
  });
}
