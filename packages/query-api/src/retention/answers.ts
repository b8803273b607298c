import { Type } from 'typebox';
import { time } from '../http/schemas.ts';

/** A schema for the number of days that events are retained. */
export const days = (description: string) => Type.Integer({ minimum: 0, maximum: 36_500, description });

/** The retention of one tenant. */
export const retentionSchema = Type.Object({
  tenant: Type.String(),
  days: days('0 keeps them forever.'),
  updated_at: time,
  updated_by: Type.String(),
});
