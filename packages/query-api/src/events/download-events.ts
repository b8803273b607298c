import { untraced } from '@sluice/daemon/telemetry/untraced';
import { toWire } from '@sluice/events/adapters/to-wire';
import type { Database } from '@sluice/store/database';
import type { UntilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { linesInPieces } from '../http/lines.ts';
import { placeOf } from '../http/paging.ts';
import { TIMEOUT_HINT } from './inputs.ts';
import { BY_EVENT_TIME, type EventChunk, type EventList, readEvents } from './read-events.ts';

/** Most events in one read of a download; their payloads together are at most `READ_CHUNK_BYTES`. */
const DOWNLOAD_EVENTS = 100;

/**
 * Yields all matches as lines, in pieces. The next events are read once the client has taken the ones before. Between two
 * reads the download holds no connection and no snapshot.
 */
export async function* downloadEvents(
  database: Database,
  list: EventList,
  gone: UntilGone,
  isStopping: () => boolean,
): AsyncGenerator<string> {
  for (let after = list.after; ;) {
    const from = after;
    const read = (): Promise<EventChunk> =>
      withTimeoutHint(TIMEOUT_HINT, () =>
        readEvents(database, { ...list, after: from }, { limit: DOWNLOAD_EVENTS }, gone),
      );
    // Only the first statement is a child of the request's span: a trace with thousands could not be read.
    const { events, more } = await (from === list.after ? read() : untraced(read));
    yield* linesInPieces(events, toWire);
    if (!more) return;
    // Breaks the answer off on purpose: a partial download must not look complete.
    if (isStopping()) throw new Error('the query API is stopping');
    after = placeOf(events.at(-1)!, BY_EVENT_TIME);
  }
}
