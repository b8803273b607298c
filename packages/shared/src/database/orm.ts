import { MikroORM } from '@mikro-orm/postgresql';
import { AuditEntry } from './entities/audit-entry.ts';
import { DeadLetter } from './entities/dead-letter.ts';
import { EventId } from './entities/event-id.ts';
import { Event } from './entities/event.ts';
import { Replay } from './entities/replay.ts';
import { Session } from './entities/session.ts';

/** Every entity there is; the migrations' tables and these are compared by a test. */
export const ENTITIES = [Event, EventId, Session, DeadLetter, Replay, AuditEntry];

export type Orm = MikroORM;

/** How a daemon talks to Postgres. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
}

/**
 * A MikroORM over a pool of connections. Nothing is connected yet: the first query is, so a daemon starts
 * and waits while Postgres is away.
 */
export async function createOrm(options: DatabaseOptions): Promise<Orm> {
  return MikroORM.init({
    clientUrl: options.url,
    entities: ENTITIES,
    connect: false,
    // A typing error in DATABASE_URL must not make a new, empty database.
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSize },
    driverOptions: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs,
      // A client that died between two statements must not hold its locks.
      idle_in_transaction_session_timeout: options.statementTimeoutMs,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    },
    // Wherever the server stands, times are read and written as UTC.
    timezone: 'Z',
    // Migrations are hand-written; the schema generator only serves the test that compares them with the entities.
    schemaGenerator: { skipTables: ['sluice_migrations'] },
  } as Parameters<typeof MikroORM.init>[0]) as Promise<Orm>;
}
