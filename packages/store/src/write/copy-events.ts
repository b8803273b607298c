import { SpanKind } from '@opentelemetry/api';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import { segmentTable } from '../layout/segment-table.ts';
import type { Client } from '../pool.ts';
import { untilStopped } from '../until-stopped.ts';
import { copyIn } from './copy-stream.ts';
import { encodeRows, type EncodedRows, ROW_COLUMNS } from './encode-rows.ts';
import type { KnownIds } from './known-ids.ts';

/** SQLSTATEs of `sluice_enter_segment`. */
const SEGMENT_CLOSED = 'SL001';
const ID_KNOWN = 'SL002';
const UNIQUE_VIOLATION = '23505';

/** A rotation between two tries is rare, and several in a row are something else. */
const TRIES = 5;

/**
 * Stores events by COPY, in one transaction and one round trip: all, or none when one of the ids is stored already or a
 * value needs another way.
 *
 *     BEGIN; enter the hot segment, and look suspects up; COPY; COMMIT
 *
 * @param events with different ids, in the order of their ids: two writers with the same ids then cannot deadlock
 * @returns false when nothing was stored: the caller takes the slow way, which is exact
 * @throws what Postgres answered for any other reason
 */
export async function copyEvents(
  database: Database,
  events: readonly CanonicalEvent[],
  { known, stop }: { known: KnownIds; stop?: AbortSignal | undefined },
): Promise<boolean> {
  const encoded = encodeRows(events);
  if (encoded === null || known.hasStored(encoded.ids)) return false;
  const ids = events.map(({ eventId }) => eventId);
  for (let attempt = 1; ; attempt += 1) {
    await known.refreshIfNeeded();
    const suspects = known.suspects(ids, encoded.ids);
    const segment = known.hot;
    const column = (name: keyof (typeof suspects)[number]): string =>
      `'{${suspects.map((each) => each[name]).join(',')}}'`;
    const enter = `sluice_enter_segment(${segment}, ${column('id')}, ${column('from')}, ${column('to')})`;
    try {
      await database.withClient((client) => copyOnce(database, client, { segment, enter, encoded, stop }));
      known.noteStored(encoded.ids);
      return true;
    } catch (error) {
      const { code, constraint } = error as { code?: unknown; constraint?: unknown };
      if (code === ID_KNOWN) return false;
      if (code === UNIQUE_VIOLATION && constraint === `${segmentTable(segment)}_id`) return false;
      if (code !== SEGMENT_CLOSED || attempt === TRIES) throw error;
      await known.refresh();
    }
  }
}

interface Copy {
  readonly segment: number;
  readonly enter: string;
  readonly encoded: EncodedRows;
  readonly stop: AbortSignal | undefined;
}

async function copyOnce(database: Database, client: Client, { segment, enter, encoded, stop }: Copy): Promise<void> {
  const table = segmentTable(segment);
  // The isolation is named because each statement must see what was committed before it, whatever the server's default is.
  const statements = `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ${enter};
    COPY ${table} (${ROW_COLUMNS}) FROM STDIN (FORMAT binary); COMMIT`;
  const attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': 'COPY',
    'db.collection.name': table,
    'db.operation.batch.size': encoded.ids.length / 16,
  };
  await inSpan('copy events', { kind: SpanKind.CLIENT, attributes }, async () => {
    try {
      await untilStopped(database, client, stop, () => copyIn(client, statements, encoded.rows));
    } catch (error) {
      // On a broken connection this fails too, and the transaction is gone.
      await client.query('ROLLBACK').catch(() => {});
      throw error;
    }
  });
}
