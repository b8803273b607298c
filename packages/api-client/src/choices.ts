/**
 * The API's enumerations as lists, for options and menus. The types come from the API's document; the compiler
 * refuses a list that lacks a value or has one too many.
 */
import type { paths } from './api-types.ts';

type NewKey = paths['/api/keys']['post']['requestBody']['content']['application/json'];
type ExportConfig = paths['/export/config']['put']['requestBody']['content']['application/json'];

/** What an API key may be allowed to do. */
export type Scope = NewKey['scopes'][number];
export const SCOPES = listOf<Scope>({ ingest: true, read: true, operate: true, admin: true });

/** What exported files look like. */
export type ExportFormat = NonNullable<ExportConfig['format']>;
export const EXPORT_FORMATS = listOf<ExportFormat>({ ndjson: true, json: true, csv: true, parquet: true });

/** How exported text files are compressed; Parquet compresses its own columns and takes `none`. */
export type ExportCompression = NonNullable<ExportConfig['compression']>;
export const EXPORT_COMPRESSIONS = listOf<ExportCompression>({ none: true, gzip: true, zstd: true });

function listOf<T extends string>(values: Record<T, true>): T[] {
  return Object.keys(values) as T[];
}
