import { Type } from 'typebox';
import { readConfig } from '@sluice/daemon/config/read-config';
import type { Environment } from '@sluice/daemon/config/read-environment';
import { integer, list, port, text, NAME_PATTERN } from '@sluice/daemon/config/variables';
import { daemonVariables, databaseUrl, databaseVariables, redisVariables } from '@sluice/daemon/daemon-variables';
import { httpVariables } from '@sluice/daemon/http/http-variables';
import { readExportSettings } from '@sluice/exports/export-settings';
import { exportVariables } from '@sluice/exports/export-variables';
import { streamVariables } from '@sluice/stream/stream-variables';
import { parseOperatorKeys } from './keys/operator-keys.ts';

/** The query API's variables; docs/reference/configuration.md is made from this. */
export const QUERY_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...databaseVariables,
  ...streamVariables,
  ...httpVariables,
  ...exportVariables,
  QUERY_PORT: port({ default: 8081, description: 'Port of the query API.' }),
  DATABASE_READ_URL: Type.Optional(
    databaseUrl(
      'A replica that serves events, statistics and sessions. Everything else, also the live tail, uses DATABASE_URL.',
    ),
  ),
  TAIL_STREAMS_PER_KEY: integer({
    default: 10,
    minimum: 0,
    maximum: 10_000,
    unit: 'streams',
    description: 'Live streams (`GET /api/events/stream`) that one key may have open at one query API.',
  }),
  TAIL_HEARTBEAT_MS: integer({
    default: 15_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description: 'How often a live stream sends a comment, so that no proxy closes it as idle.',
  }),
  OPERATOR_KEYS: Type.Optional(
    list({
      unit: 'list',
      secret: true,
      refuseEmpty: true,
      item: `${NAME_PATTERN}(@${NAME_PATTERN})?:[0-9a-fA-F]{64}`,
      expected: 'a list of name:sha256-of-key or name@tenant:sha256-of-key, separated by commas',
      description:
        "Operators' keys, as `name:sha256-of-key` in hex; `name@tenant:…` sees that tenant only. Their scopes are `read` and `operate`. Without API_KEY, OPERATOR_KEYS and REQUIRE_KEYS the query API runs open.",
    }),
  ),
  RATE_LIMIT_PER_MINUTE: integer({
    default: 600,
    minimum: 0,
    maximum: 1_000_000,
    unit: 'requests',
    description:
      'Requests that one key may send per minute to one query API, unless the key has its own limit. 0 sets no limit, and wrong keys are not counted either. An open query API counts by address.',
  }),
  WRITE_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description:
      'How long a client may take no byte of a waiting answer before its connection is cut; at most twice as long.',
  }),
  UNREAD_BYTES_PER_TENANT: integer({
    default: 64 * 1024 * 1024,
    minimum: 16 * 1024 * 1024,
    maximum: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    description:
      'Memory for answers that the clients of one tenant have not read yet; beyond it the answer is 429. Keys of all tenants count as one tenant more.',
  }),
  UNREAD_BYTES: integer({
    default: 256 * 1024 * 1024,
    minimum: 16 * 1024 * 1024,
    maximum: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    description: 'Memory for answers of one query API that are not read yet; beyond it the answer is 503.',
  }),
  TRACE_URL_TEMPLATE: Type.Optional(
    text({
      unit: 'URL',
      pattern: '^https?://.*\\{trace_id\\}',
      expected: 'a URL with {trace_id} in it',
      description:
        'URL of a trace in the trace viewer, e.g. `http://localhost:16686/trace/{trace_id}`; dead letters link to it.',
    }),
  ),
});

export type QueryConfig = ReturnType<typeof readQueryConfig>;

/**
 * @returns the values, and the key ring of API_KEY and OPERATOR_KEYS; the caller adds the stored keys
 * @throws ConfigError naming every mistake
 */
export function readQueryConfig(environment: Environment) {
  const values = readConfig(QUERY_VARIABLES, environment);
  const configuredKeys = parseOperatorKeys(values.API_KEY, values.OPERATOR_KEYS, values.REQUIRE_KEYS);
  return Object.freeze({ ...values, configuredKeys, exports: readExportSettings(values) });
}
