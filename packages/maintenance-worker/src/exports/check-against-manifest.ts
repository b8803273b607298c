import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '@sluice/errors/message-of';
import { type Destination, DestinationError } from '@sluice/exports/destination';
import { type Manifest, type ManifestFile, manifestText } from '@sluice/exports/manifest';
import { countRows } from './count-rows.ts';

/** What a verification found. */
export interface Verified {
  readonly ok: boolean;
  readonly files: number;
  readonly rows: number;
  /** Sentences that begin with the key of the file; empty when everything matches the manifest. */
  readonly problems: readonly string[];
}

/**
 * Verifies an export by reading it from its destination. Compares the manifest with the one in Postgres, then each file
 * with the manifest: its bytes, its SHA-256, and its rows, which are parsed one by one.
 *
 * @param onRows called after each file with the rows checked so far
 * @throws DestinationError when the destination can't be read; differences of the files are in the answer
 */
export async function checkAgainstManifest(
  destination: Destination,
  manifestKey: string,
  expected: Manifest,
  signal: AbortSignal,
  onRows: (rows: number) => void = () => {},
): Promise<Verified> {
  const problems: string[] = [];
  problems.push(...(await checkManifest(destination, manifestKey, expected, signal)));
  let rows = 0;
  for (const file of expected.files) {
    problems.push(...(await checkFile(destination, file, expected, signal)));
    rows += file.rows;
    onRows(rows);
  }
  return { ok: problems.length === 0, files: expected.files.length, rows: expected.rows, problems };
}

async function checkManifest(
  destination: Destination,
  key: string,
  expected: Manifest,
  signal: AbortSignal,
): Promise<string[]> {
  const found = await unlessMissing(async () => text(await destination.read(key, signal)));
  if (found === null) return [`${key}: is not there`];
  if (found === manifestText(expected)) return [];
  try {
    // jsonb does not preserve the order of keys.
    if (isDeepStrictEqual(JSON.parse(found), JSON.parse(JSON.stringify(expected)))) return [];
  } catch {
    return [`${key}: is not JSON`];
  }
  return [`${key}: is not the manifest of this run`];
}

async function checkFile(
  destination: Destination,
  file: ManifestFile,
  { format, compression }: Manifest,
  signal: AbortSignal,
): Promise<string[]> {
  const { key } = file;
  const body = await unlessMissing(() => destination.read(key, signal));
  if (body === null) return [`${key}: is not there`];
  const found = await countRows(body, { format, compression }, signal);
  const problems: string[] = [];
  if (found.bytes !== file.bytes) problems.push(`${key}: has ${found.bytes} bytes; the manifest says ${file.bytes}`);
  if (found.sha256 !== file.sha256) problems.push(`${key}: has another SHA-256 than the manifest says`);
  if (found.unreadable !== null) problems.push(`${key}: cannot be read as ${format}: ${messageOf(found.unreadable)}`);
  else if (found.rows !== file.rows) problems.push(`${key}: has ${found.rows} rows; the manifest says ${file.rows}`);
  return problems;
}

async function unlessMissing<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DestinationError && error.code === 'not_there') return null;
    throw error;
  }
}
