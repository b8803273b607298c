import { defineEntity, p } from '@mikro-orm/core';

/**
 * An event, or a whole entry, that can't be stored as it is. Written in the transaction that stores the rest
 * of its batch, so there is no moment in which an event is nowhere.
 */
export const DeadLetter = defineEntity({
  name: 'DeadLetter',
  tableName: 'dead_letters',
  uniques: [{ properties: ['stream', 'entryId', 'entryIndex'] }],
  indexes: [
    { name: 'dead_letters_dead', properties: ['id'], where: "state = 'dead'" },
    { name: 'dead_letters_tenant', properties: ['tenant', 'id'] },
    { name: 'dead_letters_replay', properties: ['replayId'], where: 'replay_id IS NOT NULL' },
    { name: 'dead_letters_replaying', properties: ['replayId', 'id'], where: "state = 'replaying'" },
    { name: 'dead_letters_replay_of', properties: ['replayOf'], where: 'replay_of IS NOT NULL' },
  ],
  checks: [
    { name: 'dead_letters_state', expression: "state IN ('dead', 'replaying', 'replayed', 'discarded')" },
    { name: 'dead_letters_replay_result', expression: "replay_result IN ('stored', 'duplicate', 'failed')" },
  ],
  properties: {
    id: p.bigint().primary().generated('identity'),
    /** Null when not even that could be read. */
    tenant: p.text().nullable(),
    eventId: p.uuid().nullable(),
    eventType: p.text().nullable(),
    source: p.text().nullable(),
    /** Code of `dead-letter-reasons`. */
    reason: p.text(),
    sqlstate: p.text().nullable(),
    message: p.text(),
    detail: p.text().nullable(),
    /** The client's event as JSON; null when Postgres can't hold it as jsonb. */
    payload: p.json().nullable(),
    /** The bytes, when there is no payload: an event's JSON text, or an entry's fields. */
    raw: p.blob().nullable(),
    /** What `payload` was before an operator changed it. */
    originalPayload: p.json().nullable(),
    /** What a replay needs of the entry's header. */
    origin: p.json().nullable(),
    stream: p.text(),
    entryId: p.text(),
    /** Place in the entry's body; -1 for the entry itself. */
    entryIndex: p.integer(),
    traceId: p.text().nullable(),
    firstFailedAt: p.datetime(6).defaultRaw('now()'),
    lastFailedAt: p.datetime(6).defaultRaw('now()'),
    attempts: p.integer().default(1),
    /** One object for each failure after the first. */
    history: p.json().defaultRaw("'[]'"),
    state: p.text().default('dead'),
    replayId: p.uuid().nullable(),
    /** The dead letter whose replay ended here. */
    replayOf: p.bigint().nullable(),
    replayResult: p.text().nullable(),
    settledAt: p.datetime(6).nullable(),
  },
});
