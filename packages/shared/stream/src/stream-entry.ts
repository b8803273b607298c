import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/**
 * Versions of the entry's layout. Version 2 adds an envelope to the header and is used only for entries that have one.
 * So an older writer stores all other entries, and refuses those whose envelope it would lose.
 */
const PLAIN_VERSION = '1';
const ENVELOPE_VERSION = '2';

/** Most events in one entry. A writer's transaction holds whole entries, of at most 500 events together. */
export const MAX_ENTRY_EVENTS = 500;

/** Most bytes of JSON in one entry, before compression. A single event may be larger than that. */
export const MAX_ENTRY_BYTES = 1024 * 1024;

/**
 * Bodies below this many bytes are not compressed. zstd level 1 compresses 440-byte events to 84 bytes in batches of
 * 500 and to 134 in batches of 10, but gains little on a single one.
 */
const COMPRESS_FROM_BYTES = 1024;

/** Ingest accepts no larger body. The limit keeps an entry of another program from filling memory. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;

/**
 * Most bytes of an envelope's JSON. Redis stores it uncompressed in each entry. Larger values belong into the events,
 * where zstd removes repetitions.
 */
export const MAX_ENVELOPE_BYTES = 8 * 1024;

/** No real entry holds this many events. A header's number may come from another program. */
const MAX_ACCEPTED = 1_000_000;

/** What ingest knows about the events of an entry, besides the client's bytes. */
export interface EntryHeader {
  /** Adapter that reads the body. */
  readonly source: string;
  readonly tenant: string;
  readonly batchId: string;
  /** Index in the client's batch of the body's first event. */
  readonly firstIndex: number;
  /** How many of the body's events were accepted. */
  readonly accepted: number;
  /** Indexes in the body, from 0, of the events that were rejected. */
  readonly rejected: readonly number[];
  readonly clientIp: string | null;
  /** ISO 8601 UTC. */
  readonly receivedAt: string;
  /** W3C trace context of the request. */
  readonly traceparent: string | null;
  /** W3C trace context of the replay, where a replay and not the request added the entry. */
  readonly sentBy?: string | undefined;
  /** Id of the dead letter that this entry replays. */
  readonly replayOf?: string | undefined;
  /** What the client sent once for all events and the adapter needs for each: JSON of at most MAX_ENVELOPE_BYTES. */
  readonly envelope?: Readonly<Record<string, unknown>> | undefined;
}

/** Field names and values, as XADD takes them. */
export type EntryFields = (string | Buffer)[];

/** This version cannot read the entry; it stays in the stream. */
export class EntryError extends Error {
  readonly code: 'unknown_version' | 'malformed_header' | 'malformed_body';

  constructor(code: EntryError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EntryError';
    this.code = code;
  }
}

/**
 * Makes the fields of an entry: `v` version, `h` header (JSON), and the body as `b` (plain) or `z` (zstd level 1).
 * The header's names are short because Redis stores them with each entry.
 */
export function encodeEntry(header: EntryHeader, body: Buffer): EntryFields {
  const packed = JSON.stringify({
    s: header.source,
    t: header.tenant,
    i: header.batchId,
    f: header.firstIndex === 0 ? undefined : header.firstIndex,
    n: header.accepted,
    x: header.rejected.length === 0 ? undefined : header.rejected,
    a: header.clientIp ?? undefined,
    r: header.receivedAt,
    p: header.traceparent ?? undefined,
    l: header.sentBy,
    d: header.replayOf,
    e: header.envelope,
  });
  const version = header.envelope === undefined ? PLAIN_VERSION : ENVELOPE_VERSION;
  if (body.length < COMPRESS_FROM_BYTES) return ['v', version, 'h', packed, 'b', body];
  const compressed = zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return ['v', version, 'h', packed, 'z', compressed];
}

/**
 * Reads the fields of an entry, as XREADGROUP gives them (name, value, name, value …).
 *
 * @returns the header and the body's JSON text
 * @throws EntryError when the fields are no entry, or one of a newer version
 */
