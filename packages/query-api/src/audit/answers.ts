import { Type } from 'typebox';
import { orNull, time } from '../http/schemas.ts';

/** An entry of the audit log. */
export const auditEntrySchema = Type.Object({
  id: Type.String(),
  at: time,
  actor: Type.String(),
  tenant: orNull(Type.String()),
  action: Type.String(),
  affected: Type.Integer(),
  reason: orNull(Type.String()),
  details: Type.Unknown(),
});
