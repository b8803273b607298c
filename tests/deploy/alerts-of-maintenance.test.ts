import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ROLLUP_LOCK } from '@sluice/store/rollup-lock';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { S3_CREDENTIALS, startS3Server, type S3Server } from '@sluice/testkit/s3-server';
import { startPrometheus, type TestPrometheus } from '../setup/prometheus.ts';

describe.skipIf(inject('programs').prometheus === null)('alerts of maintenance', needsProgram('prometheus'), () => {
  let s3: S3Server;
  let operations: Operations;
  let prometheus: TestPrometheus;

  beforeAll(async () => {
    s3 = await startS3Server();
    const exports = {
      CLIENT_S3_BUCKET: 'not-there',
      CLIENT_S3_ENDPOINT: s3.endpoint,
      CLIENT_S3_PATH_STYLE: 'true',
      CLIENT_S3_REGION: 'us-east-1',
      CLIENT_S3_ACCESS_KEY: S3_CREDENTIALS.access_key_id,
      CLIENT_S3_SECRET_KEY: S3_CREDENTIALS.secret_access_key,
      EXPORT_ALLOW_PRIVATE: 'true',
      EXPORT_SCHEDULE: 'manual',
    };
    operations = await startOperations(exports);
    await operations.pipeline.startWriter('writer-1');
    const worker = await operations.startMaintenance({ ...exports, ENABLE_BACKGROUND_TASKS: 'true' });
    prometheus = await startPrometheus({ 'maintenance-worker': [worker.url] });
    await prometheus.answered('sluice_fence_age_seconds');
    await prometheus.answered('sluice_job_stale{exported_job="expire-history"} == 0');
  });
  afterAll(async () => {
    await prometheus.stop();
    await operations.stop();
    await s3.close();
  });

  const expectSilent = async (name: string): Promise<void> => expect(await prometheus.alerts(name)).toEqual([]);

  it('SluiceExportsFailing: there is no such bucket', async () => {
    await expectSilent('SluiceExportsFailing');
    const { pipeline } = operations;
    await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(3) });
    await pipeline.stored(3);
    expect(await operations.ask('POST', '/export/run')).toMatchObject({ status: 202 });
    await prometheus.firing('SluiceExportsFailing');
  });

  it('SluiceJobStale: a job was due to succeed an hour ago', async () => {
    await expectSilent('SluiceJobStale');
    await operations.pipeline.database.query(
      `UPDATE jobs SET stale_at = now() - interval '1 hour' WHERE name = 'expire-history'`,
    );
    const alert = await prometheus.firing('SluiceJobStale', { exported_job: 'expire-history' });
    expect(alert.annotations['summary']).toBe('The job expire-history is stale');
  });

  it('SluiceSegmentMissing: the next segment is gone', async () => {
    await expectSilent('SluiceSegmentMissing');
    await operations.pipeline.database.query("DELETE FROM segments WHERE state = 'next'");
    const alert = await prometheus.firing('SluiceSegmentMissing');
    expect(alert.annotations['summary']).toBe('1 of the hot segment and the next is missing');
  });

  it('SluiceSegmentsUnsealed: one was closed an hour ago', async () => {
    await expectSilent('SluiceSegmentsUnsealed');
    await operations.pipeline.database.query(
      `INSERT INTO segments (relation, segment_from, segment_to, state, closed_at)
       VALUES ('events_s0', 0, 1, 'closed', now() - interval '1 hour')`,
    );
    const alert = await prometheus.firing('SluiceSegmentsUnsealed');
    expect(alert.annotations['summary']).toMatch(/^A closed segment has waited for 1h/);
  });

  it('SluiceFoldLags: folds wait for a lock', async () => {
    await expectSilent('SluiceFoldLags');
    const { database } = operations.pipeline;
    await prometheus.answered('sluice_fold_lag_seconds < 120');
    const holder = await database.connect();
    await holder.query('SELECT pg_advisory_lock($1::bigint)', [ROLLUP_LOCK]);
    // As if the last fold had been an hour ago.
    await holder.query("UPDATE rollup_generations SET folded_to = folded_to - interval '1 hour'");
    const alert = await prometheus.firing('SluiceFoldLags');
    expect(alert.annotations['summary']).toMatch(/^Sessions and roll-ups are 1h/);
    await holder.end();
  });

  // Last: what holds the fence back delays folds too.
  it('SluiceFenceHeldBack: a transaction stays open', async () => {
    await expectSilent('SluiceFenceHeldBack');
    const { database } = operations.pipeline;
    const holder = await database.connect();
    await holder.query('BEGIN; SELECT pg_current_xact_id()');
    // As if the fence had not moved for an hour.
    await database.query(`UPDATE fence_observations SET observed_at = observed_at - interval '1 hour'`);
    const alert = await prometheus.firing('SluiceFenceHeldBack');
    expect(alert.annotations['summary']).toMatch(/^A transaction has been open for (?:59m|1h)/);
    await holder.query('COMMIT');
    await holder.end();
  });
});
