import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needsRealEdits, REAL_EDITS_FILE, realEditsAreThere } from '@sluice/testkit/real-edits';
import { runCommand } from '@sluice/testkit/run-command';

const ROOT = resolve(import.meta.dirname, '../..');
it.skipIf(!realEditsAreThere)(
  'demo --input sends a real file, stores it once, and knows it the second time',
  needsRealEdits,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const env = {
      HOME: folder,
      SLUICE_DATA_DIR: folder,
      INGEST_PORT: '0',
      QUERY_PORT: '0',
      WRITER_PORT: '0',
      MAINTENANCE_PORT: '0',
    };
    const demo = () =>
      runCommand(join(ROOT, 'packages/local-stack/src/demo.ts'), ['--input', REAL_EDITS_FILE, '--json', '--exit'], {
        cwd: ROOT,
        env,
      });

    const first = await demo();
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({
      ok: true,
      events_sent: 30_000,
      batches: 60,
      answers: { 202: 60 },
      stored_once: 30_000,
      already_stored: 0,
      missing: 0,
    });
    expect(first.stderr).toContain('stored once');

    const second = await demo();
    expect(second.code, second.stderr).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({
      ok: true,
      answers: { 202: 60 },
      already_stored: 30_000,
      missing: 0,
    });
  },
);
