import { Type } from 'typebox';
import { daemonVariables, databaseVariables, redisVariables } from '@sluice/shared/runtime/daemon-variables';
import { httpVariables } from '@sluice/shared/runtime/http-variables';
import { readConfig } from '@sluice/shared/runtime/read-config';
import type { Environment } from '@sluice/shared/runtime/read-environment';
import { list, port, text } from '@sluice/shared/runtime/variables';
import { streamVariables } from '@sluice/shared/stream/stream-variables';
import { parseOperatorKeys } from './operator-keys.ts';

const NAME = '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}';

/** The query API's variables; the README's table is proven against this. */
export const QUERY_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...databaseVariables,
  ...streamVariables,
  ...httpVariables,
  QUERY_PORT: port({ default: 8081, description: 'Port of the query API.' }),
  OPERATOR_KEYS: Type.Optional(
    list({
      unit: 'list',
      secret: true,
      item: `${NAME}(@${NAME})?:[0-9a-fA-F]{64}`,
      expected: 'a list of name:sha256-of-key or name@tenant:sha256-of-key, separated by commas',
      description:
        "Operators' keys, as `name:sha256-of-key` in hex; `name@tenant:…` sees that tenant only. Without API_KEY and OPERATOR_KEYS the query API runs open.",
    }),
  ),
  TRACE_URL_TEMPLATE: Type.Optional(
    text({
      unit: 'URL',
      pattern: '^https?://.*\\{trace_id\\}',
      expected: 'a URL with {trace_id} in it',
      description:
        'Where traces can be looked at, e.g. `http://localhost:16686/trace/{trace_id}`; links dead letters to them.',
    }),
  ),
});

export type QueryConfig = ReturnType<typeof readQueryConfig>;

/**
 * @returns the values, and the key ring made of API_KEY and OPERATOR_KEYS
 * @throws ConfigError naming every mistake
 */
export function readQueryConfig(environment: Environment) {
  const values = readConfig(QUERY_VARIABLES, environment);
  return Object.freeze({ ...values, keys: parseOperatorKeys(values.API_KEY, values.OPERATOR_KEYS) });
}
