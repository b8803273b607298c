import { Type } from 'typebox';

/** An entry of the audit log. */
export const auditEntrySchema = Type.Object({
  id: Type.String(),
  at: Type.String({ format: 'date-time' }),
  actor: Type.String(),
  tenant: Type.Union([Type.String(), Type.Null()]),
  action: Type.String(),
  affected: Type.Integer(),
  reason: Type.Union([Type.String(), Type.Null()]),
  details: Type.Unknown(),
});
