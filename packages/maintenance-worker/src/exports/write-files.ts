import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { ManifestFile } from '@sluice/exports/manifest';
import type { Batches } from './read-in-batches.ts';
import { type PartOptions, writePart } from './write-part.ts';

/** End of the name of compressed files. */
const ENDINGS = { none: '', gzip: '.gz', zstd: '.zst' } as const;

/**
 * Writes all rows into files of bounded size: `part-00001.ndjson.gz`, `part-00002.ndjson.gz`, ….
 *
 * @param folder start of their keys, without a slash at its end
 * @param options.onProgress called with the bytes of all files so far
 * @returns the files in their order; none when there is no row
 */
export async function writeFiles<Row>(
  folder: string,
  batches: Batches<Row>,
  options: PartOptions<Row>,
): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  let next = await batches.next();
  let bytesBefore = 0;
  const onProgress = (rows: number, bytes: number): void => options.onProgress(rows, bytesBefore + bytes);
  for (let firstId = 1; next.length > 0;) {
    const name = `part-${String(files.length + 1).padStart(5, '0')}`;
    const key = `${folder}/${name}${options.format.extension}${ENDINGS[options.compression]}`;
    const part = await inSpan('write export file', { attributes: { 'sluice.export.file': name } }, async (span) => {
      const written = await writePart(key, next, batches, firstId, { ...options, onProgress });
      span.setAttributes({ 'sluice.rows': written.file.rows, 'sluice.bytes': written.file.bytes });
      return written;
    });
    files.push(part.file);
    bytesBefore += part.file.bytes;
    firstId = part.file.last_id + 1;
    next = part.next;
  }
  return files;
}
