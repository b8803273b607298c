import { createHash } from 'node:crypto';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { isUuid } from '@sluice/events/event-id';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { parseTimestamp } from '@sluice/events/timestamp';

export type Order = 'asc' | 'desc';

/** Postgres types of the columns that may order a list. */
type KeyType = 'timestamptz' | 'uuid' | 'bigint' | 'text';

/** A list that is answered in pages. */
export interface List {
  /** Identifies the list, with everything that must stay the same from page to page, such as the filter. Cursors belong to it. */
  readonly of: unknown;
  /** The columns that order the list, the most significant first. Together they are unique. */
  readonly key: Readonly<Record<string, KeyType>>;
  readonly order: Order;
}

/** Where a page ended: one text for each column of the key. Times are ISO 8601 UTC with six decimals. */
export type Place = readonly string[];

/** By creation, newest first. Fits rows that may be deleted before the next page is read. */
export const NEWEST_FIRST = { key: { created_at: 'timestamptz', id: 'uuid' }, order: 'desc' } as const;

/** A cursor in a request. Its limit fits an id of 512 bytes whose characters are all escaped, in base64. */
export const cursorProperty = Type.Optional(
  Type.String({ minLength: 1, maxLength: 2_000, description: '`next_cursor` of the page before.' }),
);

/** Rows on a page by default. */
const DEFAULT_ROWS = 50;

/** Parameters of a page. */
export const pageProperties = pagePropertiesOf(DEFAULT_ROWS);

/** The same, with another default for the rows on a page. */
export function pagePropertiesOf(rows: number) {
  return {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: rows })),
    cursor: cursorProperty,
  };
}

/** The page that a request asks for. The validator has filled in the default limit. */
export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** One page. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** The cursor of the next page; null on the last. */
  readonly next: string | null;
}

/** Rows that one statement read. */
export interface ReadRows<Row> {
  readonly rows: readonly Row[];
  /** Whether they may have been cut by their size, so that more may follow although there are fewer than asked for. */
  readonly cut: boolean;
}

/**
 * Reads one page.
 *
 * @param read reads at most `limit` rows after a place; their columns are texts, named as in the key
 * @throws ApiError `invalid_request`, see `placeIn`
 */
export async function readPage<Row extends object>(
  list: List,
  { cursor, limit = DEFAULT_ROWS }: PageRequest,
  read: (after: Place | undefined, limit: number) => Promise<readonly Row[] | ReadRows<Row>>,
): Promise<Page<Row>> {
  // One more than asked for tells whether there is a next page.
  const answer = await read(placeIn(cursor, list), limit + 1);
  const { rows: found, cut } = 'rows' in answer ? answer : { rows: answer, cut: false };
  const rows = found.slice(0, limit);
  const last = cut || found.length > limit ? rows.at(-1) : undefined;
  return { rows, next: last === undefined ? null : cursorAfter(placeOf(last, list), list) };
}

/** The place of a row in a list. */
export function placeOf(row: object, { key }: Pick<List, 'key'>): Place {
  return Object.keys(key).map((column) => (row as Record<string, string>)[column]!);
}

/** The condition that a row comes after a place. */
export function comesAfter(place: Place | undefined, { key, order }: Omit<List, 'of'>): RawBuilder<SqlBool> {
  if (place === undefined) return sql<SqlBool>`true`;
  const columns = sql.join(Object.keys(key).map((column) => sql.ref(column)));
  const values = sql.join(Object.values(key).map((type, at) => sql`${place[at]}::${sql.raw(type)}`));
  return order === 'asc' ? sql<SqlBool>`(${columns}) > (${values})` : sql<SqlBool>`(${columns}) < (${values})`;
}

/** Version of the cursors' layout: the JSON array of it, the place and a checksum, in base64url. */
const VERSION = 1;

/** The opaque text that asks for the page after a place. */
export function cursorAfter(place: Place, list: List): string {
  return Buffer.from(JSON.stringify([VERSION, ...place, checksum(place, list)])).toString('base64url');
}

/**
 * The place that a cursor holds; undefined without a cursor.
 *
 * @throws ApiError `invalid_request` for a cursor that is not one, was changed, or belongs to another list
 */
export function placeIn(cursor: string | undefined, list: List): Place | undefined {
  if (cursor === undefined) return undefined;
  const types = Object.values(list.key);
  const [version, ...rest] = partsOf(cursor);
  const sum = rest.pop();
  const isPlace =
    version === VERSION &&
    rest.length === types.length &&
    rest.every((value, at) => typeof value === 'string' && IS_VALUE[types[at]!](value));
  if (!isPlace) {
    throw new ApiError('invalid_request', 'cursor is not one that a list of this version has given.');
  }
  const place = rest as Place;
  if (sum === checksum(place, list)) return place;
  const otherOrder: Order = list.order === 'asc' ? 'desc' : 'asc';
  const inOtherOrder = sum === checksum(place, { ...list, order: otherOrder });
  throw new ApiError(
    'invalid_request',
    `cursor was changed, or belongs to a list with another filter or order${inOtherOrder ? `: ${otherOrder}` : ''}.`,
  );
}

function partsOf(cursor: string): unknown[] {
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/** The form of each type. Anybody can compute the checksum, so each value is checked before Postgres gets it. */
const IS_VALUE: Readonly<Record<KeyType, (text: string) => boolean>> = {
  timestamptz: (text) => TIME.test(text) && parseTimestamp(text) !== null,
  uuid: isUuid,
  bigint: (text) => /^[1-9]\d{0,17}$/.test(text),
  text: (text) => replaceUnstorableText(text) === text,
};

/** Not a secret: a cursor gives no more access than its filter. It catches mistakes before they look like data. */
function checksum(place: Place, { of, order }: List): string {
  return createHash('sha256')
    .update(JSON.stringify([place, of, order]))
    .digest('base64url')
    .slice(0, 12);
}
