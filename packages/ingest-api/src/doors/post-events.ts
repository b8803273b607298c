import type { FastifyInstance } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { inspectValues } from '@sluice/events/json/inspect-values';
import { nestingError, readBody } from '@sluice/events/json/read-body';
import { elapsedMs } from '@sluice/daemon/http/request-clock';
import { acceptBatch, type BatchBody, clientTraceparent, idempotencyKeyOf } from '@sluice/accept/accept-batch';
import { keyRequired } from '@sluice/access/authenticate';
import { DEFAULT_TENANT } from '@sluice/access/principal';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { authenticate } from './authenticate.ts';
import { clientAddress } from './client-address.ts';
import type { IngestContext } from '../ingest-context.ts';
import { countPlainEvents } from '@sluice/events/adapters/governance-tracker/plain-batch';
import { postEventsSchema } from './post-events-schema.ts';

/** `POST /api/events`: a batch of events. */
export function addPostEventsRoute(server: FastifyInstance, context: IngestContext): void {
  const { config, keys, quotas, admission, metrics } = context;
  const plainLimits = { maxEvents: config.MAX_BATCH_SIZE, maxEventBytes: config.MAX_EVENT_BYTES };
  server.post('/api/events', {
    schema: postEventsSchema,
    // The schema is for the documentation; validation is per event and knows more than JSON Schema can say.
    validatorCompiler: () => () => true,
    // Before the body is read: neither a stranger nor a full queue should cost the reading of 16 MiB.
    onRequest: async (request) => {
      request.principal = authenticate(request.headers, keys);
      if (request.principal === null) throw keyRequired();
      quotas.check(request.principal);
      admission.check();
    },
    handler: async (request, reply) => {
      const receivedAt = new Date();
      const principal = request.principal!;
      const tenant = principal.tenant ?? DEFAULT_TENANT;
      const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
      const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      metrics.body(body.length);
      // With nothing in it to object to, the body need not be parsed.
      const plainEvents = countPlainEvents(body, receivedAt.getTime(), plainLimits);
      const batch =
        plainEvents > 0
          ? { body, eventCount: plainEvents, parsed: null }
          : parseBatch(body, config.MAX_BATCH_SIZE, tenant);
      quotas.charge(principal, batch.eventCount);

      const result = await acceptBatch(
        {
          requestId: request.id,
          adapter: governanceTracker,
          tenant,
          ...batch,
          idempotencyKey,
          clientIp: clientAddress(request.ip),
          traceparent: clientTraceparent(request.headers['traceparent']),
          receivedAt,
          maxEventBytes: config.MAX_EVENT_BYTES,
        },
        context,
      );
      const answer = {
        batch_id: result.batchId,
        accepted: result.accepted,
        rejected: result.rejected.length,
        errors: result.rejected,
        ...(result.warnings.length > 0 ? { warnings: result.warnings } : {}),
        ...(result.durability === null ? {} : { durability: result.durability }),
        processing_time_ms: Number(elapsedMs(request).toFixed(2)),
      };
      if (result.accepted > 0) return reply.code(202).send(answer);
      const error = {
        code: 'no_valid_events',
        message: 'Not one event of the batch can be taken; see errors.',
        request_id: request.id,
      };
      metrics.refused('no_valid_events');
      return reply.code(422).send({ ...answer, error });
    },
  });
}

/** @throws ApiError for what condemns the whole request, but for what is inside of an event */
function parseBatch(body: Buffer, maxEvents: number, tenant: string): BatchBody {
  const { bytes, parsed, text } = readBody(body);
  const events = eventsOf(parsed, maxEvents);
  checkRest(parsed as Record<string, unknown>, tenant);
  return { body: bytes, eventCount: events.length, parsed: { events, text } };
}

/** @throws ApiError when the body is not a batch, is empty or has too many events */
function eventsOf(parsed: unknown, maxEvents: number): readonly unknown[] {
  const events = governanceTracker.eventsOf(parsed);
  if (events === null) throw new ApiError('invalid_body', 'The body must be an object with an array "events".');
  if (events.length === 0) throw new ApiError('invalid_body', 'The array "events" is empty.');
  if (events.length > maxEvents) {
    throw new ApiError('too_many_events', `The batch has ${events.length} events; the limit is ${maxEvents}.`);
  }
  return events;
}

/** Looks at what stands beside `events`: it is not stored, but must not be dangerous or name another tenant. */
function checkRest(body: Record<string, unknown>, tenant: string): void {
  checkNamedTenant(body['tenant'], tenant, 'The body');
  for (const [key, value] of Object.entries(body)) {
    if (key !== 'events' && typeof value === 'object' && value !== null && inspectValues(value) === 'nesting')
      throw nestingError();
  }
}
