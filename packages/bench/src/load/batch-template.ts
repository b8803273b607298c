import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { generateEvents } from '@sluice/local-stack/generate-events';

/**
 * The bytes of a batch of events, which are sent more than once: only the ids differ from send to send. Serialising
 * a batch again costs the generator more than sending it, and on one machine that slows down what is measured.
 */
export interface BatchTemplate {
  readonly events: number;
  readonly bytes: Buffer;
  /** Where each event's id begins. */
  readonly idsAt: readonly number[];
}

/** Hex digits of two bytes at a time, in the byte order of memory. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16LE(),
);

/**
 * How times are written: as JavaScript does; with an offset; or with a space, which ingest has to parse.
 */
export type Times = 'utc' | 'offset' | 'spaced';

const WRITTEN: Readonly<Record<Times, (event: string) => string>> = {
  utc: (event) => event,
  offset: (event) => event.replace('Z"', '-01:00"'),
  spaced: (event) => event.replace(/"(\d{4}-\d{2}-\d{2})T/, '"$1 '),
};

/**
 * Makes a `POST` of `{"events":[…]}`, headers included, ready to be written to a connection.
 *
 * @param first number of its first event
 * @param times how the events' times are written
 */
export function requestTemplate(url: string, events: number, first: number, times: Times): BatchTemplate {
  const { host, pathname } = new URL(url);
  const made = [...generateEvents(events, first)];
  const texts = made.map(({ text }) => WRITTEN[times](text));
  const body = `{"events":[${texts.join(',')}]}`;
  const head =
    `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return locateIds(
    Buffer.from(head + body),
    made.map(({ eventId }) => String(eventId)),
  );
}

/** The columns of `copyTemplate`, in order; the other columns of `events` have defaults. */
export const COPY_COLUMNS =
  'tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id, resource, source, payload';

/**
 * Makes the same events as rows of `COPY events (…) FROM STDIN`.
 *
 * @param first number of its first event
 */
export function copyTemplate(events: number, first: number): BatchTemplate {
  const made = [...generateEvents(events, first)];
  const receivedAt = new Date().toISOString();
  const rows = made.map(({ text, eventId }, index) => {
    const event = governanceTracker.project(JSON.parse(text), {
      tenant: 'default',
      batchId: String(eventId),
      index,
      receivedAt,
      clientIp: null,
      traceId: null,
    });
    return [event.tenant, event.eventId, event.eventType, event.occurredAt, receivedAt]
      .concat(
        [event.actor, event.sessionId, event.correlationId, event.resource, event.source, event.payload].map(
          toCopyText,
        ),
      )
      .join('\t');
  });
  return locateIds(
    Buffer.from(`${rows.join('\n')}\n`),
    made.map(({ eventId }) => String(eventId)),
  );
}

/**
 * Gives the events of a template new ids, and answers its bytes.
 *
 * @param from number of the first event; each event of a run has its own number
 */
export function withFreshIds(template: BatchTemplate, from: number): Buffer {
  for (const [index, at] of template.idsAt.entries()) {
    // A bijection on 32 bits that spreads: ascending ids would be too easy for every index.
    const digits = Math.imul(from + index, 0x9e3779b1);
    for (let byte = 0; byte < 4; byte += 1) {
      template.bytes.writeUInt16LE(HEX[(digits >>> (24 - 8 * byte)) & 0xff]!, at + 2 * byte);
    }
  }
  return template.bytes;
}

/** A value in COPY's text format. */
function toCopyText(value: string | null): string {
  return value === null
    ? '\\N'
    : value.replaceAll(/[\\\t\n\r]/g, (found) => `\\${{ '\t': 't', '\n': 'n', '\r': 'r' }[found] ?? found}`);
}

function locateIds(bytes: Buffer, ids: readonly string[]): BatchTemplate {
  let from = 0;
  const idsAt = ids.map((id) => {
    from = bytes.indexOf(id, from, 'latin1');
    return from;
  });
  return { events: ids.length, bytes, idsAt };
}
