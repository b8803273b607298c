import { defineEntity, p } from '@mikro-orm/core';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';

/** Body of `POST /api/events`: the same required fields, times and lengths that Sluice requires. */
export const BATCH_SCHEMA = {
  type: 'object',
  required: ['events'],
  properties: {
    events: {
      type: 'array',
      minItems: 1,
      maxItems: 1000,
      items: {
        type: 'object',
        required: ['eventId', 'eventType', 'timestamp'],
        properties: {
          eventId: { type: 'string', format: 'uuid' },
          eventType: { type: 'string', minLength: 1, maxLength: 64 },
          timestamp: { type: 'string', format: 'date-time' },
          userName: { type: 'string', nullable: true, maxLength: 512 },
          sessionId: { type: 'string', nullable: true, maxLength: 512 },
          correlationId: { type: 'string', nullable: true, maxLength: 512 },
          workbookName: { type: 'string', nullable: true, maxLength: 512 },
        },
      },
    },
  },
} as const;

/** Above the largest batch of the benchmark; Fastify's own default is 1 MiB. */
export const BODY_LIMIT = 16 * 1024 * 1024;

/** A validated event. */
export interface SentEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly timestamp: string;
  readonly userName?: string | null;
  readonly sessionId?: string | null;
  readonly correlationId?: string | null;
  readonly workbookName?: string | null;
  readonly [property: string]: unknown;
}

const PeerEvent = defineEntity({
  name: 'PeerEvent',
  tableName: 'events',
  properties: {
    eventId: p.uuid().primary(),
    eventType: p.text(),
    occurredAt: p.datetime(6),
    actor: p.text().nullable(),
    sessionId: p.text().nullable(),
    correlationId: p.text().nullable(),
    resource: p.text().nullable(),
    payload: p.json(),
  },
});

/** In key order, as in Sluice: without that, concurrent batches of one session deadlock. */
const COUNT_SESSIONS = `
  INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
  SELECT 'default', i."sessionId", max(i."userName"), min(i.timestamp), max(i.timestamp), now(), count(*)
  FROM json_to_recordset(?::json) AS i ("sessionId" text, "userName" text, timestamp timestamptz)
  WHERE i."sessionId" IS NOT NULL
  GROUP BY i."sessionId" ORDER BY i."sessionId"
  ON CONFLICT (tenant, session_id) DO UPDATE SET
    last_event_at = greatest(s.last_event_at, excluded.last_event_at),
    last_seen_at = excluded.last_seen_at,
    event_count = s.event_count + excluded.event_count`;

/** A MikroORM with a pool as large as one of Sluice's daemons has by default. */
export function createPeerOrm(url: string, poolSize: number): Promise<MikroORM> {
  return MikroORM.init({ clientUrl: url, entities: [PeerEvent], pool: { min: 0, max: poolSize }, timezone: 'Z' });
}

/** Stores a batch in one transaction: its events by `insertMany`, and its sessions. */
export async function insertBatch(orm: MikroORM, events: readonly SentEvent[]): Promise<void> {
  const em = orm.em.fork() as EntityManager;
  await em.begin();
  try {
    await em.insertMany(PeerEvent, events.map(toRow));
    const sessions = events.map(({ sessionId, userName, timestamp }) => ({ sessionId, userName, timestamp }));
    await em.execute(COUNT_SESSIONS, [JSON.stringify(sessions)]);
    await em.commit();
  } catch (error) {
    await em.rollback();
    throw error;
  }
}

function toRow(event: SentEvent) {
  const { eventId, eventType, timestamp, userName, sessionId, correlationId, workbookName, ...payload } = event;
  return {
    eventId,
    eventType,
    occurredAt: new Date(timestamp),
    actor: userName ?? null,
    sessionId: sessionId ?? null,
    correlationId: correlationId ?? null,
    resource: workbookName ?? null,
    payload,
  };
}
