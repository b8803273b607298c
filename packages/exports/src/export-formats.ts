/** Formats of exported files; `json` is one object with `export_metadata`. */
export const EXPORT_FORMATS = ['ndjson', 'json', 'csv', 'parquet'] as const;

/** Compression of text formats. Parquet compresses its own columns and accepts only `none`. */
export const EXPORT_COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;

export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export type ExportCompression = (typeof EXPORT_COMPRESSIONS)[number];

/** Checks a format with its compression. @returns why the pair can't be written; null when it can */
export function formatProblem(format: ExportFormat, compression: ExportCompression): string | null {
  if (format !== 'parquet' || compression === 'none') return null;
  return `compression must be none for parquet, which compresses its own columns; it is ${compression}`;
}
