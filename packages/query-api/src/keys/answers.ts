import { Type } from 'typebox';
import { type Scope, SCOPES } from '@sluice/access/scopes';
import { oneOf, orNull, time } from '../http/schemas.ts';

/** A schema for a list of scopes. */
export const scopesOf = (more: object) => Type.Array(oneOf<Scope>(SCOPES), { uniqueItems: true, ...more });

/** A key without the key itself. */
export const keyProperties = {
  id: Type.String(),
  name: Type.String(),
  scopes: scopesOf({}),
  tenant: orNull(Type.String()),
  requests_per_minute: orNull(Type.Integer()),
  events_per_second: orNull(Type.Integer()),
  created_by: Type.String(),
  created_at: time,
  expires_at: orNull(time),
  last_used_at: orNull(Type.String({ format: 'date-time', description: 'Accurate to about a minute.' })),
  revoked_at: orNull(time),
};
export const keySchema = Type.Object(keyProperties);
