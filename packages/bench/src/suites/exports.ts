import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { createQueryClient, type QueryClient } from '../query/ask.ts';
import { connectUntilAborted } from '../query/connect-until-aborted.ts';
import { storeEvents } from '../query/dataset.ts';
import { sealFullSegments } from '../query/seal-full-segments.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

const TENANT = 'default';

/** Formats with their compression, in the words of `POST /export/run`. */
const KINDS = [
  { format: 'ndjson', compression: 'none' },
  { format: 'ndjson', compression: 'zstd' },
  { format: 'json', compression: 'gzip' },
  { format: 'csv', compression: 'none' },
  { format: 'parquet', compression: 'none' },
] as const;

/** How often to check whether a run has ended, in milliseconds. */
const EVERY_MS = 200;

/** The most memory that a worker may need, in MiB. */
const MOST_MEMORY = 300;

/**
 * Exports one tenant's events to a local folder, format by format, and measures the worker's peak of memory. The
 * limit is the time that Postgres alone needs to read the same rows and print them to nowhere.
 */
export async function runExportsSuite(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  const { progress, signal } = context;
  return withServers(context, ['writer-worker', 'maintenance-worker', 'query-api'], async ({ stack, running }) => {
    const db = await connectUntilAborted(stack.databaseUrl, signal);
    running.defer(() => db.end());
    const client = createQueryClient(stack.daemons['query-api']!.url, signal);
    running.defer(() => client.close());
    const { rows } = options;
    const stored = progress.start('storing events', rows);
    await sealFullSegments(stack.databaseUrl, (seal) =>
      storeEvents(db, { tenant: TENANT, rows, seal, onProgress: stored }),
    );
    await db.query('VACUUM ANALYZE');
    const worker = stack.daemons['maintenance-worker']!;
    const printed: number[] = [];
    const found = KINDS.map((kind) => ({ kind, rates: [] as number[], peaks: [] as number[] }));
    for (let round = 1; round <= options.rounds; round += 1) {
      printed.push(rows / (await timePrint(db)));
      for (const { kind, rates, peaks } of found) {
        progress.line(`round ${round} of ${options.rounds}: ${kind.format}, compression ${kind.compression}`);
        await forgetPeak(worker.pid);
        const run = await exportOnce(client, kind, signal);
        if (run.rows !== rows) throw new Error(`${run.rows} of ${rows} events were exported as ${kind.format}`);
        rates.push(rows / run.seconds);
        const peak = await peakOf(worker.pid);
        if (peak !== null) peaks.push(peak);
      }
    }
    return { figures: found.flatMap(({ kind, rates, peaks }) => figuresOf(kind, rates, peaks, printed)), notes: [] };
  });
}

function figuresOf(
  { format, compression }: (typeof KINDS)[number],
  rates: readonly number[],
  peaks: readonly number[],
  printed: readonly number[],
): Figure[] {
  const name = compression === 'none' ? format : `${format}, ${compression}`;
  const rate: Figure = {
    name,
    unit: 'rows/s',
    ours: rates,
    against: 'COPY to nowhere',
    theirs: printed,
    goal: null,
  };
  if (peaks.length === 0) return [rate];
  const goal = { of: 'value', bound: 'most', value: MOST_MEMORY } as const;
  return [rate, { name: `${name}: the worker's peak`, unit: 'MiB', ours: peaks, against: null, theirs: [], goal }];
}

/** @returns the rows counted by the manifest, and the seconds from the run's start to its end */
async function exportOnce(
  client: QueryClient,
  { format, compression }: (typeof KINDS)[number],
  signal: AbortSignal,
): Promise<{ rows: number; seconds: number }> {
  const query = new URLSearchParams({ tenant: TENANT, format, compression });
  const { id } = await client.ask('POST', `/export/run?${query.toString()}`);
  for (;;) {
    const run = await client.ask('GET', `/export/runs/${String(id)}`);
    if (run['state'] === 'succeeded') {
      const ms = Date.parse(String(run['finished_at'])) - Date.parse(String(run['started_at']));
      return { rows: Number(run['rows_done']), seconds: ms / 1000 };
    }
    if (run['state'] === 'failed') throw new Error(`the export failed: ${String(run['error'])}`);
    await delay(EVERY_MS, undefined, { signal });
  }
}

/** Seconds that Postgres needs to read the same rows and print them to nowhere. */
async function timePrint(db: Client): Promise<number> {
  const startedAt = performance.now();
  await db.query(`COPY (SELECT * FROM events WHERE tenant = '${TENANT}') TO '/dev/null'`);
  return (performance.now() - startedAt) / 1000;
}

/** Makes the kernel count the peak from here on; does nothing where there is no /proc. */
async function forgetPeak(pid: number | undefined): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => {});
}

/** The peak of resident memory since the last reset, in MiB; null where there is no /proc. */
async function peakOf(pid: number | undefined): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}
