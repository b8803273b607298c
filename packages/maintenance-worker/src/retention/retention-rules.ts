import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { Type } from 'typebox';
import type { MaintenanceConfig } from '../config.ts';

/** The rules of retention that apply to all tenants; single tenants may have their own. */
export interface RetentionRules {
  readonly now: Date;
  /** EVENT_RETENTION_DAYS; 0 retains them forever. */
  readonly days: number;
  /** Whether a tenant without an export configuration of its own is exported by schedule. */
  readonly exportsByDefault: boolean;
}

/** Input of the retention jobs: whether to only report what would be deleted. */
export const DRY_RUN_INPUT = Type.Object(
  { dry_run: Type.Optional(Type.Boolean({ description: 'Report what would be deleted, and change nothing.' })) },
  { additionalProperties: false },
);

/** Reads the rules from the configuration, as of `now`. */
export function retentionRules({ EVENT_RETENTION_DAYS, exports }: MaintenanceConfig, now: Date): RetentionRules {
  const { enabled, schedule } = exports.defaults;
  return { now, days: EVENT_RETENTION_DAYS, exportsByDefault: enabled && !('manual' in schedule) };
}

/** Whether a tenant is exported by schedule; `c` is its row of `export_configs`, if it has one. */
export function exportedBySchedule({ exportsByDefault }: RetentionRules): RawBuilder<SqlBool> {
  return sql<SqlBool>`
    CASE WHEN c.tenant IS NULL THEN ${exportsByDefault} ELSE c.enabled AND NOT jsonb_exists(c.schedule, 'manual') END`;
}
