import type { ManifestColumn } from '@sluice/exports/manifest';

/** Writes one file of an export; each file needs a new one. The returned bytes are written in order. */
export interface RowFormat<Row> {
  /** The bytes before the first row; none for most formats. */
  begin(): readonly Uint8Array[];
  /**
   * Adds rows.
   *
   * @param firstId position of the first of these rows in the export, from 1
   * @returns bytes that are ready, made as they are taken; the rest is held for later
   */
  add(rows: readonly Row[], firstId: number): Iterable<Uint8Array>;
  /** The bytes held so far, and the bytes after the last row. */
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
