import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { makePartitions, partitionOf } from '@sluice/store/layout/partitions';
import { type MaintenanceConfig, readMaintenanceConfig } from '../src/config.ts';
import { allJobs } from '../src/jobs/all-jobs.ts';
import { expirePartitionsJob } from '../src/jobs/expire-partitions.ts';
import { expireTenantEventsJob } from '../src/jobs/expire-tenant-events.ts';
import type { Job, JobContext, JobResult } from '../src/jobs/job.ts';
import { type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const DAY_MS = 24 * 60 * 60_000;
const WEEK = partitionOf(new Date(Date.now() - 60 * DAY_MS));
const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'));

let rig: RolledUp;
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
  await rig.database.query(`DROP TABLE IF EXISTS ${WEEK.name}`);
  await rig.database.query(
    `TRUNCATE events, event_ids, rollup_hours, rollup_days, rollup_weeks, rollup_generations, expiring_partitions, kept_partitions,
              tenant_retention, export_configs, export_positions, export_runs`,
  );
  await makePartitions(rig.opened, WEEK.from, 0);
  await rig.store(200, { storedAt: new Date(WEEK.from.getTime() + DAY_MS).toISOString() });
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
  (await rig.database.query('SELECT to_regclass($1) IS NOT NULL AS there', [WEEK.name]))[0]!['there'] as boolean;

const dryRun = (jobFor: (config: MaintenanceConfig) => Job, variables?: Record<string, string>) =>
  run(jobFor, variables, { dry_run: true });

const snapshot = () =>
  rig.database.query(
    `SELECT (SELECT count(*) FROM events)::int AS events, (SELECT count(*) FROM event_ids)::int AS ids,
            (SELECT count(*) FROM expiring_partitions)::int AS expiring, (SELECT count(*) FROM kept_partitions)::int AS kept`,
  );

describe('a dry run', () => {
  it('names the partitions that would be dropped, and those that would stay, with their tenants', async () => {
    await rig.database.query('ANALYZE');
    const before = await snapshot();
    expect(await dryRun(expirePartitionsJob)).toEqual({
      rows: 0,
      details: { dry_run: true, would_drop: [{ partition: WEEK.name, events: 200 }], kept: {}, held_back: {} },
    });
    await rig.database.query("INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('acme', 0, 'test')");
    expect((await dryRun(expirePartitionsJob)).details).toMatchObject({
      would_drop: [],
      kept: { [WEEK.name]: ['acme'] },
    });
    expect(await snapshot()).toEqual(before);
  });

  it('counts the events that would be deleted, by tenant', async () => {
    await rig.store(50, { tenant: 'museum', storedAt: new Date(WEEK.from.getTime() + DAY_MS).toISOString() });
    const before = await snapshot();
    await rig.database.query(
      "INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('museum', 365, 'test'), ('acme', 7, 'test')",
    );
    expect((await dryRun(expireTenantEventsJob)).details).toEqual({
      dry_run: true,
      would_delete: [
        { tenants: ['acme'], stored_before: expect.stringMatching(/Z$/) as string, events: 200 },
        { partition: WEEK.name, except: ['museum'], events: 200 },
      ],
    });
    expect(await snapshot()).toEqual(before);
  });
});

describe('RETENTION_ARCHIVE=true', () => {
  it('drops a partition once its archive is verified; until then the run fails and the table stays', async () => {
    // Where the archive should go there is a file.
    const exportDir = join(folder, 'exports');
    writeFileSync(exportDir, 'in the way');
    const archived = { RETENTION_ARCHIVE: 'true', EXPORT_DIR: exportDir };
    for (let attempts = 1; attempts <= 2; attempts += 1) {
      await expect(run(expirePartitionsJob, archived)).rejects.toThrow(WEEK.name);
      expect(await isThere()).toBe(true);
      expect(await rig.database.query('SELECT count(*)::int FROM event_ids')).toEqual([{ count: 300 }]);
    }
    rmSync(exportDir);
    expect((await run(expirePartitionsJob, archived)).details).toMatchObject({ dropped: [WEEK.name] });
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
  expect((await run(expirePartitionsJob)).details).toMatchObject({ dropped: [], held_back: { [WEEK.name]: ['acme'] } });
  expect(log).toMatchObject([{ level: 40, partition: WEEK.name, tenants: ['acme'] }]);
});

it('CLEANUP_INTERVAL_HOURS is how often they run', () => {
  const schedules = allJobs(configOf({ CLEANUP_INTERVAL_HOURS: '6', REDIS_URL: inject('redisUrl') }))
    .filter(({ name }) => name === 'expire-partitions' || name === 'expire-tenant-events')
    .map(({ schedule }) => schedule);
  expect(schedules).toEqual([{ everyMs: 6 * 60 * 60_000 }, { everyMs: 6 * 60 * 60_000 }]);
});
