import { hash } from 'node:crypto';

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

/** Batch id of a request with an `Idempotency-Key`. A resend of the request gets the same id. */
export function batchIdFromKey(tenant: string, idempotencyKey: string): string {
  return uuidV5(uuidV5(SLUICE_NAMESPACE, `idempotency-key:${tenant}`), idempotencyKey);
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
