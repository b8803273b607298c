import type { FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';

/** A value, or null. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** One of a few texts. */
export const oneOf = <T extends string>(values: readonly T[], options: { description?: string; default?: T } = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...options });

/** The type of an answer that is JSON text already. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** A time, ISO 8601. */
export const time = Type.String({ format: 'date-time' });

/** An id that Sluice made. */
export const uuid = Type.String({ format: 'uuid' });

/** The id of a row in a path. */
export const uuidParams = Type.Object({ id: uuid });

/** `next_cursor` of an answer; null on the last page. */
export const nextCursor = orNull(Type.String());

/** For routes without a body: it may be missing or an empty object. Needs `bodyOrNull`. */
export const noBody = orNull(Type.Object({}, { additionalProperties: false }));

/** As `preValidation`: a missing body becomes null, which its schema can name. */
export async function bodyOrNull(request: FastifyRequest): Promise<void> {
  request.body ??= null;
}

/** Text that Postgres can compare: without U+0000. */
export const words = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$', description });

/** Why an operator does something, for `noteOf`. Elsewhere `reason` is why a letter is dead. */
export const noteProperties = {
  note: Type.Optional(words(500, 'Why. The audit log stores it.')),
  reason: Type.Optional(Type.String({ ...words(500, 'The name of `note` in 0.1.0.'), deprecated: true })),
};

/**
 * Why an operator does something, as a body says it.
 *
 * @throws ApiError `invalid_body` when both names are there
 */
export function noteOf({ note, reason }: { note?: string; reason?: string }): string | undefined {
  if (note !== undefined && reason !== undefined)
    throw new ApiError('invalid_body', 'note and reason are two names of one property; send note.');
  return note ?? reason;
}

/** The same where the audit log must say why. */
export function requiredNoteOf(body: { note?: string; reason?: string }): string {
  const note = noteOf(body);
  if (note === undefined) throw new ApiError('invalid_body', 'note is missing: why is this done?');
  return note;
}

/** The name of one tenant. */
export const tenantName = words(64, 'The tenant. A key of one tenant may leave it out.');
