import { Type } from 'typebox';
import { readConfig } from '@sluice/daemon/config/read-config';
import type { Environment } from '@sluice/daemon/config/read-environment';
import { boolean, integer, port } from '@sluice/daemon/config/variables';
import { daemonVariables, databaseVariables, redisVariables } from '@sluice/daemon/daemon-variables';
import { readExportSettings } from '@sluice/exports/export-settings';
import { exportVariables } from '@sluice/exports/export-variables';
import { streamVariables } from '@sluice/stream/stream-variables';
import { readWebhookSettings, webhookVariables } from './exports/webhook-variables.ts';

/** The maintenance worker's variables; docs/reference/configuration.md is made from this. */
export const MAINTENANCE_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...databaseVariables,
  ...streamVariables,
  ...exportVariables,
  ...webhookVariables,
  MAINTENANCE_PORT: port({ default: 8083, description: "Port of the maintenance worker's health endpoints." }),
  ENABLE_BACKGROUND_TASKS: boolean({
    default: true,
    unit: '-',
    description: 'Whether jobs run by schedule; requested runs and replays run anyway.',
  }),
  SEGMENT_EVENTS: integer({
    default: 500_000,
    minimum: 100,
    maximum: 100_000_000,
    unit: 'events',
    description:
      'How many events a segment takes before it is closed and its indexes are built; a new week closes it too. Larger ones make searches of the newest events slower.',
  }),
  EVENT_RETENTION_DAYS: integer({
    default: 90,
    minimum: 0,
    maximum: 36_500,
    unit: 'days',
    description:
      'How long events are retained after they were stored, and sessions after their end. 0 retains them forever; `sluice retention` sets another time for a tenant.',
  }),
  CLEANUP_INTERVAL_HOURS: integer({
    default: 1,
    minimum: 1,
    maximum: 168,
    unit: 'hours',
    description: 'How often expired events are deleted.',
  }),
  RETENTION_ARCHIVE: boolean({
    default: false,
    unit: '-',
    description: 'Whether a segment is exported, and the export verified, before it is dropped.',
  }),
  SESSION_IDLE_HOURS: integer({
    default: 24,
    minimum: 1,
    maximum: 8_760,
    unit: 'hours',
    description: 'A session ends after this long without an event.',
  }),
  DEAD_LETTER_RETENTION_DAYS: integer({
    default: 30,
    minimum: 1,
    maximum: 36_500,
    unit: 'days',
    description: 'How long replayed and discarded dead letters are retained; others are retained forever.',
  }),
  AUDIT_RETENTION_DAYS: integer({
    default: 365,
    minimum: 1,
    maximum: 36_500,
    unit: 'days',
    description: 'How long the log of what operators did is retained.',
  }),
});

export type MaintenanceConfig = ReturnType<typeof readMaintenanceConfig>;

/** @throws ConfigError naming every mistake */
export function readMaintenanceConfig(environment: Environment) {
  const values = readConfig(MAINTENANCE_VARIABLES, environment);
  return Object.freeze({ ...values, exports: readExportSettings(values), webhook: readWebhookSettings(values) });
}
