/** What exported files may look like; `json` is one object with `export_metadata`. */
export const EXPORT_FORMATS = ['ndjson', 'json', 'csv', 'parquet'] as const;

/** Around text formats; Parquet compresses its own columns and takes `none`. */
export const EXPORT_COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;

export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export type ExportCompression = (typeof EXPORT_COMPRESSIONS)[number];

/** What is wrong with this pair, in words; null when it can be written. */
export function formatProblem(format: ExportFormat, compression: ExportCompression): string | null {
  if (format !== 'parquet' || compression === 'none') return null;
  return `compression must be none for parquet, which compresses its own columns; it is ${compression}`;
}
