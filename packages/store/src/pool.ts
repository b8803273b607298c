import type { Socket } from 'node:net';
import pg from 'pg';
import { readDatabaseUrl } from '@sluice/daemon/config/database-url';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { SILENCE_MARGIN_MS } from './time-limits.ts';

/**
 * Opens a pool of connections. Nothing is connected yet: the first query connects, so a daemon can start while Postgres is
 * away. A connection on which Postgres is silent for too long is closed.
 */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionTimeoutMillis: 5_000,
    ...readDatabaseUrl(options.url),
    max: options.poolSize,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs,
    // A client that died between two statements must not hold its locks.
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    keepAlive: true,
    types,
    // Awaited before the connection's first use: pg warns of a statement that is sent while another one runs. When it fails,
    // the connection is closed, and its caller gets the error. (The types of pg do not know it yet.)
    async onConnect(client: pg.ClientBase) {
      client.on('error', () => {});
      endWhenSilent(client as Client, options.statementTimeoutMs + SILENCE_MARGIN_MS);
      // A connection outlives the request that needed it: its first statement is in nobody's trace.
      await untraced(() => prepareSession(client, options));
    },
  } as pg.PoolConfig);
  // A connection that the server ends emits `error`, here while it is idle; without a listener that ends the process. Its
  // statement is rejected as well, and the pool makes a new connection.
  pool.on('error', () => {});
  return pool;
}

/** Options of a pool; see `DatabaseOptions`. */
interface PoolOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  readonly applicationName: string;
  readonly transactionTimeoutMs?: number;
  readonly schema?: string | undefined;
}

/** Dates, times and intervals stay text: a JavaScript Date has no microseconds, and entities parse the text themselves. */
const AS_TEXT: ReadonlySet<number> = new Set([1082, 1114, 1184, 1186]);
/** Arrays of these. */
const AS_TEXTS: ReadonlySet<number> = new Set([1182, 1115, 1185, 1187]);

/** pg's parser of a type, by its oid. */
const parserOf = pg.types.getTypeParser as (oid: number, format?: string) => (value: string) => unknown;
const TEXT_ARRAY = 1009;

const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: string) {
    if (format !== 'binary' && AS_TEXT.has(oid)) return (text: string) => text;
    return parserOf(AS_TEXTS.has(oid) ? TEXT_ARRAY : oid, format);
  },
};

/** A connection of a pool, with what pg's clients have and its types leave out. */
export type Client = pg.PoolClient & {
  /** Id of the server's process. */
  readonly processID: number;
  readonly readyForQuery: boolean;
  readonly connection: { readonly stream: Socket };
};

/**
 * Closes a connection on which a statement gets no answer for too long. The server ends each statement after its time-out,
 * so a longer silence means that the server is gone. Without this, a peer that vanished without a FIN would keep a
 * transaction waiting while the kernel retransmits, about a quarter of an hour.
 */
function endWhenSilent(client: Client, silenceMs: number): void {
  const { stream } = client.connection;
  stream.setTimeout(silenceMs);
  stream.on('timeout', () => {
    // Between statements a connection may be idle, and hold a lock, as long as its owner wants.
    if (client.readyForQuery) return;
    stream.destroy(Object.assign(new Error(`no answer from Postgres in ${silenceMs} ms`), { code: 'ETIMEDOUT' }));
  });
}

/**
 * Sets what statements rely on, whatever the role or the database sets. Without `array_nulls` a null in an array is the text
 * "NULL". The schema that has the tables comes first in search_path: a schema of the role's name, made later, would come
 * before it, and new partitions would be made there. An older server would refuse `transaction_timeout` as a start-up
 * parameter, together with the connection.
 *
 * @param options.schema the only one to use; left out, the one that has the tables
 * @throws what Postgres answered
 */
async function prepareSession(
  client: pg.ClientBase,
  { schema, transactionTimeoutMs }: Pick<PoolOptions, 'schema' | 'transactionTimeoutMs'>,
): Promise<void> {
  const path =
    schema === undefined
      ? `(SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), false)
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE c.oid = to_regclass('sluice_migrations') AND n.nspname IS DISTINCT FROM current_schema())`
      : `set_config('search_path', quote_ident(${pg.escapeLiteral(schema)}), false)`;
  const timeout =
    transactionTimeoutMs === undefined
      ? ''
      : `, (SELECT set_config('transaction_timeout', '${transactionTimeoutMs}', false)
            WHERE current_setting('server_version_num')::int >= 170000)`;
  await client.query(`SELECT set_config('array_nulls', 'on', false), ${path}${timeout}`);
}
