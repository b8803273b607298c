import { Type } from 'typebox';

/** Ids that fit a bigint; without a leading zero, so that each has one spelling. */
const ID_PATTERN = '^[1-9][0-9]{0,17}$';

/** Most ids in one request. */
const MAX_IDS = 10_000;

/** Text that Postgres can compare with; U+0000 it can't. */
const words = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$', description });

/** Why an operator does something. */
export const reason = words(500, 'Why; goes into the audit log.');

/** Whose: the name of one tenant. */
export const tenantName = words(64, 'Whose. An operator of one tenant need not say.');

/** An id in a path. */
export const letterParams = Type.Object({ id: Type.String({ pattern: ID_PATTERN }) });

/** A replay's id in a path. */
export const replayParams = Type.Object({ id: Type.String({ format: 'uuid' }) });

/** What decides which dead letters are meant; the same in queries and in bodies. */
const filterProperties = {
  reason: Type.Optional(words(64, 'Code of the reason, e.g. invalid_value.')),
  event_type: Type.Optional(words(64, 'Type of the event.')),
  tenant: Type.Optional(words(64, 'Whose event it is.')),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Failed first at or after.' })),
  until: Type.Optional(Type.String({ format: 'date-time', description: 'Failed first before.' })),
  text: Type.Optional(words(200, 'Part of the message or of the payload, in any letter case.')),
};

/** Adds what only lists know. */
export const listProperties = {
  ...filterProperties,
  state: Type.Optional(
    Type.Unsafe<string>({
      type: 'string',
      enum: ['dead', 'replaying', 'replayed', 'discarded', 'all'],
      default: 'dead',
      description: '`all` for every state.',
    }),
  ),
  replay_id: Type.Optional(Type.String({ format: 'uuid', description: 'Taken by this replay.' })),
};

/** Paging of every list. */
export const pageProperties = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 100, description: '`next_cursor` of the page before.' })),
};

/** Which dead letters an action is about: ids, or a filter over those that are dead. */
export const choiceProperties = {
  ids: Type.Optional(
    Type.Array(
      Type.Unsafe<string | number>({
        anyOf: [
          { type: 'string', pattern: ID_PATTERN },
          { type: 'integer', minimum: 1 },
        ],
      }),
      {
        minItems: 1,
        maxItems: MAX_IDS,
      },
    ),
  ),
  filter: Type.Optional(Type.Object(filterProperties, { additionalProperties: false })),
};
