import { Type } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { INGEST_KEY_OR_NONE } from '../key-schema.ts';

const properties = {
  siteId: Type.Optional(Type.String({ description: 'Decides the tenant when no key is sent.', examples: ['docs'] })),
  eventType: Type.Optional(Type.String({ description: 'Default: page_view.', examples: ['page_view'] })),
  eventId: Type.Optional(Type.String()),
  visitorId: Type.Optional(Type.String({ examples: ['v-81'] })),
  sessionId: Type.Optional(Type.String()),
  url: Type.Optional(Type.String()),
  path: Type.Optional(Type.String({ examples: ['/start'] })),
  timestamp: Type.Optional(Type.String({ description: 'Read leniently. Missing or unreadable means now.' })),
};

const shared = { tags: ['collect'], security: INGEST_KEY_OR_NONE };

const accepted = {
  202: Type.Object(
    {
      status: Type.String(),
      message: Type.String(),
      event_id: Type.String(),
      timestamp: Type.String(),
      durability: Type.String(),
    },
    {
      description: 'The event is in the queue.',
      examples: [
        {
          status: 'success',
          message: 'Event received and queued',
          event_id: '8c1f…',
          timestamp: '2026-11-21T09:30:00.000Z',
          durability: 'fsync',
        },
      ],
    },
  ),
  ...errorResponses('ingest', 400, 401, 403, 413, 415, 422, 429, 431, 500, 503),
};

/** OpenAPI of `POST /collect`. */
export const collectBodySchema = {
  ...shared,
  summary: 'Queue one event of a web page',
  description:
    'JSON, also as text/plain (navigator.sendBeacon); with an empty body the query parameters. Nothing is required; any other property is stored.',
  body: Type.Object(properties, {
    additionalProperties: true,
    examples: [
      {
        siteId: 'docs',
        eventType: 'page_view',
        visitorId: 'v-81',
        url: 'https://docs.example.com/start',
        path: '/start',
      },
    ],
  }),
  response: accepted,
};

/** OpenAPI of `GET /collect`. */
export const collectQuerySchema = {
  ...shared,
  summary: 'Queue one event, from query parameters',
  querystring: Type.Object(properties, { additionalProperties: true }),
  response: accepted,
};

const picture = { 'image/gif': { schema: { type: 'string', format: 'binary' } } };

/** OpenAPI of `GET /pixel.gif`. */
export const pixelSchema = {
  ...shared,
  summary: 'Queue one event and answer with a transparent 1×1 GIF',
  description:
    'Always a picture, whatever the status; on failure the header X-Sluice-Error has the code. Only a request that is not HTTP, or whose URL and headers take more than 16 KB, gets JSON.',
  querystring: Type.Object(properties, { additionalProperties: true }),
  response: {
    '2xx': { description: 'The event is in the queue.', content: picture },
    '4xx': { description: 'The event is not in the queue; X-Sluice-Error says why.', content: picture },
    '5xx': { description: 'The event is not in the queue; X-Sluice-Error says why.', content: picture },
    ...errorResponses('ingest', 431),
  },
};
