import type { ExportCompression, ExportFormat } from './export-formats.ts';

/** Name of the manifest in the folder of a run. It is written last: a folder without one holds no finished export. */
export const MANIFEST_NAME = 'manifest.json';

/** What one export holds, so that it can be verified; `manifest.json`, and `export_runs.manifest`. */
export interface Manifest {
  readonly manifest_version: 1;
  readonly run_id: string;
  /** Null for an archive, which holds all tenants. */
  readonly tenant: string | null;
  readonly trigger: string;
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  /** Columns of CSV and Parquet; null for formats whose rows are events as their clients sent them. */
  readonly columns: readonly ManifestColumn[] | null;
  readonly window: ManifestWindow;
  readonly files: readonly ManifestFile[];
  readonly rows: number;
  readonly bytes: number;
  /**
   * Rows whose payload is too long to be read: in its place is `{"_bytes": 688022, "_truncated": true}`. An archive has
   * all payloads whole.
   */
  readonly truncated_rows: number;
  /** ISO 8601 UTC. */
  readonly created_at: string;
  readonly sluice_version: string;
}

export interface ManifestColumn {
  readonly name: string;
  readonly type: 'integer' | 'text' | 'timestamp' | 'json';
}

/** Which events an export covers: those stored in a time, or those between two fences. */
export interface ManifestWindow {
  readonly since: string | null;
  readonly until: string | null;
  /** The detached table that an archive holds. */
  readonly partition: string | null;
  /** Transaction ids: from `from_tx` on, below `to_tx`; null for no limit. */
  readonly from_tx: string | null;
  readonly to_tx: string | null;
  /** By `stored_at`: also events stored before this, in the cluster that this one was restored from; null for none. */
  readonly stored_before: string | null;
  /** Whose transaction ids they are. */
  readonly system_identifier: string | null;
}

export interface ManifestFile {
  /** Relative to the destination's prefix. */
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  /** Hex, of the stored file. */
  readonly sha256: string;
  /** Positions of its rows in the export, from 1. */
  readonly first_id: number;
  readonly last_id: number;
}

/** The manifest as it is stored. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}
