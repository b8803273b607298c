import { ApiError } from '@sluice/errors/api-errors';
import type { Envelope } from '@sluice/events/adapters/event-adapter';
import { refuseUnsafe } from '@sluice/events/json/read-body';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { MAX_ENVELOPE_BYTES } from '@sluice/stream/stream-entry';

/**
 * Makes an envelope fit for the header of an entry. Replaces characters that Postgres cannot store, as in events.
 *
 * @throws ApiError `nesting_too_deep`, `forbidden_property`; `invalid_body` for an envelope of more than MAX_ENVELOPE_BYTES
 */
export function storableEnvelope(envelope: Envelope | undefined): Envelope | undefined {
  if (envelope === undefined) return undefined;
  refuseUnsafe(envelope, 1);
  const storable = replaceUnstorableText(envelope) as Envelope;
  const bytes = Buffer.byteLength(JSON.stringify(storable));
  if (bytes <= MAX_ENVELOPE_BYTES) return storable;
  throw new ApiError(
    'invalid_body',
    `The body has ${bytes} bytes beside its events; the limit is ${MAX_ENVELOPE_BYTES} bytes.`,
  );
}
