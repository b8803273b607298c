import { Client } from 'pg';
import { type BatchTemplate, COPY_COLUMNS, copyTemplate, withFreshIds } from './batch-template.ts';
import { copyIn } from './copy-in.ts';
import { makeDatabase } from './make-database.ts';

/** Connections of the limit: a pipeline's writers have as many by default. */
export const COPY_CONNECTIONS = 3;
const BATCH = 500;
/** For each connection, so that inserts are spread over every index. */
const TEMPLATES = 40;
/** Different events of a COPY; further ones have new ids and nothing else. */
export const DIFFERENT_EVENTS = COPY_CONNECTIONS * TEMPLATES * BATCH;

/** The limit of storage: COPY of prepared rows into the indexed, partitioned table of 0.1.0. */
export interface BareCopy {
  /**
   * Copies until `events` are stored or `seconds` are over, whichever comes first, into the empty table.
   *
   * @param inspect looks at the full table, before it is emptied again
   * @returns events a second
   * @throws when some of them are missing afterwards
   */
  measure(
    until: { events: number | null; seconds: number | null },
    signal: AbortSignal,
    inspect?: (db: Client) => Promise<void>,
  ): Promise<number>;
  stop(): Promise<void>;
}

/** Makes a database with that table for it, in the same server. */
export async function startBareCopy(serverUrl: string): Promise<BareCopy> {
  const url = await makeDatabase(serverUrl, 'limit_copy', 'yardstick');
  const clients = Array.from({ length: COPY_CONNECTIONS }, () => new Client({ connectionString: url }));
  for (const client of clients) await client.connect();
  const [first] = clients as [Client];
  const templates = clients.map((_, at) =>
    Array.from({ length: TEMPLATES }, (_template, index) => copyTemplate(BATCH, (at * TEMPLATES + index) * BATCH)),
  );
  return {
    async measure({ events, seconds }, signal, inspect) {
      await first.query('TRUNCATE events');
      await first.query('CHECKPOINT');
      let sent = 0;
      const startedAt = performance.now();
      const endsAt = startedAt + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
      const copy = async (client: Client, own: readonly BatchTemplate[]): Promise<void> => {
        for (let turn = 0; performance.now() < endsAt && sent < (events ?? Number.POSITIVE_INFINITY); turn += 1) {
          signal.throwIfAborted();
          const rows = withFreshIds(own[turn % own.length]!, sent);
          sent += BATCH;
          await copyIn(client, `COPY events (${COPY_COLUMNS}) FROM STDIN`, rows);
        }
      };
      await Promise.all(clients.map((client, at) => copy(client, templates[at]!)));
      const elapsedMs = performance.now() - startedAt;
      const { rows } = await first.query<{ stored: string }>('SELECT count(*) AS stored FROM events');
      if (Number(rows[0]?.stored) !== sent) throw new Error(`COPY stored ${rows[0]?.stored} of ${sent} rows`);
      await inspect?.(first);
      // Removes the rows, whose vacuum would otherwise run during the next measurement.
      await first.query('TRUNCATE events');
      await first.query('CHECKPOINT');
      return (sent * 1000) / elapsedMs;
    },
    stop: async () => void (await Promise.all(clients.map((client) => client.end()))),
  };
}
