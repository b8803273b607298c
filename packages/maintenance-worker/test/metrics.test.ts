import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { behindFence } from '@sluice/testkit/behind-fence';
import { type Scrape, scrape } from '@sluice/testkit/scrape';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { STORE_EVENTS } from './fixtures/export-rig.ts';
import { startTracedOperations, type TracedOperations } from './fixtures/traced-operations.ts';

const PATIENCE = { timeout: 180_000, interval: 50 };

let traced: TracedOperations;
let worker: TestDaemon;
let receiver: Server;
const folder = mkdtempSync(join(tmpdir(), 'sluice-exports-'));
const answers: number[] = [];
beforeAll(async () => {
  receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(answers.shift() ?? 200).end();
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  traced = await startTracedOperations({ EXPORT_DIR: folder });
  await traced.operations.refusePoison();
  worker = await traced.startWorker({
    EXPORT_ALLOW_PRIVATE: 'true',
    EXPORT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    EXPORT_WEBHOOK_SECRET: 'a secret of the receiver',
  });
});
afterAll(async () => {
  await traced.stop();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

const query = (text: string, values?: unknown[]) => traced.operations.pipeline.database.query(text, values);
/** Scrapes until these samples are as expected: what is asked of Postgres may be two seconds old. */
const until = (expected: (seen: Scrape) => void) =>
  vi.waitFor(async () => expected(await scrape(worker.url)), PATIENCE);
const ended = (table: string, id: unknown, state: string) =>
  vi.waitFor(async () => {
    expect(await query(`SELECT state FROM ${table} WHERE id = $1`, [id])).toEqual([{ state }]);
  }, PATIENCE);
const run = async (job: string, state: string): Promise<void> => {
  const { id } = await traced.request(`/api/jobs/${job}/runs`, {});
  await ended('job_runs', id, state);
};

describe('jobs', () => {
  it('runs, their rows and how long they took', async () => {
    const job = 'expire-dead-letters';
    await query(
      `INSERT INTO audit_log (at, actor, action, affected)
       SELECT now() - interval '500 days', 'ada', 'test', 1 FROM generate_series(1, 7)`,
    );
    await until((seen) => {
      expect(seen.value('sluice_job_runs_total', { job, state: 'succeeded' })).toBe(0);
    });
    await run(job, 'succeeded');
    await run(job, 'succeeded');
    await until((seen) => {
      expect(seen.value('sluice_job_runs_total', { job, state: 'succeeded' })).toBe(2);
      expect(seen.value('sluice_job_runs_total', { job, state: 'failed' })).toBe(0);
      expect(seen.value('sluice_job_rows_total', { job })).toBe(7);
      expect(seen.value('sluice_job_run_duration_seconds_count', { job })).toBe(2);
    });
    const answer = await fetch(`${worker.url}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
    await traced.receiver.until(() => traced.spans(`run ${job}`).length === 2, 'the spans of both runs');
    const traces = traced.spans(`run ${job}`).map(({ traceId }) => traceId);
    const exemplars = [
      ...(await answer.text()).matchAll(
        /sluice_job_run_duration_seconds_bucket\{.*job="expire-dead-letters".*trace_id="(\w+)"/g,
      ),
    ].map((found) => found[1]);
    expect(exemplars.length).toBeGreaterThan(0);
    for (const exemplar of exemplars) expect(traces).toContain(exemplar);
  });

  it('a missing segment, and the run that fails of it', async () => {
    const job = 'check-segments';
    await until((seen) => {
      expect(seen.value('sluice_segments_missing')).toBe(0);
    });
    await query("UPDATE segments SET state = 'closed', closed_at = now() - interval '1 hour' WHERE state = 'next'");
    await run(job, 'failed');
    await until((seen) => {
      expect(seen.value('sluice_job_runs_total', { job, state: 'failed' })).toBe(1);
      expect(seen.value('sluice_job_runs_total', { job, state: 'succeeded' })).toBe(0);
      expect(seen.value('sluice_segments_missing')).toBe(1);
      expect(seen.value('sluice_segments', { state: 'closed' })).toBe(1);
      expect(seen.value('sluice_segments', { state: 'sealed' })).toBe(0);
      expect(seen.value('sluice_closed_segment_age_seconds')).toBeGreaterThan(3_599);
      expect(seen.value('sluice_segment_seal_seconds')).toBeUndefined();
    });
  });

  it('a stale one is so for every worker, also for one that schedules nothing', async () => {
    // This worker schedules nothing, so nothing is expected to happen.
    await until((seen) => {
      expect(seen.value('sluice_job_stale', { job: 'expire-history' })).toBe(0);
      expect(seen.value('sluice_job_stale', { job: 'rebuild-rollups' })).toBeUndefined();
    });
    await query("UPDATE jobs SET stale_at = now() - interval '1 second' WHERE name = 'expire-history'");
    await until((seen) => {
      expect(seen.value('sluice_job_stale', { job: 'expire-history' })).toBe(1);
      expect(seen.value('sluice_job_stale', { job: 'check-fence' })).toBe(0);
    });
    await query("UPDATE jobs SET stale_at = now() + interval '1 hour' WHERE name = 'expire-history'");
    await until((seen) => {
      expect(seen.value('sluice_job_stale', { job: 'expire-history' })).toBe(0);
    });
  });

  it('the age of the fence', async () => {
    const { database } = traced.operations.pipeline;
    const held = await database.connect();
    try {
      await held.query('BEGIN');
      await held.query('SELECT pg_current_xact_id()');
      // Once a transaction after it has begun.
      await query('SELECT pg_current_xact_id()');
      await until((seen) => expect(seen.value('sluice_fence_age_seconds')).toBeGreaterThan(0));
    } finally {
      await held.query('ROLLBACK');
      await held.end();
    }
  });
});

describe('folding', () => {
  it('how far it is behind; nothing before the first fold', async () => {
    await query("UPDATE rollup_generations SET state = 'retired'");
    await until((seen) => expect(seen.value('sluice_fold_lag_seconds')).toBeUndefined());
    await query(
      `INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at, folded_to)
       VALUES (1_000, 'live', '', '0', now(), now(), now() - interval '1 hour')`,
    );
    await until((seen) => expect(seen.value('sluice_fold_lag_seconds')).toBeGreaterThan(3_599));
    await query('DELETE FROM rollup_generations WHERE generation = 1_000');
    await query("UPDATE rollup_generations SET state = 'live'");
  });
});

describe('dead letters', () => {
  it('those that wait, by reason, and those that were put back', async () => {
    const { seed, replayIn, pipeline } = traced.operations;
    const letters = await seed(3, { event: { eventType: 'CellChange' } });
    await seed(2, { reason: 'too_complex' });
    const settled = await seed(4);
    await query("UPDATE dead_letters SET state = 'discarded' WHERE id = ANY($1::bigint[])", [settled]);
    await until((seen) => {
      expect(seen.value('sluice_dead_letters_open', { reason: 'invalid_value' })).toBe(3);
      expect(seen.value('sluice_dead_letters_open', { reason: 'too_complex' })).toBe(2);
      expect(seen.value('sluice_dead_letters_open', { reason: 'kills_reader' })).toBe(0);
      expect(seen.value('sluice_replays_total', { state: 'succeeded' })).toBe(0);
    });
    await pipeline.startWriter('writer-1');
    const { id } = await traced.request('/api/dead-letters/replays', { ids: letters, rate_per_second: 1_000 });
    await replayIn(String(id), 'succeeded');
    await until((seen) => {
      expect(seen.value('sluice_replays_total', { state: 'succeeded' })).toBe(1);
      expect(seen.value('sluice_replays_total', { state: 'failed' })).toBe(0);
      expect(seen.value('sluice_replayed_letters_total')).toBe(3);
      expect(seen.value('sluice_dead_letters_open', { reason: 'invalid_value' })).toBe(0);
      expect(seen.value('sluice_dead_letters_open', { reason: 'too_complex' })).toBe(2);
    });
  });

  it('no more than ten thousand are counted', async () => {
    await query('TRUNCATE dead_letters');
    await query(
      `INSERT INTO dead_letters (tenant, reason, message, stream, entry_id, entry_index)
       SELECT 'default', 'invalid_value', 'seeded', 'seed', 'many', n FROM generate_series(1, 10050) AS n`,
    );
    await until((seen) => {
      expect(seen.value('sluice_dead_letters_open', { reason: 'invalid_value' })).toBe(10_000);
    });
    await query('TRUNCATE dead_letters');
  });
});

/** Where the exports of one tenant go. */
const destination = (settings: object) =>
  query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by)
     VALUES ('exporter', '{"manual":true}', 'ndjson', 'none', $1, 'test')
     ON CONFLICT (tenant) DO UPDATE SET destination = excluded.destination`,
    [JSON.stringify(settings)],
  );

describe('exports', () => {
  it('rows and bytes of what was published, and what failed', async () => {
    await query(STORE_EVENTS, ['exporter', 42]);
    await behindFence(traced.operations.pipeline.database);
    await destination({ kind: 'local', prefix: '' });
    answers.push(500);
    const { id } = await traced.request('/export/run?tenant=exporter');
    await ended('export_runs', id, 'succeeded');
    const [{ bytes }] = (await query('SELECT bytes_done::int AS bytes FROM export_runs WHERE id = $1', [id])) as [
      { bytes: number },
    ];
    expect(bytes).toBeGreaterThan(1_000);
    await until((seen) => {
      expect(seen.value('sluice_export_runs_total', { state: 'succeeded' })).toBe(1);
      expect(seen.value('sluice_export_runs_total', { state: 'failed' })).toBe(0);
      expect(seen.value('sluice_export_rows_total')).toBe(42);
      expect(seen.value('sluice_export_bytes_total')).toBe(bytes);
      expect(seen.value('sluice_export_run_duration_seconds_count')).toBe(1);
      expect(seen.value('sluice_webhook_deliveries_total', { outcome: 'failed' })).toBe(1);
      expect(seen.value('sluice_webhook_deliveries_total', { outcome: 'delivered' })).toBe(1);
    });

    // A file where a folder should be.
    writeFileSync(join(folder, 'blocked'), '');
    await destination({ kind: 'local', prefix: 'blocked' });
    const failing = (await traced.request('/export/run?tenant=exporter'))['id'];
    await ended('export_runs', failing, 'failed');
    await until((seen) => {
      expect(seen.value('sluice_export_runs_total', { state: 'failed' })).toBe(1);
      expect(seen.value('sluice_export_runs_total', { state: 'succeeded' })).toBe(1);
      expect(seen.value('sluice_export_rows_total')).toBe(42);
      expect(seen.value('sluice_export_bytes_total')).toBe(bytes);
    });
  });
});
