import type { Redis } from 'ioredis';
import { BARE_STREAM } from '../../peers/bare-stream.ts';
import type { BenchOptions } from '../bench-options.ts';
import { SLUICE_STREAM } from '../load/sluice-target.ts';
import type { SuiteContext, Surroundings } from '../with-servers.ts';

/** What the parts of the ingest suite share. */
export interface IngestBench {
  readonly options: BenchOptions;
  readonly context: SuiteContext;
  readonly servers: Surroundings;
  /** The limit's URL, see peers/bare-xadd.ts. */
  readonly bareUrl: string;
  readonly redis: Redis;
}

/** The URL to post events to, and the stream in which they end. */
export interface Way {
  readonly url: string;
  readonly stream: string;
}

/** Sluice's path to the stream, and its two limits. */
export function waysOf({ servers, bareUrl }: IngestBench): { ours: Way; parsing: Way; adding: Way } {
  return {
    ours: { url: `${servers.stack.daemons['ingest-api']!.url}/api/events`, stream: SLUICE_STREAM },
    parsing: { url: `${bareUrl}/parse`, stream: BARE_STREAM },
    adding: { url: `${bareUrl}/raw`, stream: BARE_STREAM },
  };
}
