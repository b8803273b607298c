import { type Kysely, sql } from 'kysely';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { beyond, byId, type Order } from '../http/cursor.ts';
import { utc } from '../http/utc.ts';

/** A dead letter as lists have it. */
export type ListedLetter = { readonly id: string } & Readonly<Record<string, unknown>>;

/** Columns of lists. */
export const LETTER_COLUMNS = sql`
  id, tenant, event_id, event_type, source, reason, sqlstate, message, state, attempts, trace_id,
  ${utc('first_failed_at')}, ${utc('last_failed_at')}, replay_id, replay_of, replay_result`;

/** Which page of which list. */
export interface PageOf {
  readonly filter: DeadLetterFilter;
  /** Tenant of who asks; null for all. */
  readonly owner: string | null;
  readonly order: Order;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** One page of dead letters. */
export async function listLetters(db: Kysely<unknown>, page: PageOf): Promise<readonly ListedLetter[]> {
  const { rows } = await sql<ListedLetter>`
    SELECT ${LETTER_COLUMNS} FROM dead_letters
    WHERE ${matches(page.filter, page.owner)} AND ${beyond(page.cursor, page.order)}
    ${byId(page.order)} LIMIT ${page.limit}`.execute(db);
  return rows;
}

/** One page with payloads, for downloads. */
export async function listWholeLetters(db: Kysely<unknown>, page: PageOf): Promise<readonly ListedLetter[]> {
  const { rows } = await sql<ListedLetter & { event: string | null }>`
    SELECT ${LETTER_COLUMNS}, detail, ${EVENT_JSON} AS event,
           CASE WHEN payload IS NULL THEN encode(raw, 'base64') END AS raw, stream, entry_id, entry_index
    FROM dead_letters WHERE ${matches(page.filter, page.owner)} AND ${beyond(page.cursor, page.order)}
    ${byId(page.order)} LIMIT ${page.limit}`.execute(db);
  return rows.map(({ event, raw, ...row }) => ({ ...row, payload: jsonOf(event), raw: event === null ? raw : null }));
}

/** A JSON text as a value that is written again with all the digits of its numbers. */
export function jsonOf(text: string | null): unknown {
  return text === null ? null : parseKeepingDigits(text);
}
