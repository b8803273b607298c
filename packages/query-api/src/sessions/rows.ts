import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { sessionWithTail } from '@sluice/projections/sessions/session-with-tail';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';
import { allOf } from '../events/event-filter.ts';
import type { UntilGone } from '../http/client-gone.ts';
import { comesAfter, type List, type Order, type Place } from '../http/paging.ts';
import { utc } from '../sql/utc.ts';

/** A session as the API shows it. */
export interface Session {
  readonly session_id: string;
  /** The user, from the first event that names one. */
  readonly user_name: string | null;
  readonly state: 'open' | 'closed';
  /** Time of its earliest event, ISO 8601 UTC with microseconds. */
  readonly started_at: string;
  readonly last_event_at: string;
  /** When its newest event was stored. */
  readonly last_seen_at: string;
  readonly ended_at: string | null;
  readonly event_count: number;
  readonly machine_name: string | null;
  readonly user_domain: string | null;
}

/** Selects sessions. A field that is left out does not restrict. */
export interface SessionFilter {
  readonly tenant: string;
  readonly userNames?: readonly string[] | undefined;
  readonly state?: 'open' | 'closed' | undefined;
  /** Started at or after, ISO 8601 UTC. */
  readonly start?: string | undefined;
  /** Started before. */
  readonly end?: string | undefined;
}

/** The list of sessions by their start. */
export function sessionsBy(filter: SessionFilter, order: Order): List {
  return { of: ['sessions', filter], key: { started_at: 'timestamptz', session_id: 'text' }, order };
}

/** Selects a page of sessions. */
export interface SessionList {
  readonly filter: SessionFilter;
  readonly order: Order;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** Reads a page of sessions by their start, as of the last fold. */
export async function listSessions(
  db: Kysely<unknown>,
  { filter, order, after, limit }: SessionList,
  untilGone: UntilGone,
): Promise<readonly Session[]> {
  const { tenant, userNames, state, start, end } = filter;
  const conditions = [
    sql<SqlBool>`tenant = ${tenant}`,
    userNames === undefined ? null : sql<SqlBool>`actor = ANY(${userNames}::text[])`,
    state === undefined ? null : state === 'open' ? sql<SqlBool>`ended_at IS NULL` : sql<SqlBool>`ended_at IS NOT NULL`,
    start === undefined ? null : sql<SqlBool>`started_at >= ${start}::timestamptz`,
    end === undefined ? null : sql<SqlBool>`started_at < ${end}::timestamptz`,
    comesAfter(after, sessionsBy(filter, order)),
  ].filter((each) => each !== null);
  const byStart =
    order === 'asc'
      ? sql`ORDER BY sessions.started_at, session_id`
      : sql`ORDER BY sessions.started_at DESC, session_id DESC`;
  return readSessions(db, sql`sessions WHERE ${allOf(conditions)} ${byStart} LIMIT ${limit}`, untilGone);
}

/**
 * Reads one session as of the last commit: what is folded, and its events since then.
 *
 * @throws ApiError `not_found`, also for a session of another tenant
 */
export async function findSession(
  database: Database,
  tenant: string,
  sessionId: string,
  untilGone: UntilGone,
): Promise<Session> {
  const [session] = await inTransaction(database, async (db) => {
    await sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`.execute(db);
    // Block ranges are cheaper than the planner thinks: it would read the hot segment from end to end.
    await sql`SET LOCAL enable_seqscan = off`.execute(db);
    const found = await sessionWithTail(db, tenant, sessionId);
    return readSessions(db, sql`(${found}) AS sessions`, untilGone);
  });
  if (session === undefined) throw new ApiError('not_found', `There is no session ${sessionId}.`);
  return session;
}

/** @param from the text after FROM */
async function readSessions(
  db: Kysely<unknown>,
  from: RawBuilder<unknown>,
  untilGone: UntilGone,
): Promise<readonly Session[]> {
  const { rows } = await sql<Omit<Session, 'event_count'> & { event_count: string }>`
    SELECT session_id, actor AS user_name, CASE WHEN ended_at IS NULL THEN 'open' ELSE 'closed' END AS state,
           ${utc('started_at')}, ${utc('last_event_at')}, ${utc('last_seen_at')}, ${utc('ended_at')}, event_count,
           machine_name, user_domain
    FROM ${from}`.execute(db, untilGone);
  return rows.map((row) => ({ ...row, event_count: Number(row.event_count) }));
}
