import { sql } from 'kysely';
import { Type } from 'typebox';
import type { DestinationSettings } from '@sluice/exports/destination';
import type { Manifest } from '@sluice/exports/manifest';
import { checkAgainstManifest } from '../exports/check-against-manifest.ts';
import { openRunDestinations } from '../exports/open-run-destinations.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Reads an export from its destination and its backup, and checks it against its manifest; a row is a row of the
 * export.
 *
 * @throws when the run has no manifest, or a destination can't be read. Damaged files are not an error but a result:
 *   `ok: false` with the problems
 */
export const verifyExportJob = {
  name: 'verify-export',
  description: 'Reads an export and checks it against its manifest',
  schedule: null,
  timeoutMs: 12 * HOUR_MS,
  concurrency: 2,
  input: Type.Object({ run_id: Type.String({ format: 'uuid' }) }, { additionalProperties: false }),
  run: verify,
} satisfies Job;

async function verify({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const id = String(run.input['run_id']);
  const db = database.db;
  const { rows } = await sql<{
    tenant: string | null;
    destination: string;
    backup: string | null;
    manifest: string | null;
    manifest_key: string | null;
  }>`
    SELECT tenant, destination::text AS destination, backup::text AS backup, manifest_key,
           CASE WHEN state = 'succeeded' THEN manifest::text END AS manifest
    FROM export_runs WHERE id = ${id}::uuid`.execute(db);
  const found = rows[0];
  if (found === undefined) throw new Error(`there is no export run ${id}`);
  if (found.manifest === null) throw new Error(`export run ${id} has not succeeded, so it has no manifest`);
  const manifest = JSON.parse(found.manifest) as Manifest;
  const { tenant, manifest_key: key } = found;
  // An empty scheduled run publishes nothing.
  if (key === null) return { rows: 0, details: { ok: true, files: 0, problems: [] } };
  const destination = JSON.parse(found.destination) as DestinationSettings;
  const backup = found.backup === null ? null : (JSON.parse(found.backup) as DestinationSettings);
  const destinations = await openRunDestinations(db, { tenant, destination, backup }, config.exports);
  const problems: string[] = [];
  let done = 0;
  try {
    for (const place of destinations) {
      const verified = await checkAgainstManifest(place, key, manifest, run.signal, (more) =>
        run.progress(done + more, manifest.rows * destinations.length),
      );
      done += manifest.rows;
      problems.push(...verified.problems.map((problem) => `${place.label}: ${problem}`));
    }
  } finally {
    for (const place of destinations) place.close();
  }
  return { rows: done, details: { ok: problems.length === 0, files: manifest.files.length, problems } };
}
