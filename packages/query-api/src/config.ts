import { Type } from 'typebox';
import { daemonVariables, databaseVariables } from '@sluice/shared/runtime/daemon-variables';
import { readConfig } from '@sluice/shared/runtime/read-config';
import type { Environment } from '@sluice/shared/runtime/read-environment';
import { port } from '@sluice/shared/runtime/variables';

/** The query API's variables; the README's table is proven against this. */
export const QUERY_VARIABLES = Type.Object({
  ...daemonVariables,
  ...databaseVariables,
  QUERY_PORT: port({ default: 8081, description: 'Port of the query API.' }),
});

/** @throws ConfigError naming every mistake */
export function readQueryConfig(environment: Environment) {
  return readConfig(QUERY_VARIABLES, environment);
}
