import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { post } from './http.ts';
import { needs } from './needs.ts';
import type { Pipeline } from './pipeline.ts';

export const REAL_EDITS_FILE = join(
  resolve(import.meta.dirname, '../../../..'),
  'shared/data/wikipedia-edits.ndjson.gz',
);

/** Whether the file is on this machine. */
export const realEditsAreThere = existsSync(REAL_EDITS_FILE);
/** Options of a test that is skipped without the file. */
export const needsRealEdits = needs(`there is no ${REAL_EDITS_FILE}`);

/** An edit as it is sent. */
export interface Edit {
  eventId: string;
  timestamp: string;
  eventType: string;
  userName: string;
  sessionId: string;
  workbookName: string;
  correlationId: string;
  [property: string]: unknown;
}

/** Reads the first `count` edits, all of them if not given. */
export function readRealEdits(count?: number): Edit[] {
  return gunzipSync(readFileSync(REAL_EDITS_FILE))
    .toString()
    .trimEnd()
    .split('\n', count)
    .map((line) => JSON.parse(line) as Edit);
}

/** Sends events through ingest and waits until writers have stored them. */
export async function storeThroughPipeline(pipeline: Pipeline, events: readonly object[]): Promise<void> {
  const batches = Array.from({ length: Math.ceil(events.length / 500) }, (_, at) =>
    events.slice(at * 500, (at + 1) * 500),
  );
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
        const { status, body } = await post(`${pipeline.ingest.url}/api/events`, { events: batch });
        if (status !== 202 || body.rejected > 0) throw new Error(`ingest answered ${status}: ${JSON.stringify(body)}`);
      }
    }),
  );
  await pipeline.drained();
}
