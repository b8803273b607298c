import { Type } from 'typebox';

/** What a requested run of a retention job may be told. */
export const RETENTION_INPUT = Type.Object(
  { dry_run: Type.Optional(Type.Boolean({ description: 'Say what would go, and change nothing.' })) },
  { additionalProperties: false },
);
