import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';

/** Reads a Parquet file, row group by row group, with another library than the one that wrote it. @returns its rows */
export async function countParquetRows(bytes: Readable): Promise<number> {
  // The table of contents is at the end of the file, so the file is written to the disk first.
  const folder = await mkdtemp(join(tmpdir(), 'sluice-verify-'));
  try {
    const path = join(folder, 'part.parquet');
    await pipeline(bytes, createWriteStream(path));
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    let rows = 0;
    for (const group of metadata.row_groups) {
      const end = rows + Number(group.num_rows);
      let found = 0;
      await parquetRead({
        file,
        metadata,
        rowStart: rows,
        rowEnd: end,
        compressors: { ZSTD: (input) => zstdDecompressSync(input) },
        onComplete: (read) => {
          found = read.length;
        },
      });
      if (found !== Number(group.num_rows)) throw new Error(`a row group has ${found} of ${group.num_rows} rows`);
      rows = end;
    }
    if (rows !== Number(metadata.num_rows)) throw new Error('the row groups do not add up');
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
