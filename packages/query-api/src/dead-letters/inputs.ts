import { Type } from 'typebox';
import { oneOf, words } from '../http/schemas.ts';

/** Ids that fit a bigint; without a leading zero, so that each has one spelling. */
const ID_PATTERN = '^[1-9][0-9]{0,17}$';

/** Most ids in one request. */
const MAX_IDS = 10_000;

/** The id of a dead letter in a path. */
export const letterParams = Type.Object({ id: Type.String({ pattern: ID_PATTERN }) });

/** The filter of dead letters; the same in queries and in bodies. */
const filterProperties = {
  reason: Type.Optional(words(64, 'Code of the reason, e.g. invalid_value.')),
  event_type: Type.Optional(words(64, 'Type of the event.')),
  tenant: Type.Optional(words(64, 'The tenant of the event.')),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Failed first at or after.' })),
  until: Type.Optional(Type.String({ format: 'date-time', description: 'Failed first before.' })),
  text: Type.Optional(words(200, 'Part of the message or of the payload, in any letter case.')),
};

/** The filter of lists, which also knows states and replays. */
export const listProperties = {
  ...filterProperties,
  state: Type.Optional(
    oneOf<string>(['dead', 'replaying', 'replayed', 'discarded', 'all'], {
      default: 'dead',
      description: '`all` for every state.',
    }),
  ),
  replay_id: Type.Optional(Type.String({ format: 'uuid', description: 'Put back by this replay.' })),
};

/** Selects the dead letters of an action: by ids, or by a filter over those that are dead. */
export const choiceProperties = {
  ids: Type.Optional(
    Type.Array(
      Type.Unsafe<string | number>({
        anyOf: [
          { type: 'string', pattern: ID_PATTERN },
          { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
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
