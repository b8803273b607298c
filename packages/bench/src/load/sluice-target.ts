import { Redis } from 'ioredis';
import { Client } from 'pg';
import { streamKey } from '@sluice/stream/stream-keys';
import { emptyTables } from './empty-tables.ts';
import type { Target } from './target.ts';

/** The stream that daemons use when nothing else is configured. */
export const SLUICE_STREAM = streamKey('sluice', 0);

/**
 * Sluice's own daemons as a target; `close` ends the connections that measure it.
 *
 * @param stream the stream that they use
 */
export async function sluiceTarget(
  servers: { databaseUrl: string; redisUrl: string },
  ingestUrl: string,
  stream = SLUICE_STREAM,
): Promise<Target & { close(): Promise<void> }> {
  const redis = new Redis(servers.redisUrl);
  const db = new Client({ connectionString: servers.databaseUrl });
  await db.connect();
  return {
    name: 'Sluice',
    url: `${ingestUrl}/api/events`,
    // An entry leaves the stream after COMMIT, not before.
    waiting: () => redis.xlen(stream),
    async stored() {
      const { rows } = await db.query<{ stored: string }>('SELECT count(*) AS stored FROM events');
      return Number(rows[0]?.stored);
    },
    empty: () => emptyTables(db),
    async close() {
      redis.disconnect();
      await db.end();
    },
  };
}
