import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import type { JsonObject, Rejection } from '@sluice/events/adapters/event-adapter';
import { adapterBySource } from '@sluice/events/adapters/registry';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { validateEvent } from '@sluice/events/validate-event';
import type { Database } from '@sluice/store/database';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import { inTransaction } from '@sluice/store/transaction';
import type { LetterOrigin } from '@sluice/stream/replay-entry';
import { noteAction } from '../audit/commands.ts';
import { noSuchLetter } from './rows.ts';

/** A new payload for a dead letter. */
export interface Edit {
  readonly id: string;
  readonly payload: unknown;
  /** The same, with numbers that keep all their digits. */
  readonly exact: unknown;
  readonly reason: string | undefined;
  /** The version that the caller edited; undefined to skip the check. */
  readonly version: string | undefined;
  readonly operator: Principal;
}

/** The payload is not an event that ingest would accept. */
export class RejectedPayload extends ApiError {
  readonly rejection: Rejection;

  constructor(rejection: Rejection) {
    super('event_rejected', rejection.message);
    this.rejection = rejection;
  }
}

interface Row {
  tenant: string | null;
  event_id: string | null;
  source: string | null;
  state: string;
  version: string;
  origin: string | null;
}

/**
 * Replaces the payload of a dead letter, inside the caller's transaction.
 *
 * @throws ApiError when there is no such dead letter, when it is not dead or has changed, or when the payload is invalid
 */
export async function editLetter(db: Kysely<unknown>, edit: Edit, maxEventBytes: number): Promise<void> {
  const { id, operator } = edit;
  const { rows } = await sql<Row>`
    SELECT tenant, event_id, source, state, xmin::text AS version, origin::text AS origin FROM dead_letters
    WHERE ${matches({ ids: [id], state: 'all' }, operator.tenant)} FOR UPDATE`.execute(db);
  const letter = rows[0];
  if (letter === undefined) throw noSuchLetter(id);
  if (letter.state !== 'dead') throw new ApiError('conflict', `Dead letter ${id} is ${letter.state}, not dead.`);
  if (edit.version !== undefined && edit.version !== letter.version) {
    throw new ApiError('conflict', `Dead letter ${id} has changed since version ${edit.version}.`);
  }
  const { eventType, json } = validPayload(letter, edit, maxEventBytes);
  await sql`
    UPDATE dead_letters SET original_payload = coalesce(original_payload, payload), payload = ${json}::jsonb,
      event_type = ${eventType}
    WHERE id = ${id}`.execute(db);
  await noteAction(db, operator, {
    action: 'dead_letters.edit',
    affected: 1,
    reason: edit.reason,
    details: { id, event_id: letter.event_id },
  });
}

/** Validates the payload as ingest would, and checks that it still is the same event. */
function validPayload(letter: Row, edit: Edit, maxEventBytes: number): { eventType: string; json: string } {
  const { tenant, source, origin } = letter;
  const adapter = source === null ? undefined : adapterBySource(source);
  if (adapter === undefined || tenant === null || origin === null) {
    throw new ApiError('conflict', `Dead letter ${edit.id} is an unreadable entry; it has no payload.`);
  }
  const payload = replaceUnstorableText(edit.exact);
  const json = JSON.stringify(payload) ?? 'null';
  const bytes = Buffer.from(json);
  const rejection = validateEvent(edit.payload, {
    adapter,
    tenant,
    receivedAt: Date.now(),
    maxEventBytes,
    bytesAround: bytes.length,
    json: () => bytes,
    name: 'The payload',
  });
  if (rejection !== null) throw new RejectedPayload(rejection);
  const from = JSON.parse(origin) as LetterOrigin;
  const event = adapter.project(payload as JsonObject, {
    tenant,
    batchId: from.batch_id,
    index: from.index,
    receivedAt: from.received_at,
    clientIp: from.client_ip,
    traceId: null,
    envelope: from.envelope,
  });
  if (event.eventId !== letter.event_id) {
    throw new ApiError(
      'event_id_changed',
      `The event id must stay ${letter.event_id}; this payload gives ${event.eventId}.`,
    );
  }
  return { eventType: event.eventType, json };
}

/** Most dead letters in one transaction. */
const BATCH = 1_000;

/** Which dead letters are discarded, by whom and why. */
export interface Discard {
  readonly filter: DeadLetterFilter;
  readonly operator: Principal;
  readonly reason: string;
}

/**
 * Discards every matching dead letter that exists now, in bounded transactions. Each of them updates the count of the
 * one entry in the audit log.
 *
 * @returns the number of discarded dead letters
 */
export async function discardLetters(database: Database, discard: Discard): Promise<number> {
  const { filter, operator, reason } = discard;
  const { note, upperId } = await inTransaction(database, async (db) => {
    const { rows } = await sql<{ upper: string }>`
      SELECT coalesce(max(id), 0) AS upper FROM dead_letters WHERE ${matches(filter, operator.tenant)}`.execute(db);
    const noted = { action: 'dead_letters.discard', affected: 0, reason, details: filter };
    return { note: await noteAction(db, operator, noted), upperId: rows[0]!.upper };
  });
  let discarded = 0;
  for (let lastId = '0'; ;) {
    const batch = await inTransaction(database, (db) => discardBatch(db, discard, { note, lastId, upperId }));
    discarded += batch.count;
    if (batch.lastId === null) return discarded;
    lastId = batch.lastId;
  }
}

async function discardBatch(
  db: Kysely<unknown>,
  { filter, operator }: Discard,
  range: { note: string; lastId: string; upperId: string },
): Promise<{ count: number; lastId: string | null }> {
  const { rows } = await sql<{ id: string }>`
    WITH chosen AS (
      SELECT id FROM dead_letters
      WHERE id > ${range.lastId} AND id <= ${range.upperId} AND ${matches(filter, operator.tenant)}
      ORDER BY id LIMIT ${BATCH} FOR UPDATE
    ), discarded AS (
      UPDATE dead_letters d SET state = 'discarded', settled_at = now() FROM chosen WHERE d.id = chosen.id RETURNING d.id
    )
    SELECT id FROM discarded ORDER BY id`.execute(db);
  await sql`UPDATE audit_log SET affected = affected + ${rows.length} WHERE id = ${range.note}`.execute(db);
  return { count: rows.length, lastId: rows.length < BATCH ? null : rows.at(-1)!.id };
}
