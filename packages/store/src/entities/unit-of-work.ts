import { LockMode, raw } from '@mikro-orm/core';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { ENTITIES } from './entities.ts';

/**
 * Runs `work` as one unit of work: all its changes to entities are written in one transaction, or none.
 *
 * The entities get a transaction of Kysely's, so that flush() opens none. MikroORM's own transaction loses a slot of the
 * pool for good on a connection that breaks (docs/decisions/0004-transactions.md). Only this file flushes; a check
 * enforces that.
 *
 * @throws what `work` threw, or what Postgres answered; nothing is written then
 */
export function inUnitOfWork<T>(database: Database, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  // Making it takes longer than a transaction may be idle, where STATEMENT_TIMEOUT_MS is short and the machine is busy.
  const { em } = ormOf(database);
  return inTransaction(database, async (db) => {
    const entities = em.fork();
    entities.setTransactionContext(db);
    const write = (): Promise<void> => entities.flush();
    const result = await work({ entities, db, write });
    await write();
    return result;
  });
}

/** Entities, SQL beside them, and a way to write early; all in one transaction. */
export interface UnitOfWork {
  /** MikroORM's repositories. Changes are written at the end. */
  readonly entities: Pick<EntityManager, 'getRepository' | 'remove'>;
  /** Statements in the same transaction. They see written changes only. */
  readonly db: Kysely<unknown>;
  /** Writes now, for a statement that reads what was changed. */
  write(): Promise<void>;
}

/** For reading an entity in order to change it: locks its row until the unit of work ends. */
export const LOCKED = { lockMode: LockMode.PESSIMISTIC_WRITE } as const;

/** The time of the transaction, by the server's clock and with its microseconds. */
export const now = (): Date => raw<Date>('now()');

const orms = new WeakMap<Database, MikroORM>();

/** The MikroORM over a database's pool. Made for the first unit of work, since most daemons have none. */
function ormOf(database: Database): MikroORM {
  let orm = orms.get(database);
  if (orm === undefined) {
    orm = new MikroORM({
      entities: ENTITIES,
      driverOptions: database.db,
      // Not used: the pool knows its database.
      dbName: 'sluice',
      ensureDatabase: false,
      // Wherever the server is, times are read and written as UTC.
      timezone: 'Z',
    });
    orms.set(database, orm);
  }
  return orm;
}
