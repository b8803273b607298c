import { Readable } from 'node:stream';

/** Bytes that may wait for a reader before it has to be waited for. */
const FULL_BYTES = 1024 * 1024;

/** How long a reader that was let go may take to fetch what still waits for it, in milliseconds. */
const LAST_WORDS_MS = 10_000;

/** A server-sent event. */
export interface ServerSentEvent {
  /** Where a reader stands behind it; a client gives it back as `Last-Event-ID`. */
  readonly id?: string;
  /** Its name; a plain message without. */
  readonly event?: string;
  /** JSON text. */
  readonly data: string;
}

/** The body of one answer that stays open until it is ended. Sending never waits. */
export interface EventStream {
  readonly body: Readable;
  send(event: ServerSentEvent): void;
  /** A line that clients ignore; keeps proxies from closing the connection. */
  comment(text: string): void;
  /** True when so much waits for the reader that the sender should let it drain first. */
  readonly isFull: boolean;
  /** Resolves when the reader has caught up, or is let go because it did not within this time, in milliseconds. */
  drain(withinMs: number): Promise<void>;
  /** Says why, and ends. */
  end(reason: string, message: string): void;
  readonly ended: boolean;
}

/** @param onEnd called once, however it ends */
export function openEventStream(onEnd: () => void): EventStream {
  let ended = false;
  /** Called when the connection takes more, and when there is none any more. */
  let onMove: (() => void) | undefined;
  const body = new Readable({ read: () => onMove?.() });
  const finish = (): void => {
    if (!ended) {
      ended = true;
      onEnd();
    }
    onMove?.();
  };
  // A client that hangs up is no failure.
  body.on('error', finish).on('close', finish);

  function end(reason: string, message: string): void {
    if (ended) return;
    body.push(frameOf({ event: reason, data: JSON.stringify({ message }) }));
    body.push(null);
    setTimeout(() => body.destroy(), LAST_WORDS_MS).unref();
    finish();
  }

  return {
    body,
    send(event) {
      if (!ended) body.push(frameOf(event));
    },
    comment(text) {
      if (!ended) body.push(`: ${text}\n\n`);
    },
    get isFull() {
      return !ended && body.readableLength > FULL_BYTES;
    },
    drain(withinMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => end('dropped', 'This reader is too slow; resume with Last-Event-ID, or narrow the filter.'),
        withinMs,
      );
      onMove = () => {
        if (ended || body.readableLength <= body.readableHighWaterMark) resolve();
      };
      onMove();
      return promise.finally(() => {
        clearTimeout(timer);
        onMove = undefined;
      });
    },
    end,
    get ended() {
      return ended;
    },
  };
}

/** JSON text has no line breaks, so one `data` line holds it. */
function frameOf({ id, event, data }: ServerSentEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`;
}
