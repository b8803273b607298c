import type { ManifestColumn } from '@sluice/exports/manifest';

/** Writes one file of an export. Made anew for each file; what it gives back is written in order. */
export interface RowFormat<Row> {
  /** The bytes before the first row; none for most formats. */
  begin(): readonly Uint8Array[];
  /**
   * @param firstId position of the first of these rows in the export, from 1
   * @returns bytes that are ready; the rest is kept for later
   */
  add(rows: readonly Row[], firstId: number): readonly Uint8Array[];
  /** What was kept, and the bytes behind the last row. */
  end(): readonly Uint8Array[];
}

/** A kind of file. */
export interface FileFormat<Row> {
  /** e.g. `.ndjson`. */
  readonly extension: string;
  /** For the manifest. */
  readonly columns: readonly ManifestColumn[] | null;
  open(): RowFormat<Row>;
}
