import type { Kysely } from 'kysely';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { type StoredEvent, toWire } from '@sluice/events/adapters/to-wire';
import type { UntilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { placeOf } from '../http/paging.ts';
import { TIMEOUT_HINT } from './inputs.ts';
import { BY_EVENT_TIME, type EventList, readEvents } from './rows.ts';

/** Events read at once for a download: 25 MB of the largest. */
const DOWNLOAD_EVENTS = 100;

/**
 * All matches as lines, chunk by chunk: the next is read when the client has taken the one before, and between two
 * no connection and no snapshot is held.
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
    // As children of the request's span, thousands of statements would make a trace that nobody can look at.
    const events = await (from === list.after ? read() : untraced(read));
    if (events.length > 0) yield events.map((event) => `${JSON.stringify(toWire(event))}\n`).join('');
    if (events.length < DOWNLOAD_EVENTS) return;
    // Cut on purpose: a download that looks whole and is not would be worse.
    if (isStopping()) throw new Error('the query API is stopping');
    after = placeOf(events.at(-1)!, BY_EVENT_TIME);
  }
}
