import { type Kysely, sql } from 'kysely';
import { EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';
import { jsonOf, LETTER_COLUMNS } from './dead-letter-rows.ts';
import { utc } from '../http/utc.ts';

interface Row extends Record<string, unknown> {
  event: string | null;
  raw: string | null;
  original_payload: string | null;
  origin: string | null;
  history: string;
  trace_id: string | null;
}

/**
 * Everything that is known of one dead letter.
 *
 * @param traceUrl template with `{trace_id}`
 * @throws ApiError `not_found`, also for one of another tenant
 */
export async function wholeLetter(
  db: Kysely<unknown>,
  id: string,
  operator: Operator,
  traceUrl: string | undefined,
): Promise<object> {
  const { rows } = await sql<Row>`
    SELECT ${LETTER_COLUMNS}, detail, ${EVENT_JSON} AS event, original_payload::text AS original_payload,
           CASE WHEN payload IS NULL THEN encode(raw, 'base64') END AS raw, origin::text AS origin,
           stream, entry_id, entry_index, history::text AS history, ${utc('settled_at')}, xmin::text AS version
    FROM dead_letters WHERE ${matches({ ids: [id], state: 'all' }, operator.tenant)}`.execute(db);
  const row = rows[0];
  if (row === undefined) throw noSuchLetter(id);
  const again = await sql`
    SELECT id, reason, message, state, ${utc('first_failed_at')} FROM dead_letters WHERE replay_of = ${id} ORDER BY id`.execute(
    db,
  );
  const { event, ...rest } = row;
  return {
    ...rest,
    payload: jsonOf(event),
    original_payload: jsonOf(row.original_payload),
    origin: jsonOf(row.origin),
    history: jsonOf(row.history),
    replays: again.rows,
    trace_url: traceUrl === undefined || row.trace_id === null ? null : traceUrl.replaceAll('{trace_id}', row.trace_id),
  };
}

/** The same for one that does not exist and for one of another tenant. */
export function noSuchLetter(id: string): ApiError {
  return new ApiError('not_found', `There is no dead letter ${id}.`);
}
