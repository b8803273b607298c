import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';
import type { HeldBody } from './held-bodies.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What was received of its body; null for a route without one. */
    heldBody: HeldBody | null;
  }
}

/** A body may unpack to this many bytes, however small it is. */
const FREE_BYTES = 64 * 1024;

/** Beyond that it may unpack to this many times its size. Real events reach 5 to 30, and 16 MiB of `{},` 370,000. */
const MAX_RATIO = 200;

/** Seconds until bodies in flight have been answered. */
const RETRY_AFTER_SECONDS = 1;

/**
 * Receives the body of a request. Checks each chunk while it arrives: the size of the body, how much it unpacks, and what
 * all bodies in flight take together. A refused body costs no more than what had arrived.
 *
 * @param payload the request itself, or its decompressor
 * @param held where its bytes are counted
 * @throws ApiError `body_too_large`, `compression_ratio_too_high`, `overloaded`; `invalid_request` for a Content-Length
 *   that is not that of the body; and what the decompressor reports
 */
export function receiveBody(
  request: FastifyRequest,
  payload: Readable & { readonly receivedEncodedLength?: number },
  held: HeldBody,
): Promise<Buffer> {
  const limit = request.routeOptions.bodyLimit;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const declared = Number(request.headers['content-length']);
  if (declared > limit) return Promise.reject(tooLarge(limit));
  const chunks: Buffer[] = [];
  payload.on('data', onData);
  payload.on('end', onEnd);
  payload.on('error', onError);
  payload.resume();
  return promise;

  function onData(chunk: Buffer): void {
    const bytes = held.bytes + chunk.length;
    const encoded = payload.receivedEncodedLength ?? 0;
    if (bytes > limit || encoded > limit) refuse(tooLarge(limit));
    else if (encoded > 0 && bytes > FREE_BYTES && bytes > MAX_RATIO * encoded) refuse(ratioTooHigh());
    else if (!held.add(chunk.length)) refuse(overloaded());
    else chunks.push(chunk);
  }

  function onEnd(): void {
    stopListening();
    const sent = payload.receivedEncodedLength || held.bytes;
    if (Number.isNaN(declared) || sent === declared) resolve(Buffer.concat(chunks, held.bytes));
    else reject(new ApiError('invalid_request', 'The body has not as many bytes as Content-Length says.'));
  }

  function onError(error: Error & { statusCode?: number }): void {
    // A client that goes away in the middle of its body is no defect of the server.
    refuse(error.statusCode === undefined ? Object.assign(error, { statusCode: 400 }) : error);
  }

  function refuse(error: Error): void {
    stopListening();
    reject(error);
  }

  function stopListening(): void {
    payload.off('data', onData);
    payload.off('end', onEnd);
    payload.off('error', onError);
  }
}

function tooLarge(limit: number): ApiError {
  return new ApiError('body_too_large', `The body has more than ${limit} bytes after decompression.`);
}

function ratioTooHigh(): ApiError {
  return new ApiError(
    'compression_ratio_too_high',
    `The body unpacks to more than ${MAX_RATIO} times its size. Send it without compression, or in smaller batches.`,
  );
}

function overloaded(): ApiError {
  return new ApiError('overloaded', 'Ingest holds too many bodies at the moment. Send the request again.', {
    retryAfter: RETRY_AFTER_SECONDS,
  });
}
