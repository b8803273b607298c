import type { Kysely } from 'kysely';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import type { UntilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { placeOf } from '../http/paging.ts';
import { TIMEOUT_HINT } from './inputs.ts';
import { BY_EVENT_TIME, type EventList, readEvents } from './rows.ts';

/** Events in one read of a download: 25 MB of the largest. */
const DOWNLOAD_EVENTS = 100;

/**
 * Yields all matches as lines, chunk by chunk. The next chunk is read once the client has taken the one before. Between
 * two chunks the download holds no connection and no snapshot.
 */
export async function* downloadEvents(
  db: Kysely<unknown>,
  list: EventList,
  gone: UntilGone,
  isStopping: () => boolean,
): AsyncGenerator<string> {
  for (let after = list.after; ;) {
    const from = after;
    const read = (): Promise<readonly StoredEvent[]> =>
      withTimeoutHint(TIMEOUT_HINT, () => readEvents(db, { ...list, after: from }, { limit: DOWNLOAD_EVENTS }, gone));
    // Only the first statement is a child of the request's span: a trace with thousands could not be read.
    const events = await (from === list.after ? read() : untraced(read));
    if (events.length > 0) yield events.map((event) => `${JSON.stringify(toWire(event))}\n`).join('');
    if (events.length < DOWNLOAD_EVENTS) return;
    // Breaks the answer off on purpose: a partial download must not look complete.
    if (isStopping()) throw new Error('the query API is stopping');
    after = placeOf(events.at(-1)!, BY_EVENT_TIME);
  }
}
