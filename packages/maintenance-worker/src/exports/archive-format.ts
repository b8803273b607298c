import { sql } from 'kysely';
import { isoTime } from '@sluice/store/iso-time';
import { epochMicroseconds } from './export-row.ts';
import { openParquetFile, type ParquetColumn } from './parquet-file.ts';
import type { FileFormat } from './row-format.ts';

/** One stored event with all its columns, as text. */
export interface ArchiveRow {
  readonly stored_at: string;
  readonly tenant: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly occurred_at: string;
  readonly received_at: string;
  readonly actor: string | null;
  readonly session_id: string | null;
  readonly correlation_id: string | null;
  readonly resource: string | null;
  readonly client_ip: string | null;
  readonly trace_id: string | null;
  readonly source: string;
  /** As Postgres writes an array: `{characters_replaced}`. */
  readonly flags: string | null;
  readonly payload: string;
  readonly tx: string;
}

/** All columns of a partition, as `ArchiveRow` has them. */
export const ARCHIVE_COLUMNS = sql`
  ${isoTime('stored_at')} AS stored_at, tenant, event_id::text AS event_id, event_type, ${isoTime('occurred_at')} AS occurred_at, ${isoTime('received_at')} AS received_at,
  actor, session_id, correlation_id, resource, client_ip::text AS client_ip, trace_id, source, flags::text AS flags,
  payload::text AS payload, tx::text AS tx`;

const COLUMNS: readonly ParquetColumn<ArchiveRow>[] = [
  { name: 'id', type: 'integer', required: true, value: (_, id) => BigInt(id) },
  timestamp('stored_at'),
  text('tenant'),
  text('event_id'),
  text('event_type'),
  timestamp('occurred_at'),
  timestamp('received_at'),
  text('actor'),
  text('session_id'),
  text('correlation_id'),
  text('resource'),
  text('client_ip'),
  text('trace_id'),
  text('source'),
  text('flags'),
  { name: 'payload', type: 'json', required: true, value: (row) => row.payload },
  { name: 'tx', type: 'integer', required: true, value: (row) => BigInt(row.tx) },
];

/** Parquet with everything needed to store the events again. */
export const archiveFormat: FileFormat<ArchiveRow> = {
  extension: '.parquet',
  columns: COLUMNS.map(({ name, type }) => ({ name, type })),
  open: () => openParquetFile(COLUMNS),
};

function text(name: Exclude<keyof ArchiveRow, 'payload' | 'tx'>): ParquetColumn<ArchiveRow> {
  return { name, type: 'text', value: (row) => row[name] };
}

function timestamp(name: 'stored_at' | 'occurred_at' | 'received_at'): ParquetColumn<ArchiveRow> {
  return { name, type: 'timestamp', required: true, value: (row) => epochMicroseconds(row[name]) };
}
