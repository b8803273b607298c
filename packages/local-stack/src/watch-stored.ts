import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { readDatabaseUrl } from '@sluice/daemon/config/database-url';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { DEMO_TENANT } from './batch-events.ts';

const COUNT_EVERY_MS = 400;
/** Ids are written to the database in chunks of this size, so that checking costs the writer little. */
const CHUNK = 20_000;
/** Without any progress for this long, ids that are not stored are reported as missing. */
const STALLED_AFTER_MS = 60_000;

/** What Postgres has of the acknowledged ids. */
export interface StoredCheck {
  /** Different ids. */
  ids: number;
  /** Stored before the burst. */
  alreadyStored: number;
  /** Stored since it began. */
  newlyStored: number;
  /** In `events` exactly once. */
  once: number;
  missing: number;
  /** performance.now() when all of them were seen to be stored; undefined if they never were. */
  drainedAt: number | undefined;
}

export interface StoredWatch {
  /** Adds the ids of acknowledged events. */
  add(ids: string[]): void;
  /** Waits until every added id is stored or there is no more progress, then checks each. */
  untilDrained(signal: AbortSignal): Promise<StoredCheck>;
  close(): Promise<void>;
}

/**
 * Watches a burst arrive in Postgres, over a connection of its own. `onStored` is given how many events are stored, at first
 * counted roughly (events that arrived since the watch began), once the burst is over exactly, by id.
 */
export async function watchStored(databaseUrl: string, onStored: (count: number) => void): Promise<StoredWatch> {
  const client = new Client({ ...readDatabaseUrl(databaseUrl), application_name: 'sluice-demo' });
  client.on('error', () => {});
  await client.connect();
  const one = async (sql: string, values: unknown[] = []): Promise<Record<string, string>> =>
    (await client.query<Record<string, string>>(sql, values)).rows[0] ?? {};
  // The database's own clock, because stored_at is.
  const { began } = await one('SELECT clock_timestamp()::text AS began');
  await client.query('CREATE TEMP TABLE demo_ids (event_id uuid NOT NULL)');

  let waiting: string[] = [];
  const sending = new AbortController();
  const flush = async (): Promise<void> => {
    const ids = waiting;
    waiting = [];
    for (let from = 0; from < ids.length; from += CHUNK) {
      await client.query('INSERT INTO demo_ids SELECT unnest($1::uuid[])', [ids.slice(from, from + CHUNK)]);
    }
  };
  const countRoughly = async (): Promise<void> => {
    while (!sending.signal.aborted) {
      if (waiting.length >= CHUNK) await flush();
      const { stored } = await one('SELECT count(*) AS stored FROM events WHERE stored_at >= $1', [began]);
      if (!sending.signal.aborted) onStored(Number(stored));
      await waitOrAbort(COUNT_EVERY_MS, sending.signal);
    }
  };
  const counting = countRoughly();
  // Its error, if any, is untilDrained's to report.
  counting.catch(() => {});

  return {
    add: (ids) => void waiting.push(...ids),
    async untilDrained(signal) {
      sending.abort();
      await counting;
      await flush();
      await client.query('CREATE TEMP TABLE demo_unique AS SELECT DISTINCT event_id FROM demo_ids');
      await client.query('ANALYZE demo_unique');
      const ids = Number((await one('SELECT count(*) AS ids FROM demo_unique'))['ids']);
      let stored = -1;
      let movedAt = performance.now();
      while (stored < ids && !signal.aborted && performance.now() - movedAt < STALLED_AFTER_MS) {
        const askedAt = performance.now();
        const { found } = await one(
          'SELECT count(*) AS found FROM demo_unique JOIN events e USING (event_id) WHERE e.tenant = $1',
          [DEMO_TENANT],
        );
        if (Number(found) !== stored) movedAt = performance.now();
        stored = Number(found);
        onStored(stored);
        // Counting takes longer the more there is, and the writer needs the machine more than the bar does.
        if (stored < ids) await delay(Math.max(50, performance.now() - askedAt));
      }
      const drainedAt = stored === ids ? movedAt : undefined;
      const { already, once } = await one(
        `SELECT count(*) FILTER (WHERE stored_at < $2) AS already, count(*) FILTER (WHERE copies = 1) AS once
         FROM (SELECT event_id, count(*) AS copies, min(e.stored_at) AS stored_at
               FROM demo_unique JOIN events e USING (event_id) WHERE e.tenant = $1 GROUP BY event_id) AS found`,
        [DEMO_TENANT, began],
      );
      const alreadyStored = Number(already);
      return {
        ids,
        alreadyStored,
        newlyStored: stored - alreadyStored,
        once: Number(once),
        missing: ids - stored,
        drainedAt,
      };
    },
    close: async () => {
      sending.abort();
      await client.end();
    },
  };
}
