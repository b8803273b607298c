import { Type } from 'typebox';
import { API_ERRORS } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { DURABILITY_LEVELS } from '../../durability-levels.ts';
import { INGEST_KEY_OR_NONE } from '../key-schema.ts';

const event = Type.Object(
  {
    eventId: Type.Optional(Type.String({ description: 'UUID. Sent by the client, it makes resending safe.' })),
    eventType: Type.String({ maxLength: 64 }),
    timestamp: Type.String({
      format: 'date-time',
      description: 'RFC 3339 with a time zone; at most 24 h in the future.',
    }),
    userName: Type.Optional(Type.String()),
    sessionId: Type.Optional(Type.String()),
    workbookName: Type.Optional(Type.String()),
    correlationId: Type.Optional(Type.String()),
  },
  { additionalProperties: true, description: 'Any other property is stored as it is.' },
);

const rejection = Type.Object({
  index: Type.Integer(),
  event_id: Type.Union([Type.String(), Type.Null()]),
  code: Type.String(),
  field: Type.Optional(Type.String()),
  message: Type.String(),
});

const warning = Type.Object({ index: Type.Integer(), code: Type.String(), message: Type.String() });

const answer = {
  batch_id: Type.String(),
  accepted: Type.Integer(),
  rejected: Type.Integer(),
  errors: Type.Array(rejection),
  warnings: Type.Optional(Type.Array(warning)),
  processing_time_ms: Type.Number(),
};

/** OpenAPI of `POST /api/events`. Fastify serialises the answers by it. */
export const postEventsSchema = {
  tags: ['ingest'],
  summary: 'Queue a batch of events',
  description:
    'Answers as soon as the batch is in the queue. Valid events are accepted even when others of the batch are rejected. Bodies may be gzip, br or zstd.',
  security: INGEST_KEY_OR_NONE,
  headers: Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        maxLength: 255,
        description:
          'Gives events without an id the same ids when the same body is sent again. Another body under the key is refused.',
      }),
    ),
  }),
  body: Type.Object(
    { events: Type.Array(event, { minItems: 1, maxItems: 1000 }) },
    {
      examples: [
        {
          events: [
            {
              eventId: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
              eventType: 'CellChange',
              timestamp: '2026-11-21T09:30:00.000Z',
              userName: 'ada',
              sessionId: 'ada-2026-11-21',
              workbookName: 'Budget.xlsx',
              cellAddress: 'B7',
              oldValue: '41',
              newValue: '42',
            },
          ],
        },
      ],
    },
  ),
  response: {
    202: Type.Object(
      { ...answer, durability: Type.Unsafe<string>({ type: 'string', enum: DURABILITY_LEVELS }) },
      {
        description: 'At least one event is in the queue.',
        examples: [
          {
            batch_id: '5a8e…',
            accepted: 498,
            rejected: 2,
            errors: [{ index: 3, event_id: null, code: 'invalid_timestamp', field: 'timestamp', message: '…' }],
            durability: 'fsync',
            processing_time_ms: 1.9,
          },
        ],
      },
    ),
    422: Type.Object(
      {
        ...Type.Partial(Type.Object(answer)).properties,
        error: Type.Object({ code: Type.String(), message: Type.String(), request_id: Type.String() }),
      },
      {
        description: `\`no_valid_events\`: ${API_ERRORS.no_valid_events.meaning} \`idempotency_key_reused\`: ${API_ERRORS.idempotency_key_reused.meaning} That answer has the error alone.`,
      },
    ),
    ...errorResponses('ingest', 400, 401, 403, 413, 415, 429, 431, 500, 503),
  },
};
