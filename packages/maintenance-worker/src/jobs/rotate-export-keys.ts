import { sql } from 'kysely';
import { inTransaction } from '@sluice/store/transaction';
import type { Database } from '@sluice/store/database';
import { openCredentials, sealCredentials } from '@sluice/exports/export-credentials';
import { type SealingKeys, SealError } from '@sluice/exports/sealed-secrets';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Seals all credentials with the active key, so that the other keys can be taken out of EXPORT_ENCRYPTION_KEYS; a row
 * is a tenant.
 *
 * @throws SealError of the first tenant whose credentials can't be opened, when all others are done
 */
export const rotateExportKeysJob = {
  name: 'rotate-export-keys',
  description: 'Seals the credentials of all tenants with the first key of EXPORT_ENCRYPTION_KEYS',
  schedule: null,
  timeoutMs: HOUR_MS,
  concurrency: 1,
  run: rotateExportKeys,
} satisfies Job;

/** Configurations that are sealed again in one transaction. */
const BATCH = 100;

async function rotateExportKeys({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const { keys } = config.exports;
  if (keys.active === null) throw new SealError('unknown_key', 'EXPORT_ENCRYPTION_KEYS is not set');
  let rows = 0;
  let failed = 0;
  let failure: SealError | null = null;
  for (let after = ''; ;) {
    run.signal.throwIfAborted();
    const batch = await sealBatch(database, keys, keys.active.id, after);
    rows += batch.sealed;
    failed += batch.failures.length;
    failure ??= batch.failures[0] ?? null;
    run.progress(rows);
    if (batch.last === null) break;
    after = batch.last;
  }
  if (failure !== null) {
    throw new SealError(
      failure.code,
      `${rows} are sealed with ${keys.active.id}, ${failed} are not: ${failure.message}`,
    );
  }
  return { rows, details: { key: keys.active.id } };
}

interface Batch {
  readonly sealed: number;
  readonly failures: readonly SealError[];
  /** Null when there are no more. */
  readonly last: string | null;
}

async function sealBatch(database: Database, keys: SealingKeys, active: string, after: string): Promise<Batch> {
  return inTransaction(database, async (db) => {
    const { rows } = await sql<{ tenant: string; secrets: Buffer; key_id: string }>`
      SELECT tenant, secrets, key_id FROM export_configs
      WHERE secrets IS NOT NULL AND key_id <> ${active} AND tenant > ${after}
      ORDER BY tenant LIMIT ${BATCH} FOR UPDATE`.execute(db);
    const failures: SealError[] = [];
    for (const { tenant, secrets, key_id: keyId } of rows) {
      try {
        const sealed = sealCredentials(keys, tenant, openCredentials(keys, tenant, { bytes: secrets, keyId }));
        await sql`
          UPDATE export_configs SET secrets = ${sealed?.bytes ?? null}, key_id = ${sealed?.keyId ?? null}
          WHERE tenant = ${tenant}`.execute(db);
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        failures.push(error);
      }
    }
    const last = rows.length < BATCH ? null : rows.at(-1)!.tenant;
    return { sealed: rows.length - failures.length, failures, last };
  });
}
