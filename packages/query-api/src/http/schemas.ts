import type { FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';

/** A value, or null. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** One of a few texts. */
export const oneOf = <T extends string>(values: readonly T[], options: { description?: string; default?: T } = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...options });

/** A moment, ISO 8601. */
export const time = Type.String({ format: 'date-time' });

/** An id that Sluice made. */
export const uuid = Type.String({ format: 'uuid' });

/** The id of a row in a path. */
export const uuidParams = Type.Object({ id: uuid });

/** `next_cursor` of an answer; null on the last page. */
export const nextCursor = orNull(Type.String());

/** For routes that need no body: it may be left out, or be an empty object. Goes together with `bodyOrNull`. */
export const noBody = orNull(Type.Object({}, { additionalProperties: false }));

/** As `preValidation`: a body that was left out becomes null, which its schema can name. */
export async function bodyOrNull(request: FastifyRequest): Promise<void> {
  request.body ??= null;
}

/** Text that Postgres can compare with; U+0000 it can't. */
export const words = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$', description });

/** Why an operator does something. */
export const reason = words(500, 'Why; goes into the audit log.');

/** Whose: the name of one tenant. */
export const tenantName = words(64, 'Whose. An operator of one tenant need not say.');
