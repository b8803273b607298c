import { ApiError } from '@sluice/errors/api-errors';
import type { Envelope } from '@sluice/events/adapters/event-adapter';
import { inspectValues } from '@sluice/events/json/inspect-values';
import { nestingError } from '@sluice/events/json/read-body';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { MAX_ENVELOPE_BYTES } from '@sluice/stream/stream-entry';

/**
 * An envelope as the header of an entry takes it: what Postgres cannot store of its texts is replaced, as in events.
 *
 * @throws ApiError `nesting_too_deep`; `invalid_body` for one of more than MAX_ENVELOPE_BYTES
 */
export function storableEnvelope(envelope: Envelope | undefined): Envelope | undefined {
  if (envelope === undefined) return undefined;
  if (inspectValues(envelope) === 'nesting') throw nestingError();
  const storable = replaceUnstorableText(envelope) as Envelope;
  const bytes = Buffer.byteLength(JSON.stringify(storable));
  if (bytes <= MAX_ENVELOPE_BYTES) return storable;
  throw new ApiError(
    'invalid_body',
    `What the body has beside its events takes ${bytes} bytes; the limit is ${MAX_ENVELOPE_BYTES}.`,
  );
}
