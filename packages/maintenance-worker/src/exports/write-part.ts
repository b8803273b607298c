import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Destination } from '@sluice/exports/destination';
import type { ExportCompression } from '@sluice/exports/export-formats';
import type { ManifestFile } from '@sluice/exports/manifest';
import type { Batches } from './read-in-batches.ts';
import type { FileFormat } from './row-format.ts';

/**
 * Writes rows into one file at every destination, until the file is large enough or there are no more rows.
 *
 * @param first the rows it begins with
 * @param firstId position of the first of them in the export
 * @throws DestinationError, or what reading threw
 */
export async function writePart<Row>(
  key: string,
  first: readonly Row[],
  batches: Batches<Row>,
  firstId: number,
  options: PartOptions<Row>,
): Promise<WrittenPart<Row>> {
  const { destinations } = options;
  const sum = createHash('sha256');
  const written = { rows: 0, bytes: 0, next: [] as readonly Row[] };
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // When reading, an upload or the stream between them fails, the others fail as a consequence: report the cause.
  let reading: Failure | undefined;
  let uploading: Failure | undefined;
  let streaming: Failure | undefined;

  const readOn = (): Promise<readonly Row[]> =>
    batches.next().catch((error: unknown) => {
      reading = { error };
      throw error;
    });
  async function* encoded(): AsyncGenerator<Uint8Array> {
    const file = options.format.open();
    yield* file.begin();
    for (let rows = first; ; rows = await readOn()) {
      signal.throwIfAborted();
      written.next = rows;
      if (rows.length === 0 || (rows !== first && written.bytes >= options.maxBytes)) break;
      yield* file.add(rows, firstId + written.rows);
      written.rows += rows.length;
      options.onProgress(rows.length, written.bytes);
    }
    yield* file.end();
  }

  const sinks = destinations.map(() => new PassThrough({ highWaterMark: SINK_BYTES }));
  // An upload that fails destroys its sink before it can say why.
  for (const sink of sinks) sink.on('error', () => {});
  const uploads = destinations.map((destination, at) =>
    destination.write(key, sinks[at]!, signal).catch((error: unknown) => {
      uploading ??= { error };
      failed.abort(error);
    }),
  );
  try {
    const compressor = compressorOf(options.compression);
    const spread = (chunks: AsyncIterable<Uint8Array>): Promise<void> => tee(chunks, sinks, sum, written, signal);
    await (compressor === null ? pipeline(encoded(), spread) : pipeline(encoded(), compressor, spread));
    for (const sink of sinks) sink.end();
  } catch (error) {
    streaming = { error };
    for (const sink of sinks) sink.destroy();
  }
  await Promise.all(uploads);
  options.signal.throwIfAborted();
  const failure = reading ?? uploading ?? streaming;
  if (failure !== undefined) throw failure.error;
  const { rows, bytes, next } = written;
  return {
    file: { key, rows, bytes, sha256: sum.digest('hex'), first_id: firstId, last_id: firstId + rows - 1 },
    next,
  };
}

/** Options that all parts of one export share. */
export interface PartOptions<Row> {
  readonly format: FileFormat<Row>;
  readonly compression: ExportCompression;
  /** All receive the same bytes, at the pace of the slowest. */
  readonly destinations: readonly Destination[];
  /** A part ends after the batch with which it reaches this. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Called after each batch. */
  readonly onProgress: (rows: number, bytes: number) => void;
}

/** One written file, and the rows that the next one begins with; none at the end. */
export interface WrittenPart<Row> {
  readonly file: ManifestFile;
  readonly next: readonly Row[];
}

/** Bytes that a destination may lag before the others wait for it. */
const SINK_BYTES = 256 * 1024;

interface Failure {
  readonly error: unknown;
}

/** Writes every chunk to every sink; waits until all have room before the next one. */
async function tee(
  chunks: AsyncIterable<Uint8Array>,
  sinks: readonly PassThrough[],
  sum: Hash,
  written: { bytes: number },
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of chunks) {
    sum.update(chunk);
    written.bytes += chunk.length;
    for (const sink of sinks) if (!sink.write(chunk)) await once(sink, 'drain', { signal });
  }
}

function compressorOf(compression: ExportCompression): Transform | null {
  if (compression === 'none') return null;
  if (compression === 'gzip') return createGzip({ level: 6 });
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

/** Turns a short text into a stream of its bytes. */
export function streamOf(text: string): Readable {
  const stream = new PassThrough();
  stream.end(text);
  return stream;
}
