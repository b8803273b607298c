import { Type } from 'typebox';

/** Text that Postgres can compare with; U+0000 it can't. */
export const words = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$', description });

/** Why an operator does something. */
export const reason = words(500, 'Why; goes into the audit log.');

/** Whose: the name of one tenant. */
export const tenantName = words(64, 'Whose. An operator of one tenant need not say.');

/** Paging of every list. */
export const pageProperties = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 100, description: '`next_cursor` of the page before.' })),
};
