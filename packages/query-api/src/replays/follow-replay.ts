import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { ENDED, type ReplayStatus } from './rows.ts';

/** Time between two reads of the replay, in milliseconds. */
const READ_EVERY_MS = 500;

/** Reads without a change after which a comment keeps proxies from closing the connection. */
const HEARTBEAT_READS = 20;

/**
 * Yields server-sent events: the replay as JSON, now and after each change, until the replay has ended.
 *
 * @param read reads the replay again
 * @param isOver true once the client has hung up or this instance is stopping; the stream then ends without a last event
 * @param gone ends the wait between two reads
 */
export async function* followReplay(
  first: ReplayStatus,
  read: () => Promise<ReplayStatus>,
  isOver: () => boolean,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let sent = JSON.stringify(first);
  yield eventOf(sent);
  for (let quiet = 0, status = first; !ENDED.has(status.state); quiet += 1) {
    await waitOrAbort(READ_EVERY_MS, gone);
    if (isOver()) return;
    // The request's span lasts as long as the replay, so its reads are not traced.
    status = await untraced(read);
    const text = JSON.stringify(status);
    if (text !== sent) {
      yield eventOf(text);
      sent = text;
      quiet = 0;
    } else if (quiet >= HEARTBEAT_READS) {
      yield ': nothing new\n\n';
      quiet = 0;
    }
  }
}

function eventOf(json: string): string {
  return `event: progress\ndata: ${json}\n\n`;
}
