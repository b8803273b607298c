import { type Kysely, sql } from 'kysely';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import type { EntryHeader } from '@sluice/stream/stream-entry';
import type { DeadLetterReason, DeathCause } from '../dead-letter-reasons.ts';
import { arrayLiteral } from './array-literal.ts';
import { type DecodedEntry, readEntry, traceIdOf, type WireEvent } from './decode-entry.ts';

/** Index of a dead letter that is a whole entry. */
const ENTRY_ITSELF = -1;

/** Stream name of a dead letter that failed again in a replay; its entry id is then the id of the replayed dead letter. */
const REPLAYED = 'replays';

/** A dead letter before it has an id. */
export interface DeadLetterDraft extends DeathCause {
  readonly tenant: string | null;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly source: string | null;
  /** JSON text of the client's event. */
  readonly body: string | null;
  /** Bytes of an unreadable entry: its fields, each as base64, in a JSON array. */
  readonly raw: Buffer | null;
  /** JSON text of the parts of the entry's header that a replay needs. */
  readonly origin: string | null;
  readonly stream: string;
  readonly entryId: string;
  readonly entryIndex: number;
  readonly traceId: string | null;
  /** Trace context of the request that sent it; not stored. */
  readonly traceparent: string | null;
  readonly replayOf: string | null;
}

/** A dead letter that did not exist before. */
export interface NewDeadLetter extends Pick<
  DeadLetterDraft,
  'reason' | 'sqlstate' | 'message' | 'eventId' | 'traceparent'
> {
  readonly id: string;
}

/** Reason of a row error, by its SQLSTATE. */
export function reasonOf(sqlstate: string): DeadLetterReason {
  if (sqlstate === '23502') return 'missing_value';
  if (sqlstate.startsWith('23') || sqlstate === 'P0001') return 'constraint_violation';
  return sqlstate.startsWith('54') ? 'too_complex' : 'invalid_value';
}

/** An event that cannot be stored, and why. */
export interface Poisoned {
  readonly event: CanonicalEvent;
  readonly cause: DeathCause;
}

/** Makes dead letters for events of one entry, each with the event as its client sent it. */
export function deadEvents(entry: DecodedEntry, poisoned: readonly Poisoned[]): DeadLetterDraft[] {
  // The entry is decoded again: retaining the client's form of every event would double the writer's memory.
  const { header, wire } = readEntry(entry);
  const sentAs = new Map(entry.events.map((event, at) => [event, wire[at]]));
  return poisoned.map(({ event, cause }) => deadEvent(entry, header, event, sentAs.get(event), cause));
}

function deadEvent(
  entry: DecodedEntry,
  header: EntryHeader,
  event: CanonicalEvent,
  sent: WireEvent | undefined,
  cause: DeathCause,
): DeadLetterDraft {
  return {
    ...cause,
    tenant: event.tenant,
    eventId: event.eventId,
    eventType: event.eventType,
    source: event.source,
    body: JSON.stringify(sent?.event ?? null),
    raw: null,
    origin: JSON.stringify(
      replaceUnstorableText({
        batch_id: header.batchId,
        index: sent?.index ?? 0,
        received_at: header.receivedAt,
        client_ip: header.clientIp,
        traceparent: header.traceparent,
        ...(header.envelope === undefined ? {} : { envelope: header.envelope }),
      }),
    ),
    // An interrupted replay may enqueue the same dead letter twice; if both fail, that is one dead letter.
    ...(entry.replayOf === null
      ? { stream: entry.key, entryId: entry.id, entryIndex: sent?.place ?? 0 }
      : { stream: REPLAYED, entryId: entry.replayOf, entryIndex: 0 }),
    traceId: traceIdOf(header),
    traceparent: header.traceparent,
    replayOf: entry.replayOf,
  };
}

/** Makes a dead letter for an entry as a whole, with its bytes. */
export function deadEntry(
  entry: Pick<DecodedEntry, 'key' | 'id' | 'fields' | 'replayOf'>,
  cause: DeathCause,
): DeadLetterDraft {
  return {
    ...cause,
    tenant: null,
    eventId: null,
    eventType: null,
    source: null,
    body: null,
    raw: Buffer.from(JSON.stringify(entry.fields.map((field) => field.toString('base64')))),
    origin: null,
    stream: entry.key,
    entryId: entry.id,
    entryIndex: ENTRY_ITSELF,
    traceId: null,
    traceparent: null,
    replayOf: entry.replayOf,
  };
}

