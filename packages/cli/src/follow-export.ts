import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { type AnswerOf, type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import { leaveAloneOnInterrupt } from './leave-alone.ts';
import { formatBytes, type Output } from './output.ts';

/** An export run, and a verification of one, as the API describes them. */
export type ExportRun = AnswerOf<'get', '/export/runs/{id}'>;
export type Verification = AnswerOf<'get', '/export/verifications/{id}'>;

/** What an export run and a verification have in common. */
interface Progress {
  readonly id: string;
  readonly state: string;
  readonly rows_done: number;
  readonly rows_expected: number | null;
}

const ENDED = new Set(['succeeded', 'failed', 'cancelled']);

/** Time between two checks, in milliseconds. */
const CHECK_MS = 500;

/** Follows an export until it ends. */
export function followExport(api: ApiClient, first: ExportRun, output: Output): Promise<ExportRun> {
  return follow('exporting', first, output, (id) => api.call('get', '/export/runs/{id}', { path: { id } }));
}

/** Follows a verification until it ends. */
export function followVerification(api: ApiClient, first: Verification, output: Output): Promise<Verification> {
  return follow('verifying', first, output, (id) => api.call('get', '/export/verifications/{id}', { path: { id } }));
}

/**
 * Where a run's file is: as the API says, its URI, its path when it is on this machine, else its path below the server's
 * EXPORT_DIR.
 */
function placeOf(run: ExportRun, key: string, folder: string): string {
  if (run.manifest_location !== null) return run.manifest_location;
  const { kind, bucket, prefix } = run.destination;
  const path = `${prefix === '' ? '' : `${prefix}/`}${key}`;
  if (kind === 's3') return `s3://${bucket ?? ''}/${path}`;
  const here = join(folder, path);
  return existsSync(here) ? here : `${path}, in the server's EXPORT_DIR`;
}

/**
 * A run's state in a sentence.
 *
 * @param folder where its files are if the API is that of the local stack
 */
export function describeExport(run: ExportRun, folder: string): string {
  const size = `${run.rows_done.toLocaleString('en')} ${run.rows_done === 1 ? 'row' : 'rows'}, ${formatBytes(run.bytes_done)}`;
  if (run.state === 'succeeded') {
    return `Export ${run.id} succeeded: ${size}${run.manifest_key === null ? '' : `; its manifest is ${visible(placeOf(run, run.manifest_key, folder))}`}.`;
  }
  const why =
    run.error === null ? '' : visible(`: ${run.error}${run.error_code === null ? '' : ` [${run.error_code}]`}`);
  if (run.state !== 'failed') return `Export ${run.id} is ${run.state}${why}.`;
  return `Export ${run.id} failed${why}.\nFix the cause, then: ./sluice exports retry ${run.id}`;
}

/** Asks for the state until it is final. Shows a bar in a terminal, else a line for each change of the state. */
async function follow<T extends Progress>(
  doing: string,
  first: T,
  output: Output,
  read: (id: string) => Promise<T>,
): Promise<T> {
  const bar =
    output.terminal && !output.json
      ? new SingleBar({ format: `${doing} {bar} {value}/{total} rows  {state}`, hideCursor: true })
      : null;
  let seen = first;
  bar?.start(1, 0, { state: visible(seen.state) });
  const unfollow = leaveAloneOnInterrupt(bar, output, `Run ${first.id}`);
  try {
    while (!ENDED.has(seen.state)) {
      await delay(CHECK_MS);
      const { state } = seen;
      seen = await orGoneAway(read, first.id);
      bar?.setTotal(Math.max(1, seen.rows_expected ?? seen.rows_done));
      bar?.update(seen.rows_done, { state: visible(seen.state) });
      if (bar === null && seen.state !== state && !ENDED.has(seen.state)) output.note(`It is ${seen.state}.`);
    }
  } finally {
    unfollow();
    bar?.stop();
  }
  return seen;
}

async function orGoneAway<T>(read: (id: string) => Promise<T>, id: string): Promise<T> {
  try {
    return await read(id);
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== EXIT.unreachable) throw error;
    throw new CommandError(
      `The query API stopped answering before the end; ${id} continues on the server.`,
      EXIT.unreachable,
    );
  }
}
