import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';

export type Order = 'asc' | 'desc';

/** The opaque text behind which the next page starts. */
export function cursorAfter(id: string, order: Order): string {
  return Buffer.from(`${order}:${id}`).toString('base64url');
}

/**
 * The condition of a page on the column `id`.
 *
 * @throws ApiError `invalid_request` for a cursor that is not one, or of a list in the other order
 */
export function beyond(cursor: string | undefined, order: Order): RawBuilder<SqlBool> {
  if (cursor === undefined) return sql<SqlBool>`true`;
  const [, of, id] = /^(asc|desc):([1-9]\d{0,17})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (id === undefined) throw new ApiError('invalid_request', 'cursor is not one that a list has given.');
  if (of !== order) throw new ApiError('invalid_request', `cursor belongs to a list in the order ${of}.`);
  return order === 'asc' ? sql<SqlBool>`id > ${id}` : sql<SqlBool>`id < ${id}`;
}

/** `ORDER BY` of a page. */
export function byId(order: Order): RawBuilder<unknown> {
  return order === 'asc' ? sql`ORDER BY id` : sql`ORDER BY id DESC`;
}
