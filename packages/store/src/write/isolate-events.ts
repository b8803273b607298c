import { type Kysely, sql } from 'kysely';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { arrayLiteral } from './array-literal.ts';

/**
 * Stores events in one statement and says what became of each. It inserts blocks of rows, and those of a block that fails
 * one by one, each block and row in a subtransaction of its own (migration 0012).
 *
 * @param events each id only once
 * @param segment what `enterSegment` returned in this transaction
 * @throws an error that is not due to one event, and then nothing is stored
 */
export async function isolateEvents(
  db: Kysely<unknown>,
  events: readonly CanonicalEvent[],
  segment: number,
): Promise<Isolated> {
  if (events.length === 0) return { stored: 0, refused: [] };
  return inSpan('isolate rows', { attributes: { 'sluice.events': events.length } }, async (span) => {
    const column = (name: TextField): string => arrayLiteral(events.map((event) => event[name]));
    // unnest() would flatten an array of arrays, so each event's flags are sent as one array literal.
    const flags = arrayLiteral(events.map((event) => (event.flags === null ? null : `{${event.flags.join(',')}}`)));
    const { rows } = await sql<Row>`
      SELECT * FROM sluice_isolate_events(${segment}::integer,
        ${column('tenant')}::text[], ${column('eventId')}::text[], ${column('eventType')}::text[],
        ${column('occurredAt')}::text[], ${column('receivedAt')}::text[], ${column('actor')}::text[],
        ${column('sessionId')}::text[], ${column('correlationId')}::text[], ${column('resource')}::text[],
        ${column('clientIp')}::text[], ${column('traceId')}::text[], ${column('source')}::text[], ${flags}::text[],
        ${column('payload')}::text[])`.execute(db);
    const refused = rows.flatMap((row) =>
      row.outcome === 'refused' ? [{ event: events[row.place - 1]!, refusal: refusalOf(row) }] : [],
    );
    span.setAttribute('sluice.events.refused', refused.length);
    return { stored: events.length - rows.length, refused };
  });
}

/** What became of events. Those that are neither are stored already, or a trigger left them out. */
export interface Isolated {
  /** Number of new events. */
  readonly stored: number;
  readonly refused: readonly { readonly event: CanonicalEvent; readonly refusal: Refusal }[];
}

/** What Postgres answered to the insert of one event, with the names that pg's errors use. */
export interface Refusal {
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly detail: string | undefined;
  readonly constraint: string | undefined;
  readonly table: string | undefined;
}

/** A refusal that ends a transaction. */
export class RefusedError extends Error implements Refusal {
  override readonly name = 'RefusedError';
  declare readonly code: string;
  declare readonly detail: string | undefined;
  declare readonly constraint: string | undefined;
  declare readonly table: string | undefined;

  constructor(refusal: Refusal) {
    super(refusal.message);
    Object.assign(this, refusal);
  }
}

function refusalOf({ state, message, detail, refused_by: constraint, relation: table }: Row): Refusal {
  return {
    code: state ?? '',
    message: message ?? '',
    detail: detail ?? undefined,
    constraint: constraint ?? undefined,
    table: table ?? undefined,
  };
}

/** An event that was not stored. The last five are null unless it was refused. */
interface Row {
  /** Number of the event, from 1. */
  readonly place: number;
  readonly outcome: 'duplicate' | 'refused' | 'skipped';
  readonly state: string | null;
  readonly message: string | null;
  readonly detail: string | null;
  readonly refused_by: string | null;
  readonly relation: string | null;
}

/** The fields of an event that are texts. */
type TextField = Exclude<keyof CanonicalEvent, 'flags'>;
