import type { FastifyInstance } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';

declare module 'fastify' {
  interface FastifyRequest {
    /** Counts what the answer to this request holds in memory. Set once the caller is known. */
    held: HeldAnswer;
  }
}

/** What one answer holds in memory until its client has read it. */
export interface HeldAnswer {
  /** Sets how many bytes the answer holds now. Returns why it may not hold as many; it then holds what it did before. */
  set(bytes: number): ApiError | null;
  /**
   * The same for an answer that can still fail.
   *
   * @throws ApiError `unread_answers` when the tenant's answers hold too much, `overloaded` when all answers do
   */
  require(bytes: number): void;
}

/** How many bytes answers may hold. */
export interface HeldLimits {
  readonly perTenant: number;
  readonly perProcess: number;
}

/** Answers below this are not counted: the buffers of their connections take them. In bytes. */
const COUNTED_FROM = 64 * 1024;

/** Seconds after which a refused client may try again. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Limits the memory of answers that clients do not read, on all routes that are added to this instance afterwards. Node
 * keeps an answer until its client takes it, so one client with 24 unread pages would hold 1.5 GB.
 *
 * @param server with authentication: keys of all tenants are counted together, as one tenant more
 * @returns how many bytes all of them hold now
 */
export function limitHeldAnswers(server: FastifyInstance, limits: HeldLimits): () => number {
  const ledger = createLedger(limits);
  // A getter would be shared by all requests, so the value is set for each of them.
  server.decorateRequest('held', null as unknown as HeldAnswer);
  server.addHook('onRequest', async (request, reply) => {
    const { held, release } = ledger.open(request.operator.tenant);
    request.held = held;
    reply.raw.once('close', release);
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : null;
    const refusal = bytes === null || reply.statusCode >= 400 ? null : request.held.set(bytes);
    if (refusal === null) done();
    else done(refusal);
  });
  return () => ledger.bytes;
}

/** Counts by tenant, and all together. */
function createLedger({ perTenant, perProcess }: HeldLimits): {
  readonly bytes: number;
  open(tenant: string | null): { held: HeldAnswer; release: () => void };
} {
  const byTenant = new Map<string | null, number>();
  let total = 0;
  return {
    get bytes() {
      return total;
    },
    open(tenant) {
      let held = 0;
      let released = false;
      const set = (bytes: number): ApiError | null => {
        const wanted = released || bytes < COUNTED_FROM ? 0 : bytes;
        const more = wanted - held;
        if (more === 0) return null;
        const ofTenant = (byTenant.get(tenant) ?? 0) + more;
        if (more > 0 && ofTenant > perTenant) return tooMuchOfTenant(perTenant);
        if (more > 0 && total + more > perProcess) return tooMuchOfAll();
        held = wanted;
        total += more;
        if (ofTenant === 0) byTenant.delete(tenant);
        else byTenant.set(tenant, ofTenant);
        return null;
      };
      return {
        held: {
          set,
          require(bytes) {
            const refusal = set(bytes);
            if (refusal !== null) throw refusal;
          },
        },
        release() {
          released = true;
          set(0);
        },
      };
    },
  };
}

function tooMuchOfTenant(limit: number): ApiError {
  return new ApiError(
    'unread_answers',
    `The answers to this tenant that are not read yet would hold more than ${limit} bytes. Read them, or close their connections.`,
    { retryAfter: RETRY_AFTER_SECONDS },
  );
}

function tooMuchOfAll(): ApiError {
  return new ApiError('overloaded', 'Unread answers fill the memory that this instance has for them.', {
    retryAfter: RETRY_AFTER_SECONDS,
  });
}
