import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type AcceptedResult, acceptBatch, clientTraceparent, idempotencyKeyOf } from '@sluice/accept/accept-batch';
import { eventsForBytes } from '@sluice/accept/limits/quotas';
import { readRequest } from '@sluice/accept/read-request';
import type { KeyCheck } from '@sluice/access/wrong-keys';
import { clientAddress } from '@sluice/daemon/http/client-address';
import { toApiError } from '@sluice/daemon/http/error-answers';
import { elapsedMs } from '@sluice/daemon/http/request-clock';
import { ApiError } from '@sluice/errors/api-errors';
import type { Answer, BatchOutcome, Door } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import type { IngestContext } from '../ingest-context.ts';
import { logBatch } from './log-batch.ts';
import { noteRefusal } from './note-refusal.ts';
import { receiveBody } from './receive-body.ts';
import { identifySender, senderOf, tenantOf } from './sender.ts';

const NO_BODY = Buffer.alloc(0);

/** Dependencies of a door. */
export interface DoorContext extends IngestContext {
  readonly keyCheck: KeyCheck;
}

/** Mounts a door: turns HTTP requests into batches, and the door's answers into HTTP. The door knows the wire shape. */
export async function addDoor(server: FastifyInstance, door: Door, context: DoorContext): Promise<void> {
  const { config, quotas, heldBodies, admission, logger, metrics } = context;
  // A scope for each door, because each door has its own media types.
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    for (const mediaType of door.mediaTypes) {
      scope.addContentTypeParser(mediaType, async (request: FastifyRequest, payload: IncomingMessage) => {
        const held = request.heldBody!;
        try {
          return await receiveBody(request, payload, held);
        } finally {
          // Also for a body that is refused, here or by the parser: what it costs depends on its bytes.
          quotas.charge(request.principal, eventsForBytes(held.bytes));
        }
      });
    }
    scope.route({
      method: door.method,
      url: door.path,
      schema: door.schema,
      config: { mediaTypes: door.mediaTypes, forPages: door.sites },
      bodyLimit: door.bodyLimit === 'event' ? config.MAX_EVENT_BYTES : config.MAX_BODY_BYTES,
      // The schema is only documentation. Events are validated one by one, with rules that JSON Schema cannot express.
      validatorCompiler: () => () => true,
      // Before the body is read: a stranger, or a full queue, must not make this process read 16 MiB.
      onRequest: async (request, reply) => {
        const held = heldBodies.begin();
        request.heldBody = held;
        reply.raw.once('close', () => held.release());
        dropTypeOfNothing(request);
        request.principal = await identifySender(request, door, context);
        quotas.check(request.principal);
        admission.check();
      },
      handler: async (request, reply) => {
        if (request.body !== undefined) metrics.body((request.body as Buffer).length);
        const outcome = await acceptRequest(request, door, context);
        if (outcome.accepted > 0) {
          logBatch(outcome, logger);
          return sendAnswer(reply, door.answer(outcome));
        }
        if (door.answerNoneValid === undefined) throw noneValid(outcome);
        metrics.refused('no_valid_events');
        return sendAnswer(reply, door.answerNoneValid(outcome));
      },
      ...(door.answerError === undefined
        ? {}
        : {
            errorHandler: (error, request, reply) => {
              const known = toApiError(error, request);
              noteRefusal(known, request, reply, metrics);
              if (known.statusCode === 500) logger.error({ err: error, request_id: request.id }, 'a request failed');
              if (known.retryAfter !== undefined) reply.header('retry-after', String(known.retryAfter));
              void sendAnswer(reply, door.answerError!(known));
            },
          }),
    });
  });
}

/** Forgets the media type of an empty body: `curl --data ''` claims a form. */
function dropTypeOfNothing({ headers }: FastifyRequest): void {
  if (headers['content-length'] === '0' && headers['content-encoding'] === undefined) delete headers['content-type'];
}

async function acceptRequest(request: FastifyRequest, door: Door, context: DoorContext): Promise<BatchOutcome> {
  const { config, quotas } = context;
  const receivedAt = new Date();
  const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
  const doorRequest: DoorRequest = {
    body: (request.body as Buffer | undefined) ?? NO_BODY,
    headers: request.headers,
    query: request.query as DoorRequest['query'],
  };
  const batch = readRequest(door, doorRequest, {
    receivedAt: receivedAt.getTime(),
    maxEvents: config.MAX_BATCH_SIZE,
    maxEventBytes: config.MAX_EVENT_BYTES,
  });
  const principal = await senderOf(request, batch, context);
  // A key from the body is known only now.
  if (principal !== request.principal) quotas.check(principal);
  const tenant = tenantOf(principal, batch, context);
  const forBytes = eventsForBytes(doorRequest.body.length);
  const charged = request.principal === null ? 0 : forBytes;
  quotas.charge(principal, Math.max(batch.eventCount, forBytes) - charged);
  const { adapter, body, eventCount, parsed, envelope } = batch;
  const result: AcceptedResult = await acceptBatch(
    {
      requestId: request.id,
      adapter,
      tenant,
      body,
      eventCount,
      parsed,
      envelope,
      idempotencyKey: idempotencyKey === null ? null : { key: idempotencyKey, route: `${door.method} ${door.path}` },
      clientIp: clientAddress(request.ip, request.socket.remoteAddress),
      traceparent: clientTraceparent(request.headers['traceparent']),
      receivedAt,
      maxEventBytes: config.MAX_EVENT_BYTES,
    },
    context,
  );
  return {
    ...result,
    request: doorRequest,
    batch,
    requestId: request.id,
    tenant,
    receivedAt,
    elapsedMs: elapsedMs(request),
  };
}

function noneValid({ rejected: [reason] }: BatchOutcome): ApiError {
  const message = reason === undefined ? 'The event cannot be accepted.' : `${reason.code}: ${reason.message}`;
  return new ApiError('no_valid_events', message);
}

function sendAnswer(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  if (headers !== undefined) reply.headers(headers);
  return reply.code(status).send(body);
}
