import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import type { Segment } from '@sluice/store/layout/segments';
import { type MaintenanceConfig, readMaintenanceConfig } from '../src/config.ts';
import { allJobs } from '../src/jobs/all-jobs.ts';
import { expireSegmentsJob } from '../src/jobs/expire-segments.ts';
import { expireTenantEventsJob } from '../src/jobs/expire-tenant-events.ts';
import type { Job, JobContext, JobResult } from '../src/jobs/job.ts';
import { removeSegments } from './fixtures/remove-segments.ts';
import { type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const LONG_AGO = new Date(Date.now() - 60 * DAY_MS).toISOString();
const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'));

let rig: RolledUp;
/** Past its time. */
let old: Segment;
const log: Record<string, unknown>[] = [];
beforeAll(async () => {
  rig = await startRolledUp();
});
afterAll(async () => {
  await rig.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  log.length = 0;
  await removeSegments(rig);
  await rig.database.query(
    `TRUNCATE rollup_hours, rollup_days, rollup_weeks, rollup_generations, tenant_retention, export_configs,
              export_positions, export_runs`,
  );
  await rig.store(200, { storedAt: LONG_AGO });
  old = await rig.seal();
  await rig.store(100, { tenant: 'shop' });
});

const configOf = (variables: Record<string, string>) =>
  readMaintenanceConfig({ DATABASE_URL: rig.database.url, EVENT_RETENTION_DAYS: '30', ...variables });

function run(
  jobFor: (config: MaintenanceConfig) => Job,
  variables: Record<string, string> = {},
  input: object = {},
): Promise<JobResult> {
  const logger = createLogger(
    { daemon: 'maintenance-worker', version: '0', level: 'info' },
    { write: (line) => log.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const config = configOf(variables);
  const context = { database: rig.opened, config, logger } as unknown as JobContext;
  return jobFor(config).run(context, {
    id: 'run',
    input: { ...input },
    signal: new AbortController().signal,
    progress: () => {},
  });
}
const isThere = async (): Promise<boolean> =>
  (await rig.database.query('SELECT to_regclass($1) IS NOT NULL AS there', [old.relation]))[0]!['there'] as boolean;

const dryRun = (jobFor: (config: MaintenanceConfig) => Job, variables?: Record<string, string>) =>
  run(jobFor, variables, { dry_run: true });

const snapshot = () =>
  rig.database.query(
    `SELECT (SELECT count(*) FROM events)::int AS events, (SELECT count(*) FROM expiring_segments)::int AS expiring,
            (SELECT json_agg(s ORDER BY relation) FROM segments AS s)::text AS segments`,
  );

describe('a dry run', () => {
  it('names the segments that would be dropped, and those that would stay, with their tenants', async () => {
    await rig.database.query('ANALYZE');
    const before = await snapshot();
    expect(await dryRun(expireSegmentsJob)).toEqual({
      rows: 0,
      details: {
        dry_run: true,
        would_drop: [{ segment: old.relation, events: 200 }],
        would_rewrite: [],
        kept: {},
        held_back: {},
      },
    });
    await rig.database.query("INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('acme', 0, 'test')");
    expect((await dryRun(expireSegmentsJob)).details).toMatchObject({
      would_drop: [],
      kept: { [old.relation]: ['acme'] },
    });
    expect(await snapshot()).toEqual(before);
  });

  it('counts the events that would be deleted, by tenant', async () => {
    await rig.seal();
    await rig.store(50, { tenant: 'museum', storedAt: LONG_AGO });
    await rig.store(30, { tenant: 'acme', storedAt: LONG_AGO });
    const mixed = await rig.seal();
    const before = await snapshot();
    await rig.database.query(
      "INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('museum', 365, 'test'), ('acme', 7, 'test')",
    );
    expect((await dryRun(expireTenantEventsJob)).details).toEqual({
      dry_run: true,
      would_delete: [{ tenants: ['acme'], stored_before: expect.stringMatching(/Z$/) as string, events: 230 }],
    });
    expect((await dryRun(expireSegmentsJob)).details).toMatchObject({
      would_drop: [{ segment: old.relation }],
      would_rewrite: [{ segment: mixed.relation, except: ['museum'], events: 30 }],
      kept: { [mixed.relation]: ['museum'] },
    });
    expect(await snapshot()).toEqual(before);
  });
});

describe('RETENTION_ARCHIVE=true', () => {
  it('drops a segment once its archive is verified; until then the run fails and the table stays', async () => {
    // Where the archive should go there is a file.
    const exportDir = join(folder, 'exports');
    writeFileSync(exportDir, 'in the way');
    const archived = { RETENTION_ARCHIVE: 'true', EXPORT_DIR: exportDir };
    for (let attempts = 1; attempts <= 2; attempts += 1) {
      await expect(run(expireSegmentsJob, archived)).rejects.toThrow(old.relation);
      expect(await isThere()).toBe(true);
      expect(await rig.database.query(`SELECT count(*)::int FROM ${old.relation}`)).toEqual([{ count: 200 }]);
    }
    rmSync(exportDir);
    expect((await run(expireSegmentsJob, archived)).details).toMatchObject({ dropped: [old.relation] });
    expect(await isThere()).toBe(false);
    const [archive] = await rig.database.query<{ manifest_key: string; destination: { prefix: string } }>(
      "SELECT manifest_key, destination FROM export_runs WHERE trigger = 'archive' AND state = 'succeeded'",
    );
    const file = join(exportDir, archive!.destination.prefix, archive!.manifest_key);
    expect(existsSync(file)).toBe(true);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ rows: 200, trigger: 'archive' });
  });
});

it('an export that lags is named in the log and in the result', async () => {
  await rig.database.query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by)
     VALUES ('acme', '{}', 'ndjson', 'none', '{}', 'test')`,
  );
  expect((await run(expireSegmentsJob)).details).toMatchObject({
    dropped: [],
    held_back: { [old.relation]: ['acme'] },
  });
  expect(log).toMatchObject([{ level: 40, segment: old.relation, tenants: ['acme'] }]);
});

it('CLEANUP_INTERVAL_HOURS is how often they run', () => {
  const schedules = allJobs(configOf({ CLEANUP_INTERVAL_HOURS: '6', REDIS_URL: inject('redisUrl') }))
    .filter(({ name }) => name === 'expire-segments' || name === 'expire-tenant-events')
    .map(({ schedule }) => schedule);
  expect(schedules).toEqual([{ everyMs: 6 * 60 * 60_000 }, { everyMs: 6 * 60 * 60_000 }]);
});
