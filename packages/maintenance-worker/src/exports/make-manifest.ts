import { VERSION } from '@sluice/errors/version';
import type { ExportCompression, ExportFormat } from '@sluice/exports/export-formats';
import type { Manifest, ManifestColumn, ManifestFile, ManifestWindow } from '@sluice/exports/manifest';

/** Makes the manifest of an export or archive whose files are all written; `publish-manifest.ts` publishes it. */
export function makeManifest(
  run: {
    readonly id: string;
    /** Null for an archive, which holds all tenants. */
    readonly tenant: string | null;
    readonly trigger: Manifest['trigger'];
    readonly format: ExportFormat;
    readonly compression: ExportCompression;
  },
  columns: readonly ManifestColumn[] | null,
  window: ManifestWindow,
  files: readonly ManifestFile[],
  truncatedRows = 0,
): Manifest {
  return {
    manifest_version: 1,
    run_id: run.id,
    tenant: run.tenant,
    trigger: run.trigger,
    format: run.format,
    compression: run.compression,
    columns,
    window,
    files,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    truncated_rows: truncatedRows,
    created_at: new Date().toISOString(),
    sluice_version: VERSION,
  };
}
