import { openCredentials, sealCredentials } from '@sluice/exports/export-credentials';
import { type SealingKeys, SealError } from '@sluice/exports/sealed-secrets';
import type { Database } from '@sluice/store/database';
import { ExportConfig } from '@sluice/store/entities/export-config';
import { inUnitOfWork, LOCKED } from '@sluice/store/entities/unit-of-work';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Seals all credentials with the active key, so that the other keys can be removed from EXPORT_ENCRYPTION_KEYS; a row
 * is a tenant.
 *
 * @throws SealError of the first tenant whose credentials can't be opened, after all others are done
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
  return inUnitOfWork(database, async ({ entities }) => {
    const configs = await entities
      .getRepository(ExportConfig)
      .find(
        { secrets: { $ne: null }, keyId: { $ne: active }, tenant: { $gt: after } },
        { ...LOCKED, orderBy: { tenant: 'asc' }, limit: BATCH },
      );
    const failures: SealError[] = [];
    for (const config of configs) {
      const { tenant, secrets, keyId } = config;
      try {
        const present = { bytes: Buffer.from(secrets!), keyId: keyId! };
        const sealed = sealCredentials(keys, tenant, openCredentials(keys, tenant, present));
        config.secrets = sealed?.bytes ?? null;
        config.keyId = sealed?.keyId ?? null;
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        failures.push(error);
      }
    }
    const last = configs.length < BATCH ? null : configs.at(-1)!.tenant;
    return { sealed: configs.length - failures.length, failures, last };
  });
}
