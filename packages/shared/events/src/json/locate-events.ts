import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  skipString,
} from './bytes.ts';

/*
 * Finds the events in a body's bytes. Lenient: it reads only bodies that JSON.parse has accepted; for any other its
 * result means nothing.
 *
 * Needed only to cut a batch into several entries, or to measure single events, without writing the JSON again:
 * canonicalising and stringifying in ingest costs 42 % of the ack throughput.
 */

/** Start and end (exclusive) of one event's JSON text in the body, in bytes. */
export interface EventSpan {
  readonly start: number;
  readonly end: number;
}

/** Finds the elements of the array under `name` in the body, an object. As in JSON.parse, the last `name` counts. */
export function locateElements(body: Buffer, name: string): EventSpan[] {
  let spans: EventSpan[] = [];
  let at = skipSpace(body, 0) + 1;
  for (;;) {
    at = skipSpace(body, at);
    if (at >= body.length || body[at] === CLOSE_BRACE) return spans;
    if (body[at] === COMMA) {
      at += 1;
      continue;
    }
    const keyEnd = skipString(body, at);
    const key = JSON.parse(body.toString('utf8', at, keyEnd)) as string;
    at = skipSpace(body, skipSpace(body, keyEnd) + 1);
    const end = skipValue(body, at);
    if (key === name && body[at] === OPEN_BRACKET) spans = elementsOf(body, at);
    at = end;
  }
}

/** Finds the one value of the body, without the white space around it. */
export function locateWhole(body: Buffer): EventSpan {
  const start = skipSpace(body, 0);
  return { start, end: skipValue(body, start) };
}

function elementsOf(body: Buffer, open: number): EventSpan[] {
  const spans: EventSpan[] = [];
  let at = open + 1;
  for (;;) {
    at = skipSpace(body, at);
    if (at >= body.length || body[at] === CLOSE_BRACKET) return spans;
    if (body[at] === COMMA) {
      at += 1;
      continue;
    }
    const end = skipValue(body, at);
    spans.push({ start: at, end });
    at = end;
  }
}

/** @returns the index after the value that starts at `from` */
function skipValue(body: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = skipString(body, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || byte === COLON || byte <= 0x20)) {
      return at;
    }
    at += 1;
  }
  return at;
}
