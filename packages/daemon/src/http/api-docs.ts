import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { VERSION } from '@sluice/errors/version';

/** What the page says about a daemon. */
export interface ApiDescription {
  readonly title: string;
  /** What it does, in a sentence. */
  readonly purpose: string;
  /** Whether it accepts requests without a key. */
  readonly open: boolean;
  readonly tags: readonly { name: string; description: string }[];
}

/** Serves OpenAPI 3.1 as a page at `/docs` and as JSON at `/docs/json`. */
export async function addApiDocs(
  server: FastifyInstance,
  { title, purpose, open, tags }: ApiDescription,
): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title,
        version: VERSION,
        description: open
          ? `${purpose} **This instance runs open: it accepts requests without a key.**`
          : `${purpose} Requests need an API key, as \`X-API-Key\` or as a bearer token.`,
      },
      tags: [...tags, { name: 'health', description: 'For operators and orchestrators' }],
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
    // Over plain HTTP and from another host, this directive would make the page request its own parts over HTTPS.
    transformStaticCSP: (header) => header.replace(/\s*upgrade-insecure-requests;?/, ''),
  });
}
