import { type Kysely, sql } from 'kysely';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { type DeadLetterFilter, EVENT_JSON, matches } from '@sluice/store/dead-letter-filter';
import { binarySize, payloadForReading, rowsToRead } from '@sluice/store/read-payload';
import { comesAfter, type List, type Order, type Place, type ReadRows } from '../http/paging.ts';
import { readChunk } from '../sql/read-chunk.ts';
import { utc } from '../sql/utc.ts';

/** A dead letter as lists show it. */
export type ListedLetter = { readonly id: string } & Readonly<Record<string, unknown>>;

/** Longest message in a list, in characters: Postgres may quote a whole payload in one. */
const LISTED_CHARS = 2_000;

/** A message as lists show it. */
export const SHORT_MESSAGE = sql`
  CASE WHEN length(message) > ${sql.lit(LISTED_CHARS)} THEN left(message, ${sql.lit(LISTED_CHARS)}) || '…' ELSE message END`;

/** Columns of lists. */
const LETTER_COLUMNS = sql`
  id, tenant, event_id, event_type, source, reason, sqlstate, ${SHORT_MESSAGE} AS message, state, attempts, trace_id,
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

/** Most bytes of an unreadable entry that readers get: as base64 they are as long as the longest payload. */
const MAX_RAW_BYTES = 768 * 1024;

/** The event, or the bytes when there is none. */
const CONTENT_COLUMNS = sql`
  coalesce(${payloadForReading('payload')}, ${payloadForReading(EVENT_JSON)}) AS event,
  CASE WHEN payload IS NULL THEN encode(substring(raw FROM 1 FOR ${sql.lit(MAX_RAW_BYTES)}), 'base64') END AS raw,
  CASE WHEN payload IS NULL THEN octet_length(raw) END AS raw_bytes`;

/** Reads dead letters with payloads, for downloads: fewer than the limit when their payloads fill a chunk. */
export async function listWholeLetters(db: Kysely<unknown>, page: LetterPage): Promise<ReadRows<ListedLetter>> {
  const order = page.order === 'asc' ? sql`id` : sql`id DESC`;
  const letters = sql`
    SELECT * FROM dead_letters
    WHERE ${matches(page.filter, page.owner)} AND ${comesAfter(page.after, deadLetters(page.order))}
    ORDER BY ${order} LIMIT ${page.limit}`;
  const found = sql`
    SELECT ${LETTER_COLUMNS}, ${payloadForReading(sql`detail`)} AS detail, ${CONTENT_COLUMNS}, stream, entry_id, entry_index,
           read_found
    FROM (${rowsToRead(letters, order, sql`${binarySize('payload')} + coalesce(octet_length(raw), 0)`)}) AS letters OFFSET 0`;
  const { rows, cut } = await readChunk<ListedLetter & Content>(db, found, {
    order,
    chars: sql`coalesce(length(event), 0) + coalesce(length(raw), 0)`,
  });
  return { rows: rows.map(withContent), cut };
}

interface Content {
  readonly event: string | null;
  readonly raw: string | null;
  readonly raw_bytes: number | null;
}

/** Puts the event or the bytes into a row; the bytes only where there is no event. */
function withContent({ event, raw, raw_bytes: bytes, ...row }: Content & ListedLetter): ListedLetter {
  return {
    ...row,
    payload: jsonOf(event),
    raw: event === null ? raw : null,
    raw_bytes: event === null ? bytes : null,
  };
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

interface WholeRow extends Content {
  readonly id: string;
  readonly [column: string]: unknown;
  readonly original_payload: string | null;
  readonly origin: string | null;
  readonly history: string;
  readonly trace_id: string | null;
  readonly replay_of: string | null;
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
    -- Of the two messages the later one counts, which is the whole one.
    SELECT ${LETTER_COLUMNS}, ${payloadForReading(sql`message`)} AS message, ${payloadForReading(sql`detail`)} AS detail, ${CONTENT_COLUMNS},
           ${payloadForReading('original_payload')} AS original_payload, ${payloadForReading('origin')} AS origin,
           stream, entry_id, entry_index, ${payloadForReading('history')} AS history, ${utc('settled_at')}, xmin::text AS version
    FROM dead_letters WHERE ${matches({ ids: [id], state: 'all' }, operator.tenant)}`.execute(db);
  const row = rows[0];
  if (row === undefined) throw noSuchLetter(id);
  const again = await sql`
    SELECT id, reason, ${SHORT_MESSAGE} AS message, state, ${utc('first_failed_at')}
    FROM dead_letters WHERE replay_of = ${id} ORDER BY id LIMIT ${MAX_REPLAYS}`.execute(db);
  const { chain, original } = await readChain(db, row);
  return {
    ...withContent(row),
    original_payload: jsonOf(original ?? row.original_payload),
    origin: jsonOf(row.origin),
    // A history that is too long is the mark alone.
    history: [jsonOf(row.history)].flat(),
    replays: again.rows,
    replay_chain: chain,
    trace_url: traceUrl === undefined || row.trace_id === null ? null : traceUrl.replaceAll('{trace_id}', row.trace_id),
  };
}

/** Longest chain of replays that is followed. */
const MAX_CHAIN = 100;

/**
 * The dead letters whose replays led to this one, the first one first, and what the client sent, where one of them has it:
 * a replay that fails again makes a new dead letter of the changed payload.
 */
async function readChain(
  db: Kysely<unknown>,
  { replay_of: before }: WholeRow,
): Promise<{ chain: readonly unknown[]; original: string | null }> {
  if (before === null) return { chain: [], original: null };
  const { rows } = await sql<{ original: string | null }>`
    WITH RECURSIVE chain AS (
      SELECT id, replay_of, 1 AS back FROM dead_letters WHERE id = ${before}
      UNION ALL
      SELECT d.id, d.replay_of, back + 1 FROM chain JOIN dead_letters d ON d.id = chain.replay_of WHERE back < ${MAX_CHAIN}
    )
    SELECT d.id, state, reason, ${SHORT_MESSAGE} AS message, ${utc('first_failed_at')},
           original_payload IS NOT NULL AS payload_changed,
           -- One of them is enough: that of the first that was changed.
           CASE WHEN row_number() OVER (ORDER BY original_payload IS NULL, back DESC) = 1
                THEN ${payloadForReading('original_payload')} END AS original
    FROM chain JOIN dead_letters d ON d.id = chain.id ORDER BY back DESC`.execute(db);
  return {
    chain: rows.map(({ original: _original, ...row }) => row),
    original: rows.map(({ original }) => original).find((text) => text !== null) ?? null,
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

/** Most dead letters of one replay that are shown with the dead letter that was replayed. */
const MAX_REPLAYS = 100;

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
