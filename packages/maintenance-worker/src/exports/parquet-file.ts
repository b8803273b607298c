import { constants, zstdCompressSync } from 'node:zlib';
import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { VERSION } from '@sluice/errors/version';
import type { RowFormat } from './row-format.ts';

/** A row group is written at either of these limits; writers and readers hold one row group in memory. */
const GROUP_ROWS = 5_000;
const GROUP_BYTES = 4 * 1024 * 1024;

/** One column of a Parquet file. */
export interface ParquetColumn<Row> {
  readonly name: string;
  readonly type: 'integer' | 'text' | 'timestamp' | 'json';
  readonly required?: boolean;
  /** Timestamps as microseconds since 1970. */
  readonly value: (row: Row, id: number) => string | bigint | null;
}

/** Writes a Parquet file row group by row group, each compressed with zstd level 1. */
export function openParquetFile<Row>(columns: readonly ParquetColumn<Row>[]): RowFormat<Row> {
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema: [{ name: 'root', num_children: columns.length }, ...columns.map(schemaOf)],
    codec: 'ZSTD',
    compressors: {
      ZSTD: (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    },
    createdBy: `sluice ${VERSION}`,
  });
  let held = emptyGroup(columns.length);

  /** Takes the bytes written so far out of the writer, which keeps counting its offset. */
  const take = (): Uint8Array => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  const writeGroup = (): void => {
    if (held.rows === 0) return;
    const columnData = columns.map(({ name }, at): ColumnSource => ({ name, data: held.values[at]! }));
    void file.write({ columnData, rowGroupSize: held.rows });
    held = emptyGroup(columns.length);
  };

  return {
    begin: () => [take()],
    *add(rows, firstId) {
      for (const [at, row] of rows.entries()) {
        columns.forEach(({ value }, column) => {
          const cell = value(row, firstId + at);
          held.values[column]!.push(cell);
          held.bytes += typeof cell === 'string' ? cell.length : 8;
        });
        held.rows += 1;
        if (held.rows < GROUP_ROWS && held.bytes < GROUP_BYTES) continue;
        writeGroup();
        yield take();
      }
    },
    end() {
      writeGroup();
      void file.finish();
      return [take()];
    },
  };
}

interface Group {
  rows: number;
  bytes: number;
  readonly values: (string | bigint | null)[][];
}

function emptyGroup(columns: number): Group {
  return { rows: 0, bytes: 0, values: Array.from({ length: columns }, () => []) };
}

function schemaOf({ name, type, required = false }: ParquetColumn<never>): SchemaElement {
  const repetition_type = required ? 'REQUIRED' : 'OPTIONAL';
  if (type === 'integer') return { name, type: 'INT64', repetition_type };
  if (type !== 'timestamp') return { name, type: 'BYTE_ARRAY', repetition_type, converted_type: 'UTF8' };
  // Both the older and the newer annotation: some readers know only one of them.
  return {
    name,
    type: 'INT64',
    repetition_type,
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  };
}
