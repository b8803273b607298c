import { type Kysely, sql } from 'kysely';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { comesAfter, type List, type Order, type Place } from '../http/paging.ts';
import { utc } from '../sql/utc.ts';

/** A dead letter as lists show it. */
export type ListedLetter = { readonly id: string } & Readonly<Record<string, unknown>>;

/** Columns of lists. */
const LETTER_COLUMNS = sql`
  id, tenant, event_id, event_type, source, reason, sqlstate, message, state, attempts, trace_id,
  ${utc('first_failed_at')}, ${utc('last_failed_at')}, replay_id, replay_of, replay_result`;

/** The list of dead letters by their ids. */
export function deadLetters(order: Order): List {
  return { of: 'dead letters', key: { id: 'bigint' }, order };
}

const BY_ID = { asc: sql`ORDER BY id`, desc: sql`ORDER BY id DESC` } as const;

/** Selects a page of dead letters. */
export interface LetterPage {
  readonly filter: DeadLetterFilter;
  /** The caller's tenant; null for all tenants. */
  readonly owner: string | null;
  readonly order: Order;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** Reads one page of dead letters. */
export async function listLetters(db: Kysely<unknown>, page: LetterPage): Promise<readonly ListedLetter[]> {
  const { rows } = await sql<ListedLetter>`
    SELECT ${LETTER_COLUMNS} FROM dead_letters
    WHERE ${matches(page.filter, page.owner)} AND ${comesAfter(page.after, deadLetters(page.order))}
    ${BY_ID[page.order]} LIMIT ${page.limit}`.execute(db);
  return rows;
}

/** Reads one page with payloads, for downloads. */
export async function listWholeLetters(db: Kysely<unknown>, page: LetterPage): Promise<readonly ListedLetter[]> {
  const { rows } = await sql<ListedLetter & { event: string | null }>`
    SELECT ${LETTER_COLUMNS}, detail, ${EVENT_JSON} AS event,
           CASE WHEN payload IS NULL THEN encode(raw, 'base64') END AS raw, stream, entry_id, entry_index
    FROM dead_letters WHERE ${matches(page.filter, page.owner)} AND ${comesAfter(page.after, deadLetters(page.order))}
    ${BY_ID[page.order]} LIMIT ${page.limit}`.execute(db);
  return rows.map(({ event, raw, ...row }) => ({ ...row, payload: jsonOf(event), raw: event === null ? raw : null }));
}

/** Counts dead letters by reason, event type and hour. */
export async function summarizeLetters(
  db: Kysely<unknown>,
  filter: DeadLetterFilter,
  operator: Principal,
): Promise<readonly { readonly count: number }[]> {
  const { rows } = await sql<{ count: string }>`
    SELECT reason, event_type, ${utc('hour')}, count, ${utc('first_failed_at')}, ${utc('last_failed_at')}
    FROM (
      SELECT reason, event_type, date_trunc('hour', first_failed_at, 'UTC') AS hour, count(*) AS count,
             min(first_failed_at) AS first_failed_at, max(last_failed_at) AS last_failed_at
      FROM dead_letters WHERE ${matches(filter, operator.tenant)}
      GROUP BY 1, 2, 3
    ) g ORDER BY g.hour DESC, count DESC, reason, event_type`.execute(db);
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

/** Parses a JSON text into a value that is written with all the digits of its numbers. */
function jsonOf(text: string | null): unknown {
  return text === null ? null : parseKeepingDigits(text);
}

interface WholeRow extends Record<string, unknown> {
  event: string | null;
  raw: string | null;
  original_payload: string | null;
  origin: string | null;
  history: string;
  trace_id: string | null;
}

/**
 * Reads one dead letter with everything that is stored about it.
 *
 * @param traceUrl template with `{trace_id}`
 * @throws ApiError `not_found`, also for one of another tenant
 */
export async function wholeLetter(
  db: Kysely<unknown>,
  id: string,
  operator: Principal,
  traceUrl: string | undefined,
): Promise<object> {
  const { rows } = await sql<WholeRow>`
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

/** The part of a body that selects dead letters. */
export interface Choice {
  readonly ids?: readonly (string | number)[];
  readonly filter?: DeadLetterFilter;
}

/** Most ids that a message names. */
const NAMED_IDS = 10;

/**
 * Turns the choice of a request into a filter.
 *
 * @throws ApiError when it has not exactly one of ids and filter, when this operator has no such dead letter, or when it
 *   names another tenant
 */
export async function chosenLetters(
  db: Kysely<unknown>,
  choice: Choice,
  operator: Principal,
): Promise<DeadLetterFilter> {
  if ((choice.ids === undefined) === (choice.filter === undefined)) {
    throw new ApiError('invalid_body', 'Give either ids or filter; an empty filter means every dead letter.');
  }
  if (choice.filter !== undefined) {
    checkTenant(choice.filter, operator);
    return choice.filter;
  }
  const ids = [...new Set(choice.ids?.map(String))];
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM dead_letters WHERE ${matches({ ids, state: 'all' }, operator.tenant)}`.execute(db);
  const found = new Set(rows.map((row) => row.id));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) {
    throw new ApiError('not_found', `There is no dead letter ${missing.slice(0, NAMED_IDS).join(', ')}.`);
  }
  return { ids };
}

/** @throws ApiError `tenant_mismatch` when a filter names another tenant than the operator's */
export function checkTenant(filter: { tenant?: string | undefined }, { tenant }: Principal): void {
  if (tenant !== null) checkNamedTenant(filter.tenant, tenant, 'The filter');
}
