import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '@sluice/local-stack/config';
import type { Figure } from '../figure.ts';
import { measureWaitingBytes } from '../load/waiting-bytes.ts';
import { type IngestBench, waysOf } from './ingest-bench.ts';
import type { LoadResults } from './load-results.ts';

/** Real edits, unless --edits names others; not part of the repository. */
const REAL_EDITS = join(REPOSITORY, '../shared/data/wikipedia-edits.ndjson.gz');

/** The goal in bytes per event, by events of a batch. */
const GOALS = [
  { batch: 500, most: 105 },
  { batch: 10, most: 190 },
];

/** Measures the bytes of a waiting event in Redis. They are the same in each round, so there is only one round. */
export async function measureQueueBytes(bench: IngestBench): Promise<LoadResults> {
  const { options, context, redis } = bench;
  const { ours, parsing } = waysOf(bench);
  const file = options.edits ?? (existsSync(REAL_EDITS) ? REAL_EDITS : null);
  const figures: Figure[] = [];
  for (const { batch, most } of GOALS) {
    context.progress.line(`bytes in Redis, batches of ${batch}`);
    const events = { file, batch, most: options.sample };
    figures.push({
      name: `in Redis per waiting ${file === null ? 'generated event' : 'real edit'}, batches of ${batch}`,
      unit: 'bytes',
      ours: [await measureWaitingBytes(redis, ours, events)],
      against: 'its JSON as it is',
      theirs: [await measureWaitingBytes(redis, parsing, events)],
      // The goal was set for real edits.
      goal: file === null ? null : { of: 'value', bound: 'most', value: most },
    });
  }
  return { figures, notes: file === null ? ['no real edits (--edits FILE): bytes are those of generated events'] : [] };
}
