import { Redis } from 'ioredis';
import type { BenchOptions } from '../bench-options.ts';
import { prepareTables } from '../load/make-database.ts';
import { startBareXadd } from '../load/peers.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import { measureAckBursts } from './ack-bursts.ts';
import { measureAcksWhileDraining } from './acks-while-draining.ts';
import type { LoadResults } from './load-results.ts';
import { measureQueueBytes } from './queue-bytes.ts';

/** Measures acknowledging: how fast, how evenly, and how many bytes an event needs in Redis until it is stored. */
export async function runIngest(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  return withServers(context, ['maintenance-worker', 'ingest-api'], async (servers) => {
    const bare = await startBareXadd(servers.around);
    servers.running.defer(() => bare.stop());
    const redis = new Redis(servers.stack.redisUrl);
    servers.running.defer(() => redis.disconnect());
    await prepareTables(servers.stack.databaseUrl);
    const bench = { options, context, servers, bareUrl: bare.url, redis };
    const parts = [
      await measureAckBursts(bench),
      await measureQueueBytes(bench),
      await measureAcksWhileDraining(bench),
    ];
    return { figures: parts.flatMap(({ figures }) => figures), notes: parts.flatMap(({ notes }) => notes) };
  });
}
