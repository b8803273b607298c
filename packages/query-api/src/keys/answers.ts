import { type TSchema, Type } from 'typebox';
import { type Scope, SCOPES } from '@sluice/access/scopes';

/** A list of scopes. */
export const scopesOf = (more: object) =>
  Type.Array(Type.Unsafe<Scope>({ type: 'string', enum: [...SCOPES] }), { uniqueItems: true, ...more });

const orNull = (schema: TSchema) => Type.Unsafe<string | null>({ anyOf: [schema, { type: 'null' }] });

/** A key without the key itself. */
export const keyProperties = {
  id: Type.String(),
  name: Type.String(),
  scopes: scopesOf({}),
  tenant: orNull(Type.String()),
  requests_per_minute: Type.Union([Type.Integer(), Type.Null()]),
  events_per_second: Type.Union([Type.Integer(), Type.Null()]),
  created_by: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  expires_at: orNull(Type.String({ format: 'date-time' })),
  last_used_at: orNull(Type.String({ format: 'date-time', description: 'To about a minute.' })),
  revoked_at: orNull(Type.String({ format: 'date-time' })),
};
export const keySchema = Type.Object(keyProperties);