export function decodeEntry(fields: readonly Buffer[]): { header: EntryHeader; body: string } {
  const values = new Map<string, Buffer>();
  for (let at = 0; at + 1 < fields.length; at += 2) values.set(fields[at]!.toString(), fields[at + 1]!);
  const version = values.get('v')?.toString();
  if (version !== PLAIN_VERSION && version !== ENVELOPE_VERSION) {
    throw new EntryError(
      'unknown_version',
      `entry of version ${version ?? '(none)'}; this writer reads up to ${ENVELOPE_VERSION}`,
    );
  }
  return { header: decodeHeader(values.get('h')), body: decodeBody(values) };
}

/**
 * Reads the id of the dead letter that an entry replays. It does not decode the body, which may crash its reader.
 *
 * @returns null when the entry replays no dead letter, or its header is unreadable
 */
export function replayOfEntry(fields: readonly Buffer[]): string | null {
  try {
    const at = fields.findIndex((field, place) => place % 2 === 0 && field.toString() === 'h');
    return decodeHeader(at < 0 ? undefined : fields[at + 1]).replayOf ?? null;
  } catch (error) {
    if (error instanceof EntryError) return null;
    throw error;
  }
}

function decodeHeader(packed: Buffer | undefined): EntryHeader {
  if (packed === undefined) throw new EntryError('malformed_header', 'the entry has no header');
  let header: Record<string, unknown>;
  try {
    // A value that is not an object has no fields.
    header = { ...(JSON.parse(packed.toString()) as Record<string, unknown> | null) };
  } catch (error) {
    throw new EntryError('malformed_header', 'the header is not JSON', error);
  }
  const { s, t, i, f = 0, n, x = [], a = null, r, p = null, l, d, e } = header;
  const whole = typeof s === 'string' && typeof t === 'string' && typeof i === 'string' && typeof r === 'string';
  if (!whole || !Number.isInteger(f) || !Number.isInteger(n) || !Array.isArray(x)) {
    throw new EntryError('malformed_header', 'the header lacks a field');
  }
  // The settle script adds this number to its counts; a bad one would spoil them all.
  if ((n as number) < 0 || (n as number) > MAX_ACCEPTED)
    throw new EntryError('malformed_header', 'the header has an impossible number of events');
  if ([a, p, l, d].some((optional) => (optional ?? null) !== null && typeof optional !== 'string'))
    throw new EntryError('malformed_header', 'a field of the header is not a text');
  // Postgres gets this id together with good events, where isolation would not find a bad one.
  if (typeof d === 'string' && !/^\d{1,18}$/.test(d))
    throw new EntryError('malformed_header', 'the header names no dead letter');
  if (e !== undefined && !isEnvelope(e)) throw new EntryError('malformed_header', 'the envelope is not one');
  return {
    source: s,
    tenant: t,
    batchId: i,
    firstIndex: f as number,
    accepted: n as number,
    rejected: x as number[],
    clientIp: a as string | null,
    receivedAt: r,
    traceparent: p as string | null,
    sentBy: l as string | undefined,
    replayOf: d as string | undefined,
    ...(e === undefined ? {} : { envelope: e }),
  };
}

function isEnvelope(value: unknown): value is NonNullable<EntryHeader['envelope']> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Buffer.byteLength(JSON.stringify(value)) <= MAX_ENVELOPE_BYTES;
}

function decodeBody(values: ReadonlyMap<string, Buffer>): string {
  const plain = values.get('b');
  if (plain !== undefined) return plain.toString();
  const compressed = values.get('z');
  if (compressed === undefined) throw new EntryError('malformed_body', 'the entry has no body');
  try {
    return zstdDecompressSync(compressed, { maxOutputLength: MAX_DECODED_BYTES }).toString();
  } catch (error) {
    throw new EntryError('malformed_body', 'the body cannot be decompressed', error);
  }
}
