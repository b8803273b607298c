import { Readable } from 'node:stream';
import type { HeldAnswer } from '../http/held-answers.ts';

/** Unread bytes from which on the sender waits for the reader. */
const FULL_BYTES = 1024 * 1024;

/** How long a dropped reader may take to fetch what was sent before, in milliseconds. */
const LAST_WORDS_MS = 10_000;

/** A server-sent event. */
export interface ServerSentEvent {
  /** The position after this event. A client sends it back as `Last-Event-ID`. */
  readonly id?: string;
  /** Its name; without one it is a plain message. */
  readonly event?: string;
  /** JSON text. */
  readonly data: string;
}

/** The body of one answer that stays open until `end`. Sending never waits. */
export interface EventStream {
  readonly body: Readable;
  send(event: ServerSentEvent): void;
  /** Sends a line that clients ignore. It keeps proxies from closing the connection. */
  comment(text: string): void;
  /** True when enough bytes are unread that the sender should call `drain` first. */
  readonly isFull: boolean;
  /** Resolves when the reader has caught up. One that has not within `withinMs` is dropped. */
  drain(withinMs: number): Promise<void>;
  /** Counts bytes that are kept for this reader beside the unread ones, until the next call. */
  reserve(bytes: number): void;
  /** Sends the reason as the last event, and ends the stream. */
  end(reason: string, message: string): void;
  readonly ended: boolean;
}

/**
 * @param held counts what waits for the reader; a stream that may not hold as much is dropped
 * @param onEnd called once, however it ends
 */
export function openEventStream(held: HeldAnswer, onEnd: () => void): EventStream {
  let ended = false;
  let reserved = 0;
  /** Called when the connection takes more, and when it closes. */
  let onMove: (() => void) | undefined;
  const body = new Readable({
    // Called before the bytes that are read are taken off. A reader of large events would look full, and be dropped.
    read: () =>
      queueMicrotask(() => {
        count();
        onMove?.();
      }),
  });
  const finish = (): void => {
    if (!ended) {
      ended = true;
      onEnd();
    }
    onMove?.();
  };
  // A client that hangs up is no failure.
  body.on('error', finish).on('close', finish);

  function count(): void {
    const refusal = held.set(body.readableLength + reserved);
    if (refusal !== null) end('dropped', `${refusal.message} Resume with Last-Event-ID.`);
  }

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
      if (ended) return;
      body.push(frameOf(event));
      count();
    },
    reserve(bytes) {
      reserved = bytes;
      count();
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