/** Whether each of these dead letters is there already, from an earlier delivery of its entry. */
export async function areKnown(db: Kysely<unknown>, drafts: readonly DeadLetterDraft[]): Promise<boolean> {
  const { rows } = await sql<{ known: string }>`
    SELECT count(*) AS known FROM dead_letters JOIN unnest(
      ${drafts.map(({ stream }) => stream)}::text[], ${drafts.map(({ entryId }) => entryId)}::text[],
      ${drafts.map(({ entryIndex }) => entryIndex)}::integer[]
    ) AS i (stream, entry_id, entry_index) USING (stream, entry_id, entry_index)`.execute(db);
  return Number(rows[0]!.known) === drafts.length;
}

/**
 * Inserts dead letters in the caller's transaction. It skips a dead letter whose event id is stored already: the event is
 * there, and only this copy of it is bad. A dead letter from an earlier delivery of the same entry stays one, with the
 * failure noted.
 *
 * @returns those that are new
 */
export async function insertDeadLetters(
  db: Kysely<unknown>,
  drafts: readonly DeadLetterDraft[],
): Promise<NewDeadLetter[]> {
  if (drafts.length === 0) return [];
  const text = (name: Exclude<keyof DeadLetterDraft, 'raw' | 'entryIndex' | 'traceparent'>): string =>
    arrayLiteral(drafts.map((draft) => draft[name]?.toWellFormed().replaceAll('\0', '\uFFFD') ?? null));
  const result = await sql<{ id: string; stream: string; entry_id: string; entry_index: number; is_new: boolean }>`
    INSERT INTO dead_letters AS d (tenant, event_id, event_type, source, reason, sqlstate, message, detail, payload, raw,
                                   origin, stream, entry_id, entry_index, trace_id, replay_of, original_payload)
    SELECT tenant, event_id, event_type, source, reason, sqlstate, message, detail,
           CASE WHEN is_json THEN body::jsonb END,
           CASE WHEN body IS NULL THEN raw WHEN NOT is_json THEN convert_to(body, 'UTF8') END,
           origin::jsonb, stream, entry_id, entry_index, trace_id, replay_of,
           -- What the client sent goes along when what an operator changed fails again.
           (SELECT o.original_payload FROM dead_letters o WHERE o.id = i.replay_of)
    FROM (SELECT *, pg_input_is_valid(body, 'jsonb') AS is_json FROM unnest(
      ${text('tenant')}::text[], ${text('eventId')}::uuid[], ${text('eventType')}::text[], ${text('source')}::text[],
      ${text('reason')}::text[], ${text('sqlstate')}::text[], ${text('message')}::text[], ${text('detail')}::text[],
      ${text('body')}::text[], ${drafts.map((draft) => draft.raw)}::bytea[], ${text('origin')}::text[],
      ${text('stream')}::text[], ${text('entryId')}::text[], ${drafts.map((draft) => draft.entryIndex)}::integer[],
      ${text('traceId')}::text[], ${text('replayOf')}::bigint[]
    ) AS t (tenant, event_id, event_type, source, reason, sqlstate, message, detail, body, raw, origin, stream, entry_id,
            entry_index, trace_id, replay_of) OFFSET 0) AS i
    -- A subquery that gives a value stays one, with an index scan for each id.
    WHERE (SELECT true FROM events AS e WHERE e.tenant = i.tenant AND e.event_id = i.event_id LIMIT 1) IS NULL
    ORDER BY stream, entry_id, entry_index
    ON CONFLICT (stream, entry_id, entry_index) DO UPDATE SET
      attempts = d.attempts + 1,
      last_failed_at = now(),
      history = d.history || jsonb_build_array(jsonb_build_object(
        'at', now(), 'reason', excluded.reason, 'sqlstate', excluded.sqlstate, 'message', excluded.message))
    RETURNING id, stream, entry_id, entry_index, xmax = 0 AS is_new`.execute(db);
  const draftAt = new Map(drafts.map((draft) => [`${draft.stream} ${draft.entryId} ${draft.entryIndex}`, draft]));
  return result.rows
    .filter((row) => row.is_new)
    .map((row) => ({ ...draftAt.get(`${row.stream} ${row.entry_id} ${row.entry_index}`)!, id: row.id }));
}
