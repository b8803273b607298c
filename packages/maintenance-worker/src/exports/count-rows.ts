import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { messageOf } from '@sluice/errors/message-of';
import { DestinationError } from '@sluice/exports/destination';
import type { ExportCompression, ExportFormat } from '@sluice/exports/export-formats';
import { countParquetRows } from './count-parquet-rows.ts';
import { countCsvRecords, countJsonEvents, countLines } from './count-text-rows.ts';

/** How a file is to be read. */
export interface FileKind {
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
}

/** The contents of a file, counted. */
export interface CountedRows {
  readonly rows: number;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Why its rows can't be read; null when they can. Bytes and SHA-256 are right in both cases. */
  readonly unreadable: string | null;
}

/**
 * Reads a file to its end and parses every row of it, in constant memory.
 *
 * @throws DestinationError `unreachable` when the stream of its bytes breaks
 */
export async function countRows(body: Readable, kind: FileKind, signal: AbortSignal): Promise<CountedRows> {
  const sum = createHash('sha256');
  let bytes = 0;
  let rows = 0;
  let unreadable: string | null = null;
  const copy = new PassThrough();
  copy.on('error', () => {});
  const counting = parse(copy, kind).then(
    (count) => {
      rows = count;
    },
    (error: unknown) => {
      unreadable = messageOf(error);
    },
  );
  try {
    for await (const chunk of body) {
      signal.throwIfAborted();
      sum.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      // A parser that gives up destroys its copy. The bytes are still read to their end.
      const drained = unreadable !== null || copy.write(chunk) ? null : once(copy, 'drain').catch(() => {});
      if (drained !== null) await Promise.race([drained, counting]);
    }
  } catch (error) {
    copy.destroy();
    await counting;
    signal.throwIfAborted();
    if (error instanceof DestinationError) throw error;
    throw new DestinationError('unreachable', `A file could not be read to its end: ${messageOf(error)}`, {
      cause: error,
    });
  }
  copy.end();
  await counting;
  return { rows, bytes, sha256: sum.digest('hex'), unreadable };
}

async function parse(bytes: PassThrough, { format, compression }: FileKind): Promise<number> {
  if (format === 'parquet') return countParquetRows(bytes);
  const count = { ndjson: countLines, json: countJsonEvents, csv: countCsvRecords }[format];
  let rows = 0;
  const counter = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    rows = await count(chunks);
  };
  if (compression === 'none') await pipeline(bytes, counter);
  else await pipeline(bytes, compression === 'gzip' ? createGunzip() : createZstdDecompress(), counter);
  return rows;
}
