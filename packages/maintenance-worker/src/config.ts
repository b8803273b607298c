import { Type } from 'typebox';
import { daemonVariables, databaseVariables, redisVariables } from '@sluice/shared/runtime/daemon-variables';
import { readConfig } from '@sluice/shared/runtime/read-config';
import type { Environment } from '@sluice/shared/runtime/read-environment';
import { choice, port } from '@sluice/shared/runtime/variables';
import { streamVariables } from '@sluice/shared/stream/stream-variables';

/** The maintenance worker's variables; the README's table is proven against this. */
export const MAINTENANCE_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...databaseVariables,
  ...streamVariables,
  MAINTENANCE_PORT: port({ default: 8083, description: "Port of the maintenance worker's health endpoints." }),
  ENABLE_BACKGROUND_TASKS: choice(['true', 'false'], {
    default: 'true',
    unit: '-',
    description: 'Whether scheduled jobs run.',
  }),
});

export type MaintenanceConfig = ReturnType<typeof readMaintenanceConfig>;

/** @throws ConfigError naming every mistake */
export function readMaintenanceConfig(environment: Environment) {
  return readConfig(MAINTENANCE_VARIABLES, environment);
}
