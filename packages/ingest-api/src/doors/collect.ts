import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API_ERRORS, ApiError } from '@sluice/errors/api-errors';
import { collectedEventId, webCollection } from '@sluice/events/adapters/web-collection/web-collection';
import type { JsonObject } from '@sluice/events/adapters/event-adapter';
import { hasLargeNumber, parseKeepingDigits } from '@sluice/events/json/parse-json';
import { readBody } from '@sluice/events/json/read-body';
import { toApiError } from '@sluice/daemon/http/error-answers';
import { type AcceptedResult, acceptBatch, clientTraceparent, idempotencyKeyOf } from '@sluice/accept/accept-batch';
import { keyRequired } from '@sluice/access/authenticate';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { authenticate } from './authenticate.ts';
import { clientAddress } from './client-address.ts';
import type { IngestContext } from '../ingest-context.ts';
import { DEFAULT_TENANT, type Principal } from '@sluice/access/principal';
import { collectBodySchema, collectQuerySchema, pixelSchema } from './collect-schema.ts';

/** A transparent 1×1 GIF, 43 bytes. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');

/** `POST|GET /collect` and `GET /pixel.gif`: one event each, from a web page. */
export function addCollectRoutes(server: FastifyInstance, context: IngestContext): void {
  const { config, keys, quotas, admission, logger, metrics } = context;
  // navigator.sendBeacon sends a string as text/plain.
  server.addContentTypeParser('text/plain', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  const onRequest = async (request: FastifyRequest): Promise<void> => {
    // Without a key the body decides, by its site; a wrong key never gets that far.
    request.principal = authenticate(request.headers, keys);
    if (request.principal === null && config.COLLECT_SITES.length === 0) throw keyRequired();
    quotas.check(request.principal);
    admission.check();
  };
  const route = { onRequest, validatorCompiler: () => () => true };

  server.post('/collect', {
    ...route,
    schema: collectBodySchema,
    bodyLimit: config.MAX_EVENT_BYTES,
    handler: async (request, reply) => {
      const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      metrics.body(body.length);
      return sendTaken(reply, await collect(request, body, context));
    },
  });
  server.get('/collect', {
    ...route,
    schema: collectQuerySchema,
    handler: async (request, reply) => sendTaken(reply, await collect(request, bodyOfQuery(request), context)),
  });
  server.get('/pixel.gif', {
    ...route,
    schema: pixelSchema,
    // A picture in any case, so that no page shows a broken one; the status still tells the truth.
    errorHandler: (error, request, reply) => {
      const known = toApiError(error, request);
      metrics.refused(known.code);
      if (known.code === 'internal_error') logger.error({ err: error, request_id: request.id }, 'a request failed');
      if (known.retryAfter !== undefined) reply.header('retry-after', String(known.retryAfter));
      void sendPixel(reply.header('x-sluice-error', known.code), known.statusCode);
    },
    handler: async (request, reply) => {
      const taken = await collect(request, bodyOfQuery(request), context);
      if (taken.result.accepted > 0) return sendPixel(reply, 202);
      metrics.refused('no_valid_events');
      return sendPixel(reply.header('x-sluice-error', 'no_valid_events'), API_ERRORS.no_valid_events.status);
    },
  });
}

interface Taken {
  readonly result: AcceptedResult;
  readonly eventId: string;
  readonly receivedAt: Date;
}

async function collect(request: FastifyRequest, body: Buffer, context: IngestContext): Promise<Taken> {
  const { config } = context;
  const receivedAt = new Date();
  const { bytes, parsed, text } = readBody(body);
  const events = webCollection.eventsOf(parsed);
  if (events === null) throw new ApiError('invalid_body', 'The body must be one JSON object: the event.');
  const event = events[0] as JsonObject;
  const tenant = tenantOf(request.principal, event, context);
  context.quotas.charge(request.principal, 1);
  const result = await acceptBatch(
    {
      requestId: request.id,
      adapter: webCollection,
      tenant,
      body: bytes,
      eventCount: 1,
      parsed: { events, text },
      idempotencyKey: idempotencyKeyOf(request.headers['idempotency-key']),
      clientIp: clientAddress(request.ip),
      traceparent: clientTraceparent(request.headers['traceparent']),
      receivedAt,
      maxEventBytes: config.MAX_EVENT_BYTES,
    },
    context,
  );
  // As the writer will read it, so that the id of the answer is the one in the database.
  const stored = hasLargeNumber(event['eventId']) ? (parseKeepingDigits(text) as JsonObject) : event;
  return { result, receivedAt, eventId: collectedEventId(stored, { tenant, batchId: result.batchId, index: 0 }) };
}

/**
 * Whose event it is: the key's tenant; without a key the site's, if it is one of COLLECT_SITES. A key that
 * belongs to one tenant can't be used for another site.
 */
function tenantOf(principal: Principal | null, event: JsonObject, { config, keys }: IngestContext): string {
  const site = event['siteId'];
  const listed = typeof site === 'string' && config.COLLECT_SITES.includes(site);
  const owner = principal?.tenant ?? null;
  if (owner !== null) {
    checkNamedTenant(site, owner, 'siteId');
    return owner;
  }
  if (keys.open) return listed ? site : DEFAULT_TENANT;
  if (principal !== null) return DEFAULT_TENANT;
  if (!listed)
    throw new ApiError('unauthorized', 'This site may not send without a key: it is not one of COLLECT_SITES.');
  return site;
}

/** The query parameters as a JSON object: there are no bytes of the client's to keep. */
function bodyOfQuery(request: FastifyRequest): Buffer {
  return Buffer.from(JSON.stringify(request.query));
}

function sendTaken(reply: FastifyReply, { result, eventId, receivedAt }: Taken): FastifyReply {
  reply.header('cache-control', 'no-store');
  if (result.accepted > 0) {
    return reply.code(202).send({
      status: 'success',
      message: 'Event received and queued',
      event_id: eventId,
      timestamp: receivedAt.toISOString(),
      durability: result.durability,
    });
  }
  const [reason] = result.rejected;
  throw new ApiError(
    'no_valid_events',
    reason === undefined ? 'The event cannot be taken.' : `${reason.code}: ${reason.message}`,
  );
}

function sendPixel(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').type('image/gif').send(PIXEL);
}
