import { createHash, hash } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Namespace of everything Sluice derives: a random UUID, fixed forever, because stored ids depend on it. */
const SLUICE_NAMESPACE = '5b2f4c1e-7a0d-4c58-9f36-1d8e6a90b7c4';

/** Whether a text is a UUID in its usual 8-4-4-4-12 form, of any version, in upper or lower case. */
export function isUuid(text: string): boolean {
  return text.length === 36 && UUID.test(text);
}

/** UUID version 5 of a name in a namespace (RFC 9562 §5.5). */
export function uuidV5(namespace: string, name: string): string {
  const space = Buffer.from(namespace.replaceAll('-', ''), 'hex');
  const digest = hash('sha1', Buffer.concat([space, Buffer.from(name, 'utf8')]), 'buffer');
  digest[6] = (digest[6]! & 0x0f) | 0x50;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Id of an event whose own id is not a UUID. */
export function eventIdFromName(tenant: string, name: string): string {
  return uuidV5(uuidV5(SLUICE_NAMESPACE, `event-id:${tenant}`), name);
}

/** A request that carries an `Idempotency-Key`. */
export interface KeyedRequest {
  readonly tenant: string;
  /** Method and path, such as `POST /api/events`. */
  readonly route: string;
  /** Without spaces. */
  readonly key: string;
  /** See `batchDigest`. */
  readonly digest: Buffer;
}

/** SHA-256 of a batch: of its decoded body, and of what the request had around it. */
export function batchDigest(body: Buffer, envelope?: Readonly<Record<string, unknown>>): Buffer {
  const digest = createHash('sha256').update(body);
  // JSON has no raw U+0000, so no body runs together with an envelope.
  if (envelope !== undefined) digest.update(`\0${JSON.stringify(envelope)}`);
  return digest.digest();
}

/** Id under which a request's `Idempotency-Key` is remembered, whatever its body is. */
export function keyedRequestId({ tenant, route, key }: KeyedRequest): string {
  return uuidV5(uuidV5(SLUICE_NAMESPACE, `idempotency-key:${tenant}`), `${key} ${route}`);
}

/**
 * Batch id of a request with an `Idempotency-Key`. A resend of the request gets the same id. Another body under the same
 * key gets another one, so that it is never taken for a resend and lost.
 */
export function batchIdFromKey(request: KeyedRequest): string {
  return uuidV5(keyedRequestId(request), request.digest.toString('hex'));
}

/** Id of an event that has none. It stays the same when its entry is delivered again. */
export function eventIdFromBatch(batchId: string, index: number): string {
  return uuidV5(batchId, String(index));
}

/**
 * The id under which an event is stored.
 *
 * @param given the client's own id: a UUID in upper or lower case, any other text, or nothing
 */
export function resolveEventId(tenant: string, given: unknown, batchId: string, index: number): string {
  if (typeof given !== 'string' || given === '') return eventIdFromBatch(batchId, index);
  return isUuid(given) ? given.toLowerCase() : eventIdFromName(tenant, given);
}
