import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { encodeInet } from './encode-inet.ts';
import { encodeTimestamp } from './encode-timestamp.ts';

/** The columns of a row, in their order. The others have defaults: `stored_at`, `tx` and `segment`. */
export const ROW_COLUMNS =
  'tenant, event_id, event_type, occurred_at, received_at, actor, session_id, correlation_id, resource, client_ip, trace_id, source, flags, payload';
const COLUMNS = ROW_COLUMNS.split(', ').length;

/** Signature, no flags, no extension: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
/** The length of a null, and of the end of all rows. */
const NULL = -1;
const TEXT_OID = 25;
const JSONB_VERSION = 1;
/** Bytes of a row beside its texts: lengths, id, times, address, flags' header. */
const ROW_OVERHEAD = 160;

/**
 * Writes events as the rows of `COPY … FROM STDIN (FORMAT binary)`. Postgres takes them in 3.4 ms for 500 instead of 5.6 for
 * arrays of text, and this takes half the time of making those.
 *
 * @returns null when a value has no binary form here: Postgres should see its text, and say what is wrong with it
 */
export function encodeRows(events: readonly CanonicalEvent[]): EncodedRows | null {
  const out = new Rows(events);
  let origin:
    | { readonly received: number | bigint; readonly ip: Buffer | null; readonly of: CanonicalEvent }
    | undefined;
  for (const event of events) {
    if (origin === undefined || origin.of.receivedAt !== event.receivedAt || origin.of.clientIp !== event.clientIp) {
      const received = encodeTimestamp(event.receivedAt);
      const ip = event.clientIp === null ? null : encodeInet(event.clientIp);
      if (received === null || (ip === null && event.clientIp !== null)) return null;
      origin = { received, ip, of: event };
    }
    const occurred = encodeTimestamp(event.occurredAt);
    if (occurred === null) return null;
    out.begin();
    out.text(event.tenant);
    if (!out.uuid(event.eventId)) return null;
    out.text(event.eventType);
    out.int64(occurred);
    out.int64(origin.received);
    out.text(event.actor);
    out.text(event.sessionId);
    out.text(event.correlationId);
    out.text(event.resource);
    out.bytes(origin.ip);
    out.text(event.traceId);
    out.text(event.source);
    out.texts(event.flags);
    out.jsonb(event.payload);
  }
  return out.end();
}

/** The rows of a COPY, and the 16 bytes of each row's id. */
export interface EncodedRows {
  readonly rows: Buffer;
  readonly ids: Buffer;
}

/** A buffer that grows, with a cursor. Methods write one field each: its length, then its bytes. */
class Rows {
  #buffer: Buffer;
  #at = HEADER.length;
  readonly #ids: Buffer;
  #idsAt = 0;

  constructor(events: readonly CanonicalEvent[]) {
    const chars = events.reduce((sum, event) => sum + event.payload.length, 0);
    this.#buffer = Buffer.allocUnsafe(HEADER.length + 2 + chars + chars / 8 + events.length * 2 * ROW_OVERHEAD);
    HEADER.copy(this.#buffer);
    this.#ids = Buffer.allocUnsafe(16 * events.length);
  }

  begin(): void {
    this.#reserve(ROW_OVERHEAD);
    this.#at = this.#buffer.writeInt16BE(COLUMNS, this.#at);
  }

  text(text: string | null): void {
    if (text === null) this.bytes(null);
    else this.#utf8(text, 0);
  }

  jsonb(json: string): void {
    this.#utf8(json, 1);
  }

  int64(value: number | bigint): void {
    this.#reserve(12);
    this.#at = this.#buffer.writeInt32BE(8, this.#at);
    if (typeof value === 'bigint') this.#at = this.#buffer.writeBigInt64BE(value, this.#at);
    else {
      const high = Math.floor(value / TWO_TO_32);
      this.#at = this.#buffer.writeInt32BE(high, this.#at);
      this.#at = this.#buffer.writeUInt32BE(value - high * TWO_TO_32, this.#at);
    }
  }

  bytes(value: Buffer | null): void {
    this.#reserve(4 + (value?.length ?? 0));
    this.#at = this.#buffer.writeInt32BE(value?.length ?? NULL, this.#at);
    if (value !== null) this.#at += value.copy(this.#buffer, this.#at);
  }

  /** @returns false when it is none */
  uuid(text: string): boolean {
    if (text.length !== 36) return false;
    this.#reserve(20);
    const end = this.#buffer.writeInt32BE(16, this.#at) + 16;
    let at = end - 16;
    for (let from = 0; from < 36; from += 2) {
      if (text.charCodeAt(from) === DASH) from += 1;
      const high = NIBBLES[text.charCodeAt(from)];
      const low = NIBBLES[text.charCodeAt(from + 1)];
      if (high === undefined || low === undefined || at === end) return false;
      this.#buffer[at] = 16 * high + low;
      at += 1;
    }
    this.#at = end;
    this.#idsAt += this.#buffer.copy(this.#ids, this.#idsAt, end - 16, end);
    return at === end;
  }

  texts(values: readonly string[] | null): void {
    if (values === null) return this.bytes(null);
    this.#reserve(24);
    const lengthAt = this.#at;
    const from = lengthAt + 4;
    // Dimensions, whether there are nulls, type of the elements; then length and lower bound of the dimension.
    this.#at = this.#buffer.writeInt32BE(values.length === 0 ? 0 : 1, from);
    this.#at = this.#buffer.writeInt32BE(0, this.#at);
    this.#at = this.#buffer.writeInt32BE(TEXT_OID, this.#at);
    if (values.length > 0) {
      this.#at = this.#buffer.writeInt32BE(values.length, this.#at);
      this.#at = this.#buffer.writeInt32BE(1, this.#at);
    }
    for (const value of values) this.text(value);
    this.#buffer.writeInt32BE(this.#at - from, lengthAt);
  }

  end(): EncodedRows {
    this.#reserve(2);
    this.#at = this.#buffer.writeInt16BE(NULL, this.#at);
    return { rows: this.#buffer.subarray(0, this.#at), ids: this.#ids };
  }

  /** @param version whether the version of jsonb comes first */
  #utf8(text: string, version: 0 | 1): void {
    this.#reserve(5 + 3 * text.length);
    const from = this.#at + 4;
    if (version === 1) this.#buffer[from] = JSONB_VERSION;
    const length = version + this.#buffer.write(text, from + version);
    this.#buffer.writeInt32BE(length, this.#at);
    this.#at = from + length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + bytes);
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

const TWO_TO_32 = 2 ** 32;
const DASH = 0x2d;
/** Values of hex digits by their character code. */
const NIBBLES: readonly (number | undefined)[] = (() => {
  const values: (number | undefined)[] = [];
  for (const [value, digit] of Array.from('0123456789abcdef').entries()) {
    values[digit.charCodeAt(0)] = value;
    values[digit.toUpperCase().charCodeAt(0)] = value;
  }
  return values;
})();
