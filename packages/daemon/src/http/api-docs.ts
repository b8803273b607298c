import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';
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

/**
 * What the page may load: its own parts. Swagger UI sets styles from its script. `upgrade-insecure-requests` is left out:
 * over plain HTTP it would make the page ask for its parts over HTTPS.
 */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A gate in a stream. */
const FAVICON = {
  filename: 'icon.svg',
  rel: 'icon',
  sizes: 'any',
  type: 'image/svg+xml',
  content: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#0b5cad"/><path d="M7 5v22M25 5v22M7 9h18M7 15h18" stroke="#fff" stroke-width="3" stroke-linecap="round"/><path d="M9 24q3.5-4 7 0t7 0" fill="none" stroke="#9fd3ff" stroke-width="3" stroke-linecap="round"/></svg>`,
};

/**
 * Colours with enough contrast for small text, and targets large enough for a finger (WCAG 2.2 AA). The selectors are as
 * specific as those of Swagger UI, which would win otherwise.
 */
const DOCS_STYLE = `
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #0b5cad }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #1b7a4b }
.swagger-ui .opblock.opblock-put .opblock-summary-method { background: #8a5200 }
.swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #0f6b64 }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #b3261e }
.swagger-ui .info .title small { background: #4a5160 }
.swagger-ui .info .title small.version-stamp { background: #3f6212 }
.swagger-ui .info a, .swagger-ui a { color: #0b5cad }
.swagger-ui .btn.authorize, .swagger-ui .btn.authorize span { color: #1b7a4b; border-color: #1b7a4b }
.swagger-ui .btn.authorize svg { fill: #1b7a4b }
.swagger-ui .btn.execute, .swagger-ui .opblock .btn.execute { background: #0b5cad; border-color: #0b5cad; color: #fff }
.swagger-ui .btn.cancel, .swagger-ui .btn.reset { color: #b3261e; border-color: #b3261e }
.swagger-ui .response-col_links, .swagger-ui .parameter__in, .swagger-ui .parameter__type,
.swagger-ui .prop-format { color: #3b4151 }
.swagger-ui .response-control-media-type__accept-message { color: #1b5e20 }
.swagger-ui .response-control-media-type--accept-controller select { border-color: #1b5e20 }
.swagger-ui .parameter__name.required span, .swagger-ui .parameter__name.required::after { color: #b3261e }
/* Numbers in examples: the highlighter sets its colours in the elements. */
.swagger-ui .microlight span[style*="rgb(211, 99, 99)"] { color: #ff9f9f !important }
.swagger-ui .opblock-summary-control, .swagger-ui .opblock-control-arrow, .swagger-ui .authorization__btn,
.swagger-ui .view-line-link { min-width: 24px; min-height: 24px }`;

/**
 * Names the fields that Swagger UI leaves without a name for screen readers, and lets the keyboard scroll wide examples. It
 * makes both while the page is used.
 */
const DOCS_SCRIPT = `
const NAMES = { 'body-param__text': 'Body', 'examples-select-element': 'Example', 'content-type': 'Media type' };
function complete() {
  for (const example of document.querySelectorAll('pre.microlight:not([tabindex])')) example.tabIndex = 0;
  for (const field of document.querySelectorAll('textarea:not([aria-label]), select:not([aria-label])')) {
    const known = Object.keys(NAMES).find((name) => field.classList.contains(name));
    field.setAttribute('aria-label', known === undefined ? 'Value' : NAMES[known]);
  }
}
new MutationObserver(complete).observe(document.documentElement, { childList: true, subtree: true });`;

/** Serves OpenAPI 3.1 as a page at `/docs` and as JSON at `/docs/json`. Leads browsers from `/` to the page. */
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
  server.get('/', { schema: { hide: true } }, ({ headers: { accept } }, reply) => {
    if (accept?.includes('text/html') === true) return reply.redirect('/docs');
    throw new ApiError('not_found', 'There is no /; see /docs.');
  });
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    theme: {
      title,
      favicon: [FAVICON],
      css: [{ filename: 'docs.css', content: DOCS_STYLE }],
      js: [{ filename: 'docs.js', content: DOCS_SCRIPT }],
    },
    // The base layout has no bar with a field for documents of other servers. Deep links would be links inside of buttons.
    uiConfig: { layout: 'BaseLayout', deepLinking: false, persistAuthorization: true, tryItOutEnabled: true },
  });
}
